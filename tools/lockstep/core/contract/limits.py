"""Bounds of what is read as a contract. They are far beyond what people write, and near enough to end in seconds."""

from __future__ import annotations

from lockstep.core.document import InvalidDocument

LIMIT_BYTES = 32 << 20
LIMIT_DEPTH = 200
LIMIT_VALUES = 3_000_000  # of JSON, keys counted as well
LIMIT_YAML = 1_000_000  # of YAML, which takes ten times as long; what stands behind an alias as if it were written out
LIMIT_DIGITS = 300  # so that every number has a float, and none costs more than a moment
Pointer = tuple[str, ...]


def beyond(path: str, line: int, what: str) -> InvalidDocument:
    """The error that says which bound was left, and where."""
    return InvalidDocument(
        f"the contract is too large: {what}", where=f"{path}:{line}", fix="split it, or remove what nobody needs"
    )
