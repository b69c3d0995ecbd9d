"""Text within XML. Source: XML 1.0, fifth edition, section 2.2 (characters)."""

from __future__ import annotations

import re
from html import escape

from lockstep.core.shown import visible

_NO_XML = re.compile("[\ufffe\uffff]")  # no characters of XML, and `visible` shows them as they are


def xml_text(text: str) -> str:
    """Text that may stand in an element or an attribute: one line, no markup, no control."""
    return escape(_NO_XML.sub("\ufffd", visible(text)).replace("\t", " "))
