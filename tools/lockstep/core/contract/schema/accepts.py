"""Whether one value is valid for a schema, as far as it can be told without running a pattern."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lockstep.core.contract.schema.values import are_equal, fraction, is_number, type_of
from lockstep.core.contract.schema.view import ANNOTATIONS, View, Views

_DEEP = 12


def accepts(views: Views, view: View, value: Any, depth: int = 0) -> bool | None:
    """True or False where it is certain, None where it is not."""
    if view.is_never:
        return False
    if depth > _DEEP:
        return None
    found: list[bool | None] = [_has_type(view, value)]
    found += [_keyword(view, key, value) for key in view.data if _is_judged(key)]
    found += [accepts(views, views.of(part), value, depth + 1) for part in view.parts]
    found += _nested(views, view, value, depth)
    if any(one is False for one in found):
        return False
    return None if any(one is None for one in found) else True


def _is_judged(key: str) -> bool:
    return key not in ANNOTATIONS and key not in _ELSEWHERE and not key.startswith("x-")


_ELSEWHERE = {"allOf", "anyOf", "oneOf", "properties", "additionalProperties", "readOnly", "writeOnly", "items"}


def _has_type(view: View, value: Any) -> bool:
    kind = type_of(value)
    return view.types is None or kind in view.types or (kind == "integer" and "number" in view.types)


def _keyword(view: View, key: str, value: Any) -> bool | None:
    said = view.data[key]
    if key in {"enum", "const"}:
        return any(are_equal(value, one) for one in (said if key == "enum" else [said]))
    if key in _NUMERIC:
        return _NUMERIC[key](fraction(value), fraction(said)) if is_number(value) else True
    if key in _SIZES:
        kind, is_least = _SIZES[key]
        if not isinstance(value, kind):
            return True
        return bool(len(value) >= said if is_least else len(value) <= said)
    if key == "required":
        return not isinstance(value, dict) or all(name in value for name in said)
    return None if isinstance(value, _APPLIES.get(key, object)) else True


_NUMERIC: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda value, said: value >= said,
    "maximum": lambda value, said: value <= said,
    "exclusiveMinimum": lambda value, said: value > said,
    "exclusiveMaximum": lambda value, said: value < said,
    "multipleOf": lambda value, said: said > 0 and value % said == 0,
}
_SIZES: Mapping[str, tuple[type[str | list[Any] | dict[str, Any]], bool]] = {
    "minLength": (str, True),
    "maxLength": (str, False),
    "minItems": (list, True),
    "maxItems": (list, False),
    "minProperties": (dict, True),
    "maxProperties": (dict, False),
}
# What a keyword that is not judged here speaks of; other values pass.
_APPLIES: Mapping[str, type] = {
    **dict.fromkeys(("pattern", "format"), str),
    **dict.fromkeys(("prefixItems", "contains", "minContains", "maxContains", "uniqueItems", "unevaluatedItems"), list),
    **dict.fromkeys(("patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"), dict),
    "unevaluatedProperties": dict,
}


def _nested(views: Views, view: View, value: Any, depth: int) -> list[bool | None]:
    found: list[bool | None] = []
    for key in ("anyOf", "oneOf"):
        if key in view.data:
            branches = [accepts(views, views.of(node), value, depth + 1) for node in view.children(key).values()]
            found.append(_among(key, branches))
    if isinstance(value, list) and (node := view.child("items")) is not None:
        rest = value[len(view.children("prefixItems")) :]
        found += [accepts(views, views.of(node), item, depth + 1) for item in rest]
    if isinstance(value, dict):
        found += _properties(views, view, value, depth)
    return found


def _among(key: str, branches: list[bool | None]) -> bool | None:
    sure = branches.count(True)
    if key == "anyOf":
        return True if sure else None if None in branches else False
    if sure > 1 or (not sure and None not in branches):
        return False
    return None if None in branches else sure == 1


def _properties(views: Views, view: View, value: Mapping[str, Any], depth: int) -> list[bool | None]:
    named, rest = view.children("properties"), view.child("additionalProperties")
    found = [accepts(views, views.of(named[key]), item, depth + 1) for key, item in value.items() if key in named]
    if rest is not None and set(value) - set(named):
        if view.data.get("patternProperties"):
            found.append(None)
        else:
            found += [accepts(views, views.of(rest), value[key], depth + 1) for key in value if key not in named]
    return found
