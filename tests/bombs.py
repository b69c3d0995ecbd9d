"""Contracts that are meant to hurt, by name. Run as a program it judges one of them against itself within limits of
processor and memory that the kernel keeps, and prints what came of it: `python bombs.py NAME`.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from typing import Any

CPU_SECONDS = 60  # what needs a minute grows too fast; on an idle machine each takes a few seconds at most
MEMORY = 1 << 30
DEEP, LONG, MANY = 10_000, 1_000_000, 100_000
Made = Callable[[], str | bytes]


def _dumped(value: Any) -> Made:
    return lambda: json.dumps(value)


def _nested(word: str, levels: int, *, in_list: bool) -> Made:
    before, after = (f'{{"{word}":[', "]}") if in_list else (f'{{"{word}":', "}")
    return lambda: before * levels + '{"type":"string"}' + after * levels


def _refs(count: int, step: Callable[[str], Any]) -> Made:
    """Definitions that each refer to the next."""
    named = {f"d{i}": step(f"#/$defs/d{i + 1}") for i in range(count)}
    return lambda: json.dumps({"$ref": "#/$defs/d0", "$defs": {**named, f"d{count}": {"type": "string"}}})


def _laughs(levels: int) -> str:
    lines = (f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, levels))
    return "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(lines)


def _merges(levels: int) -> str:
    lines = (f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}], n{i}: 1}}\n" for i in range(1, levels))
    return "a0: &a0 {k: 1}\n" + "".join(lines)


def _ref(reference: str) -> Any:
    return {"$ref": reference}


# What is refused, and the words that say why.
REFUSED: dict[str, tuple[Made, str]] = {
    "lists of YAML in one another": (lambda: "a: " + "[" * DEEP, "nested more than 200 deep"),
    "mappings of YAML in one another": (lambda: "a: " + "{a: " * DEEP, "nested more than 200 deep"),
    "blocks of YAML in one another": (lambda: "\n".join(" " * i + "a:" for i in range(2000)), "nested more than 200"),
    "lists of JSON in one another": (lambda: "[" * DEEP + "]" * DEEP, "nested more deeply than can be read"),
    "allOf in allOf, 10,000 times": (_nested("allOf", DEEP, in_list=True), "nested more deeply than can be read"),
    "allOf in allOf, 150 times": (_nested("allOf", 150, in_list=True), "nested 301 deep; at most 200"),
    "a billion laughs": (lambda: _laughs(12), "more than 1,000,000 values of YAML, aliases written out"),
    "merges of merges": (lambda: _merges(40), "more than 1,000,000 values of YAML, aliases written out"),
    "50 MB": (lambda: '{"description":"' + "v" * 50 * LONG + '"}', "50,000,018 bytes; a contract has at most"),
    "ten million values of JSON": (lambda: '{"enum":[' + "0," * 10 * LONG + "0]}", "more than 3,000,000 values"),
    "many values of YAML": (lambda: "a:\n" + "- {}\n" * 2 * LONG, "more than 1,000,000 values"),
    "a million digits in JSON": (
        lambda: '{"maximum": ' + "9" * LONG + "}",
        "a number of 1,000,000 digits; at most 300",
    ),
    "a million digits in YAML": (lambda: "maximum: " + "9" * LONG, "a number of 1,000,000 characters; at most 300"),
    "a chain of references": (_refs(DEEP, _ref), "leads through more than 200 references"),
    "a hundred thousand wrong references": (
        _dumped({"allOf": [_ref(f"#/x{i}") for i in range(MANY)]}),
        "`#/x0` leads nowhere: there is no `x0` (and 99,980 more references are wrong)",
    ),
    "a reference of a megabyte": (_dumped(_ref("#" + "/a" * (LONG // 2))), "leads nowhere: there is no `a`"),
}

# What is judged: against itself it holds, or is reported as undecided; it never takes long.
JUDGED: dict[str, Made] = {
    "allOf in allOf, 98 times": _nested("allOf", 98, in_list=True),
    "oneOf in oneOf, 98 times": _nested("oneOf", 98, in_list=True),
    "anyOf in anyOf, 98 times": _nested("anyOf", 98, in_list=True),
    "not in not, 190 times": _nested("not", 190, in_list=False),
    "items in items, 190 times": _nested("items", 190, in_list=False),
    "additional properties, 190 times": _nested("additionalProperties", 190, in_list=False),
    "a fan of allOf: 2^60 paths": _refs(60, lambda name: {"allOf": [_ref(name), _ref(name)]}),
    "a fan of anyOf: 2^60 paths": _refs(60, lambda name: {"anyOf": [_ref(name), {"items": _ref(name)}]}),
    "a fan of oneOf: 2^60 paths": _refs(60, lambda name: {"oneOf": [_ref(name), {"not": _ref(name)}]}),
    "a fan of properties: 2^500 paths": _refs(500, lambda name: {"properties": {"a": _ref(name), "b": _ref(name)}}),
    "a chain of allOf, 2,000 long": _refs(2000, lambda name: {"allOf": [_ref(name)]}),
    "a chain of items, 2,000 long": _refs(2000, lambda name: {"items": _ref(name)}),
    "a ring through allOf": _dumped({"$defs": {"a": {"allOf": [_ref("#/$defs/a")]}}, **_ref("#/$defs/a")}),
    "a ring through not": _dumped({"$defs": {"a": {"not": _ref("#/$defs/a")}}, **_ref("#/$defs/a")}),
    "a ring through anyOf of two": _dumped(
        {"$defs": {"a": {"anyOf": [_ref("#/$defs/b")]}, "b": {"anyOf": [_ref("#/$defs/a")]}}, **_ref("#/$defs/a")}
    ),
    "a schema in itself": _dumped({"properties": {"a": _ref("#"), "b": {"items": _ref("#")}}}),
    "100,000 words to choose from": _dumped({"enum": [f"v{i}" for i in range(MANY)]}),
    "100,000 mappings to choose from": _dumped({"enum": [{"v": i} for i in range(MANY)]}),
    "100,000 branches": _dumped({"oneOf": [{"const": i} for i in range(MANY)]}),
    "30,000 properties": _dumped({"properties": {f"p{i}": {"type": "string"} for i in range(30_000)}}),
    "30,000 required properties": _dumped({"required": [f"p{i}" for i in range(30_000)]}),
    "100,000 anchors of one name": _dumped(
        {"$defs": {f"d{i}": {"$anchor": "same"} for i in range(MANY)}, **_ref("#same")}
    ),
    "a pattern that never ends": _dumped({"pattern": "^(a+)+$", "enum": ["a" * 60 + "!"], "const": "a" * 60 + "!"}),
    "a name that never matches": _dumped(
        {
            "patternProperties": {"^(a+)+$": {"type": "string"}},
            "required": ["a" * 60 + "!"],
            "additionalProperties": False,
        }
    ),
    "a name of a megabyte": _dumped({"properties": {"k" * LONG: {"type": "string"}}}),
    "a text of 30 MB": lambda: '{"description":"' + "v" * 30 * LONG + '"}',
}


def main() -> None:
    """Prints `error`, where, what and how to mend it, or `judged` and how many findings, each as JSON."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from lockstep.core.contract.contract import parse_contract  # noqa: PLC0415 - within the limits
    from lockstep.core.contract.satisfies import satisfies  # noqa: PLC0415
    from lockstep.core.document import InvalidDocument  # noqa: PLC0415
    from lockstep.core.errors import Refused  # noqa: PLC0415

    made = REFUSED[sys.argv[1]][0] if sys.argv[1] in REFUSED else JUDGED[sys.argv[1]]
    text = made()
    data = text.encode() if isinstance(text, str) else text
    try:
        sides = [parse_contract({name: data}, name) for name in ("provider.yaml", "needed.yaml")]
        said = ["judged", sorted({one.rule for one in satisfies(*sides)})]
    except InvalidDocument as error:
        said = ["error", error.where, str(error), error.fix]
    except Refused as error:
        first = error.findings[0]
        said = ["error", first.where, first.what, first.fix]
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
