"""The changes that the demo makes to the bundle: each an edit that a developer would commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Change:
    """One edit and the release that it becomes.

    Args:
        kind: prompt, code or weights; what is edited.
        version: The release's version.
        title: What a developer would write as the commit's subject.
        path: The file, in the bundle.
        old: Text to replace; empty to take the whole file from `source`.
        new: The replacement.
        source: For weights: the pointer file that replaces `path`.
    """

    kind: str
    version: str
    title: str
    path: str
    old: str = ""
    new: str = ""
    source: str = ""

    def apply(self, bundle: Path) -> None:
        """Edits the file in the working copy.

        Raises:
            SystemExit: the bundle is not as the demo knows it.
        """
        target = bundle / self.path
        if self.source:
            target.write_bytes((bundle / self.source).read_bytes())
            return
        text = target.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise SystemExit(
                f"demo: {self.path} does not hold {self.old!r} once; tools/demo/changes.py no longer fits it"
            )
        target.write_text(text.replace(self.old, self.new), encoding="utf-8")


_OCR = "components/ocr/src/ocr/app.py"
_START = "    serve(Service(instance,"

PROMPT = Change(
    "prompt",
    "1.0.1",
    "Ask for one sentence",
    "components/summarizer/prompts/summary.prompt",
    "in two sentences",
    "in one sentence",
)
CODE = Change(
    "code",
    "1.0.2",
    "End every text with a line break",
    _OCR,
    '        return {"text": text}',
    '        return {"text": text.rstrip() + "\\n"}',
)
WEIGHTS = Change(
    "weights",
    "1.1.0",
    "OCR model 2",
    "components/ocr/weights/ocr.npz.dvc",
    source="components/ocr/training/versions/2/ocr.npz.dvc",
)
SLOW = Change(
    "code", "1.1.1", "A model that takes long to load", _OCR, _START, "    import time\n\n    time.sleep(12)\n" + _START
)
BROKEN = Change(
    "code",
    "1.1.2",
    "A model that cannot be loaded",
    _OCR,
    "    time.sleep(12)\n",
    '    raise SystemExit("the model has another shape")\n',
)
