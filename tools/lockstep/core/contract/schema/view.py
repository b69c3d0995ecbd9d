"""One schema as both sides are compared: references followed, the spellings of OpenAPI 3.0 and 3.1 made one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lockstep.core.contract.contract import Contract, ContractKind, Node
from lockstep.core.contract.reading import Pointer
from lockstep.core.contract.schema.values import is_number

TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
# Keywords that say nothing about which values are valid.
ANNOTATIONS = frozenset(
    {
        *("title", "description", "default", "deprecated", "example", "examples", "externalDocs", "xml", "$comment"),
        *("$schema", "$id", "$anchor", "$dynamicAnchor", "$vocabulary", "$defs", "definitions", "discriminator"),
        *("contentEncoding", "contentMediaType", "contentSchema"),
    }
)
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
MAPPINGS = ("properties", "patternProperties", "dependentSchemas")
SINGLE = (
    *("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"),
    *("unevaluatedItems", "unevaluatedProperties", "contentSchema"),
)
_ONLY_31 = frozenset(
    {
        *("const", "if", "then", "else", "contains", "minContains", "maxContains", "propertyNames", "prefixItems"),
        *("patternProperties", "dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"),
    }
)
Key = tuple[str, Pointer]


@dataclass(frozen=True)
class View:
    """A schema whose `$ref` has been followed.

    Args:
        node: Where it stands.
        data: Its keywords: `type` left out, bounds as numbers, what is malformed left out.
        types: The types that it allows; None for all.
        is_never: Whether it is `false`: no value is valid.
        malformed: Keywords whose value has no meaning; nothing is known of what they were to say.
        parts: What holds beside `data`: the members of allOf, and the reference where siblings stand beside it.
    """

    node: Node
    data: Mapping[str, Any]
    types: frozenset[str] | None
    is_never: bool
    parts: tuple[Node, ...]
    malformed: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """Its place: the same for every reference to it."""
        return (self.node.file, self.node.pointer)

    def below(self, *keys: str) -> Node | None:
        """What stands below it."""
        return self.node.get(*keys)

    def children(self, keyword: str) -> dict[str, Node]:
        """The schemas of a mapping or list keyword, by name or index."""
        node = self.node.get(keyword)
        return {key: item for key, item in node.items() if is_schema(item.value)} if node else {}

    def child(self, keyword: str) -> Node | None:
        """The schema of a keyword that has one."""
        node = self.node.get(keyword)
        return node if node is not None and is_schema(node.value) else None


def is_schema(value: Any) -> bool:
    """Whether it can be a schema."""
    return isinstance(value, dict | bool)


def references(node: Node) -> list[Node]:
    """The references in a schema that is written in place, in a fixed order; what they lead to is not looked at."""
    found, waiting = [], [(node.value, node.pointer)]
    while waiting:
        value, pointer = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                found.append(Node(value, node.file, pointer))
            waiting += [
                (item, (*pointer, key))
                for key, item in value.items()
                if isinstance(item, dict | list) and key not in _NO_SCHEMAS
            ]
        elif isinstance(value, list):
            waiting += [(item, (*pointer, str(i))) for i, item in enumerate(value) if isinstance(item, dict | list)]
    return sorted(found, key=lambda node: node.pointer)


def are_alike(one: Node, other: Node) -> bool:
    """Whether two values are written alike. Python calls 1 and true equal, so their texts are compared as well."""
    return bool(one.value == other.value) and repr(one.value) == repr(other.value)


def mentions(value: Any, keys: frozenset[str]) -> bool:
    """Whether one of these keys stands anywhere in a value."""
    waiting = [value]
    for item in waiting:
        if isinstance(item, dict):
            if not keys.isdisjoint(item):
                return True
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return False


def is_monotone(node: Node, pointer: Pointer) -> bool | None:
    """Whether a schema takes no more if what stands at a pointer below it takes no more.

    True if what stands there is about a part of the value, False if about the value itself, None if it cannot be said.
    """
    is_below, keys = False, iter(pointer[len(node.pointer) :])
    for key in keys:
        if key in _OF_PARTS:
            is_below = True
            if key in _BY_NAME:
                next(keys, None)
        elif key in {"allOf", "anyOf"}:
            next(keys, None)
        else:
            return None
    return is_below


_OF_PARTS = {"properties", "patternProperties", "items", "additionalProperties", "prefixItems"}
_BY_NAME = {"properties", "patternProperties", "prefixItems"}
_NO_SCHEMAS = {"enum", "const", "default", "example", "examples", "required"}


@dataclass(frozen=True)
class Views:
    """The schemas of one contract, each looked at once.

    Args:
        contract: The contract.
        seen: By place.
        referred: By file and reference, where nothing stands beside the reference.
        leading: The references in a schema, by its place.
    """

    contract: Contract
    seen: dict[Key, View] = field(default_factory=dict)
    referred: dict[tuple[str, str], View] = field(default_factory=dict)
    leading: dict[Key, list[Node]] = field(default_factory=dict)

    def of(self, node: Node) -> View:
        """The schema at a node, its reference followed."""
        value = node.value
        if (
            isinstance(value, dict)
            and isinstance(reference := value.get("$ref"), str)
            and not self._has_siblings(value)
        ):
            words = (node.file, reference)
            if words not in self.referred:
                self.referred[words] = self.of(self.contract.target(node, reference))
            return self.referred[words]
        key = (node.file, node.pointer)
        if key not in self.seen:
            self.seen[key] = self._view(node)
        return self.seen[key]

    def references(self, view: View) -> list[Node]:
        """The references in a schema, in a fixed order; what they lead to is not looked at."""
        if view.key not in self.leading:
            self.leading[view.key] = references(view.node)
        return self.leading[view.key]

    def name(self, node: Node) -> str:
        """Last part of the reference that stands at a node; empty if the schema is written in place."""
        value = node.value
        reference = value.get("$ref") if isinstance(value, dict) else None
        return reference.rpartition("/")[2] if isinstance(reference, str) else ""

    def _has_siblings(self, value: Mapping[str, Any]) -> bool:
        """Whether keywords beside `$ref` count: not in OpenAPI 3.0 (Reference Object), yes since 3.1."""
        if self.contract.kind is ContractKind.OPENAPI_30:
            return False
        return any(key not in ANNOTATIONS and key != "$ref" and not key.startswith("x-") for key in value)

    def _view(self, node: Node) -> View:
        value = node.value
        if not isinstance(value, dict):
            return View(node, {}, None, value is False, ())
        data, types = _keywords(value, self.contract.kind)
        wrong = tuple(sorted(_malformed(value, data, types, self.contract.kind)))
        parts: tuple[Node, ...] = ()
        if isinstance(value.get("$ref"), str) and self._has_siblings(value):
            parts = (self.contract.target(node, value["$ref"]),)
        members = value.get("allOf")
        if isinstance(members, list):
            parts += tuple(
                Node(item, node.file, (*node.pointer, "allOf", str(index)))
                for index, item in enumerate(members)
                if is_schema(item)
            )
        return View(node, data, types, is_never=False, parts=parts, malformed=wrong)


def _keywords(value: Mapping[str, Any], kind: ContractKind) -> tuple[dict[str, Any], frozenset[str] | None]:
    is_old = kind is ContractKind.OPENAPI_30
    data = {
        key: item
        for key, item in value.items()
        if key not in {"type", "nullable", "$ref"} and not (is_old and key in _ONLY_31)
    }
    said = value.get("type")
    types = frozenset([said] if isinstance(said, str) else said if isinstance(said, list) else ()) & TYPES
    if is_old and value.get("nullable") is True and types:
        types |= {"null"}
    if is_old:
        _exclusive(data, "exclusiveMinimum", "minimum")
        _exclusive(data, "exclusiveMaximum", "maximum")
    for keyword in _NUMBERS:
        if keyword in data and not is_number(data[keyword]):
            del data[keyword]
    for keyword, expected in _EXPECTED.items():
        if keyword in data and not isinstance(data[keyword], expected):
            del data[keyword]
    return data, types or None


def _malformed(
    value: Mapping[str, Any], data: Mapping[str, Any], types: frozenset[str] | None, kind: ContractKind
) -> Iterator[str]:
    """Keywords that were left out though they are of this kind of contract."""
    is_old = kind is ContractKind.OPENAPI_30
    for key in value:
        is_known = key in {*_NUMBERS, *_EXPECTED} and not (is_old and key in {*_ONLY_31, *_BOOLEAN})
        is_excluded = key in _EXCLUDED and is_number(value[key])  # it was made the exclusive bound
        if is_known and key not in data and not is_excluded:
            yield key
    if "type" in value and (types is None or not _are_types(value["type"])):
        yield "type"
    if "allOf" in data and not all(is_schema(item) for item in data["allOf"]):
        yield "allOf"


def _are_types(said: Any) -> bool:
    return said in TYPES if isinstance(said, str) else isinstance(said, list) and all(one in TYPES for one in said)


_EXCLUDED = ("minimum", "maximum")
_BOOLEAN = ("exclusiveMinimum", "exclusiveMaximum")
_NUMBERS = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
    *("minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"),
)
_EXPECTED: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("enum", "required", *LISTS), list),
    **dict.fromkeys((*MAPPINGS, "dependentRequired"), dict),
    **dict.fromkeys(SINGLE, (dict, bool)),
    **dict.fromkeys(("pattern", "format"), str),
    **dict.fromkeys(("uniqueItems", "readOnly", "writeOnly"), bool),
}


def _exclusive(data: dict[str, Any], keyword: str, bound: str) -> None:
    """OpenAPI 3.0: true makes the bound beside it exclusive (JSON Schema draft 5, section 5.1)."""
    if data.get(keyword) is True and bound in data:
        data[keyword] = data.pop(bound)
    elif isinstance(data.get(keyword), bool):
        del data[keyword]
