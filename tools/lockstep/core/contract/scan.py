"""Lines of a JSON text, which is known to be JSON: its tokens one after the other, as RFC 8259, section 2 has them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from lockstep.core.contract.limits import Pointer

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def json_lines(text: str, pointers: Collection[Pointer]) -> dict[Pointer, int]:
    """The line (from 1) of each of these places: of a key's value that of the key; of what is not there that of the
    deepest part that is.
    """
    wanted = {pointer[:length] for pointer in pointers for length in range(len(pointer) + 1)}
    found: dict[Pointer, int] = {(): 1}
    line, last = 1, 0
    for pointer, at in _places(text, wanted) if len(wanted) > 1 else ():
        line, last = line + text.count("\n", last, at), at
        found[pointer] = line
        if len(found) == len(wanted):
            break
    return {pointer: _deepest(found, pointer) for pointer in pointers}


def _deepest(found: dict[Pointer, int], pointer: Sequence[str]) -> int:
    return next(found[tuple(pointer[:n])] for n in range(len(pointer), -1, -1) if tuple(pointer[:n]) in found)


def _places(text: str, wanted: Collection[Pointer]) -> Iterator[tuple[Pointer, int]]:
    """Every wanted place but the whole, and where in the text it begins, in order."""
    # For each open collection: its pointer (None where nothing below is wanted), and the index of a list or None.
    open_: list[tuple[Pointer | None, int | None]] = []
    here: Pointer | None = ()  # of the value that comes next
    is_key = is_item = False
    for sign, at in _tokens(text):
        if is_item and here is not None and sign != "]":
            yield here, at
        is_item = False
        if sign in "{[":
            open_.append((here, None if sign == "{" else 0))
            is_key, is_item = sign == "{", sign == "["
            here = _below(here, "0", wanted) if is_item else here
        elif sign in "}]":
            open_.pop()
        elif sign == ",":
            above, index = open_[-1]
            is_key, is_item = index is None, index is not None
            if index is not None:
                open_[-1] = (above, index + 1)
                here = _below(above, str(index + 1), wanted)
        elif is_key:
            is_key = False
            here = _below(open_[-1][0], sign, wanted)
            if here is not None:
                yield here, at


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    for match in _TOKEN.finditer(text):
        if (sign := match[0]) != ":":
            yield sign, match.start()


def _below(above: Pointer | None, key: str, wanted: Collection[Pointer]) -> Pointer | None:
    if above is None:
        return None
    here = (*above, json.loads(key) if key[0] == '"' else key)
    return here if here in wanted else None


def duplicate_line(text: str) -> int:
    """The line of the first key that stands twice in one mapping; 1 if there is none."""
    open_: list[set[Any] | None] = []
    is_key = False
    for sign, at in _tokens(text):
        if sign in "{[":
            open_.append(set() if sign == "{" else None)
            is_key = sign == "{"
        elif sign in "}]":
            open_.pop()
        elif sign == ",":
            is_key = open_[-1] is not None
        elif is_key and (keys := open_[-1]) is not None:
            is_key = False
            if (key := json.loads(sign)) in keys:
                return text.count("\n", 0, at) + 1
            keys.add(key)
    return 1
