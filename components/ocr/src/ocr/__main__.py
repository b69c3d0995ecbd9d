"""`python -m ocr` serves; `python -m ocr openapi` prints the contract (needs PyYAML)."""

import sys

from ocr.contract import CONTRACT

if sys.argv[1:] == ["openapi"]:
    import yaml

    class Plain(yaml.SafeDumper):
        """Writes repeated parts out, for strict readers refuse anchors."""

        def ignore_aliases(self, data: object) -> bool:
            """True: never an alias."""
            return data is not None

    yaml.dump(CONTRACT, sys.stdout, Plain, sort_keys=False, allow_unicode=True, width=110)
else:
    from ocr.app import main

    main()
