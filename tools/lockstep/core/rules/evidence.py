"""Step 6: evidence. Each file is named by its content and is about this release."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from lockstep.core.errors import Finding
from lockstep.core.names import digest_of
from lockstep.core.rules.facts import Filed

_EVIDENCE = re.compile(r"evidence/[^/]+")


def evidence_findings(filed: Filed) -> Iterator[Finding]:
    """What is wrong with the evidence of one release."""
    wanted = str(filed.release.digest) if filed.release else ""
    for path, data in sorted(filed.files.items()):
        if not _EVIDENCE.fullmatch(path):
            continue
        where = f"releases/{filed.folder}/{path}"
        name = f"evidence/{digest_of(data).hex}.json"
        if path != name:
            what = f"its bytes give the name {name}; evidence is never edited"
            yield Finding("evidence/name", where, what, f"restore it from Git: git log -- {where}")
        subject = _subject(data)
        if wanted and subject != wanted:
            what = f"its subject is {subject}, the release's digest is {wanted}"
            yield Finding("evidence/subject", where, what, f"git rm {where}: it is about something else")


def _subject(data: bytes) -> str:
    """The digest that it says it is about; a few words where it says none."""
    try:
        document = json.loads(data)
    except ValueError:
        return "unreadable (not JSON)"
    subject = document.get("subject") if isinstance(document, dict) else None
    return subject if isinstance(subject, str) else "missing"
