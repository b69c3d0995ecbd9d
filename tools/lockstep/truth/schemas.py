"""A schema of a contract as one JSON Schema 2020-12 that stands alone: any validator can judge a value by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lockstep.core.contract.contract import Contract, ContractKind, Node
from lockstep.core.errors import UsageError


class Side(StrEnum):
    """Who a body is for; the value is the keyword of properties that are not in it."""

    REQUEST = "readOnly"
    ANSWER = "writeOnly"


# What judges a value by itself. https://json-schema.org/draft/2020-12/json-schema-validation
_COPIED = {"type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"}
_COPIED |= {"maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains"}
_COPIED |= {"maxProperties", "minProperties", "required", "dependentRequired", "format", "example", "examples"}
# Schemas of values that lie inside, and schemas that judge the same value once more.
_INSIDE = {"items", "additionalProperties", "unevaluatedItems", "unevaluatedProperties", "contains", "propertyNames"}
_INSIDE_BY_NAME = {"properties", "patternProperties", "prefixItems"}
_AGAIN = {"not", "if", "then", "else"}
_AGAIN_EACH = {"allOf", "anyOf", "oneOf", "dependentSchemas"}
_UNKNOWN = {"$dynamicRef", "$recursiveRef"}


def standing_schema(contract: Contract, node: Node, side: Side, *, is_closed: bool) -> Any:
    """The schema at a node, with all that it refers to below `$defs`.

    Args:
        contract: Where the node stands.
        node: A schema.
        side: Whose body it describes: what the other side alone may send is not required.
        is_closed: Whether an object has no field but those that it names, unless it says otherwise itself.

    Raises:
        UsageError: it uses what cannot be resolved here, a `$dynamicRef`.
    """
    maker = _Maker(contract, side, is_closed)
    made = maker.value(node)
    return {**made, "$defs": maker.definitions} if isinstance(made, dict) else made


@dataclass
class _Maker:
    contract: Contract
    side: Side
    is_closed: bool
    definitions: dict[str, Any] = field(default_factory=dict)
    names: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)

    def value(self, node: Node) -> Any:
        """The schema of a whole value; closing it here leaves the parts of an allOf open to each other's fields."""
        made = self.part(node)
        if self.is_closed and isinstance(made, dict) and self._names_fields(node, set()):
            return {"unevaluatedProperties": False, **made}
        return made

    def part(self, node: Node) -> Any:
        """The schema of a value, or one of several that judge the same value."""
        if not isinstance(node.value, dict):
            return node.value
        made: dict[str, Any] = {}
        if unknown := _UNKNOWN & node.value.keys():
            where = f"{node.file}#/{'/'.join(node.pointer)}"
            raise UsageError(f"{min(unknown)} cannot be judged here", where=where, fix="use $ref")
        if isinstance(reference := node.value.get("$ref"), str):
            made["$ref"] = self._reference(self.contract.target(node, reference))
            if self.contract.kind == ContractKind.OPENAPI_30:
                return made  # OpenAPI 3.0.3, reference object: what stands beside $ref is ignored
        for key, below in node.items():
            if key in _COPIED:
                made[key] = below.value
            elif key in _INSIDE:
                made[key] = self.value(below)
            elif key in _AGAIN:
                made[key] = self.part(below)
            elif key in _INSIDE_BY_NAME or key in _AGAIN_EACH:
                make = self.value if key in _INSIDE_BY_NAME else self.part
                each = {name: make(one) for name, one in below.items()}
                made[key] = each if isinstance(below.value, dict) else list(each.values())
        return self._as_2020(made, node)

    def _reference(self, target: Node) -> str:
        place = target.file, target.pointer
        if place not in self.names:
            self.names[place] = name = f"s{len(self.names)}"
            self.definitions[name] = self.part(target)  # it may lead back here
        return f"#/$defs/{self.names[place]}"

    def _as_2020(self, made: dict[str, Any], node: Node) -> dict[str, Any]:
        """The schema without what the other side alone sends, and with OpenAPI 3.0's words put in those of 2020-12."""
        if isinstance(made.get("required"), list):
            made["required"] = [name for name in made["required"] if not self._is_other_side(node, name)]
        if self.contract.kind != ContractKind.OPENAPI_30:
            return made
        for bound in ("Minimum", "Maximum"):
            if isinstance(is_exclusive := made.pop(f"exclusive{bound}", False), bool) and is_exclusive:
                made[f"exclusive{bound}"] = made.pop(bound.lower(), None)
        if node.value.get("nullable") is True and isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        return made

    def _is_other_side(self, node: Node, name: str) -> bool:
        found = node.get("properties", name)
        value = self.contract.resolve(found).value if found else None
        return isinstance(value, dict) and value.get(self.side.value) is True

    def _names_fields(self, node: Node, seen: set[tuple[str, tuple[str, ...]]]) -> bool:
        """Whether it lists properties, itself or in a part: an object without a list may have any field."""
        node = self.contract.resolve(node)
        if (node.file, node.pointer) in seen or not isinstance(node.value, dict):
            return False
        seen.add((node.file, node.pointer))
        parts = [part for key in ("allOf", "anyOf", "oneOf") if (found := node.get(key)) for _, part in found.items()]
        return "properties" in node.value or any(self._names_fields(part, seen) for part in parts)
