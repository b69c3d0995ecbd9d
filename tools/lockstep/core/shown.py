"""How text and sizes are shown to people: nothing that a terminal or a page would take for an order gets through."""

from __future__ import annotations

import re

# Controls (ESC writes to terminals), line separators, and what turns text around (U+202E and its kin).
# Source: Unicode 15, categories Cc, Zl, Zp, Cs, and the property Bidi_Control.
_UNSEEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PICTURES = 0x2400  # U+2400 and on show the controls 0 to 31
_DELETE = 0x7F


def visible(text: str) -> str:
    """The text in one line, with every control but tabs as a picture of it (`␊`, `␛`) or as its number (`<U+202E>`)."""
    return _UNSEEN.sub(_seen, text)


def _seen(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < ord(" "):
        return chr(_PICTURES + code)
    return "␡" if code == _DELETE else f"<U+{code:04X}>"


def amount(size: int) -> str:
    """Bytes for people: 812 B, 1.4 MB (powers of ten)."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"
