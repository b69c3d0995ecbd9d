"""Reading objects of which nothing is believed: a field that is absent, or of another kind, is None or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def at(value: Any, *path: str) -> Any:
    """What stands at a path of keys; None where it ends early."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def mappings(value: Any, key: str) -> list[Any]:
    """The mappings in a list under a key; anything else is left out."""
    found = at(value, key)
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []
