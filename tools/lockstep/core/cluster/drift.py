"""Where an object of the cluster is not what Git says: every field that Git gives, and no other.

An API server adds defaults and agents add labels and annotations, so a field that only the cluster has is no drift;
but for selectors, data and resources, where one more entry means something else, and for lists, which have a length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lockstep.core.cluster.quantity import thousandths
from lockstep.core.render import Object

_WHOLE = {"selector", "matchLabels", "data", "binaryData", "nodeSelector", "requests", "limits"}
_QUANTITIES = {"requests", "limits"}
_EMPTY: tuple[Any, ...] = (None, "", 0, False, {}, [])


def drift(wanted: Iterable[Object], live: Iterable[Object]) -> tuple[str, ...]:
    """Sentences on where live objects differ from those that Git has: `Service x: spec.selector.y is …, Git says …`."""
    by_name = {_name(item): item for item in live}
    found: list[str] = []
    for item in wanted:
        name = _name(item)
        if name not in by_name:
            found.append(f"{name} is not there")
            continue
        found += [f"{name}: {words}" for words in _fields(_plain(item), _plain(by_name[name]), ())]
    return tuple(found)


def _name(item: Object) -> str:
    return f"{item.get('kind')} {(item.get('metadata') or {}).get('name')}"


def _plain(item: Object) -> dict[str, Any]:
    """The object without what only says where it is."""
    metadata = {key: value for key, value in (item.get("metadata") or {}).items() if key in {"labels", "annotations"}}
    return {**{key: value for key, value in item.items() if key not in {"metadata", "status"}}, "metadata": metadata}


def _fields(wanted: Any, live: Any, path: tuple[str, ...]) -> Iterator[str]:
    key = path[-1] if path else ""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        more = set(live) - set(wanted) if key in _WHOLE else set()
        for name in sorted({*wanted, *more}):
            yield from _fields(wanted.get(name), live.get(name), (*path, str(name)))
    elif isinstance(wanted, list | tuple) and isinstance(live, list | tuple):
        if len(wanted) != len(live):
            yield f"{'.'.join(path)} has {len(live)} entries, Git says {len(wanted)}"
            return
        for place, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _fields(one, other, (*path, str(place)))
    elif not _same(wanted, live, path):
        yield f"{'.'.join(path)} is {_short(live)}, Git says {_short(wanted)}"


def _same(wanted: Any, live: Any, path: tuple[str, ...]) -> bool:
    if wanted == live and type(wanted) is type(live):
        return True
    if live is None:
        return any(wanted == empty and type(wanted) is type(empty) for empty in _EMPTY)
    if len(path) > 1 and path[-2] in _QUANTITIES and wanted is not None:
        return thousandths(str(wanted)) == thousandths(str(live))
    return False


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
