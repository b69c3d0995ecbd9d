"""Paths: which of two contracts' paths are the same, and the operations below one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lockstep.core.contract.case import Case, Pair, Reader
from lockstep.core.contract.contract import Node
from lockstep.core.contract.unjudged import METHODS

_VARIABLE = re.compile(r"\{[^{}]*?(\*?)\}")
_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*|//[^/]*")
_BESIDE = {"$ref", "summary", "description"}


@dataclass(frozen=True)
class Hosted:
    """An operation and where it stands.

    Args:
        path: The path, as it is written on this side.
        item: Its path item.
        node: The operation.
    """

    path: str
    item: Node
    node: Node


def operations_in(reader: Reader, path: str, item: Node) -> Iterator[tuple[str, Hosted]]:
    """The operations below a path item, by method in lower case."""
    for method in METHODS:
        if (node := reader.mapping(item.get(method))) is not None:
            yield method, Hosted(path, item, node)


def path_items(reader: Reader, node: Node | None) -> dict[str, Node]:
    """The path items below paths, webhooks or a callback, resolved, by path or name."""
    above = reader.mapping(node)
    for _, item in above.items() if above else ():
        if isinstance(item.value, dict) and "$ref" in item.value and item.value.keys() - _BESIDE:
            reader.note(item, "a path item, or a reference with nothing beside it,")
    return reader.patterned(above)


def template_of(path: str) -> str:
    """A path without the names of its variables: those are chosen by whoever writes it."""
    return _VARIABLE.sub(r"{\1}", path)


@dataclass(frozen=True)
class Routes:
    """The paths of a contract as somebody looks for them.

    Args:
        exact: The path as written, by what is looked for.
        templates: The same by its template; of several the first in order.
    """

    exact: Mapping[str, str]
    templates: Mapping[str, str]

    def find(self, path: str) -> str | None:
        """The path, as written here, that is the same as this one; None if there is none."""
        return self.exact.get(path) or self.templates.get(template_of(path))


def routes(items: Mapping[str, Node], prefix: str) -> Routes:
    """The paths of a contract behind what its servers' addresses end with."""
    exact = {prefix + path: path for path in sorted(items)}
    return Routes(exact, {template_of(full): exact[full] for full in sorted(exact, reverse=True)})


def prefixes_of(reader: Reader, node: Node) -> tuple[str, ...] | None:
    """What the addresses of its servers end with, such as `/v1`, sorted; None if it names no server."""
    found = {reader.text(one, "url") for item in reader.listed(node.get("servers")) if (one := reader.mapping(item))}
    return tuple(sorted({_HOST.sub("", url, count=1).rstrip("/") for url in found})) or None


def server_findings(case: Case, pair: Pair) -> None:
    """Notes servers whose addresses end differently: then the same path is another address."""
    ours, theirs = prefixes_of(case.provider, pair.provider), prefixes_of(case.needed, pair.needed)
    if ours is not None and theirs is not None and ours != theirs:
        old, new = (", ".join(f"`{prefix or '/'}`" for prefix in side) for side in (theirs, ours))
        what = f"the servers' addresses ended with {old} and end with {new}; whether that is the same is not judged"
        case.add("not-judged", what, pair.below("servers"), old=list(theirs), new=list(ours))
