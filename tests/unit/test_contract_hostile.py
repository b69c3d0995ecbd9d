"""Files that are no contracts, or broken ones: each ends with what is wrong, file:line, and what to do."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from lockstep.core.contract.contract import parse_contract, referenced
from lockstep.core.contract.satisfies import satisfies
from lockstep.core.document import InvalidDocument
from lockstep.core.errors import LockstepError, Refused

# What a file says, then the line and the words of the answer.
BROKEN: dict[str, tuple[bytes | str, int, str]] = {
    "empty": ("", 1, "the file is empty"),
    "blanks": (" \n\n", 1, "the file is empty"),
    "a byte order mark alone": (b"\xef\xbb\xbf", 1, "the file is empty"),
    "a comment alone": ("# nothing\n", 1, "the file is empty"),
    "a list": ("- a\n", 1, "it is no mapping"),
    "a number": ("7", 1, "it is no mapping"),
    "Latin-1": (b"type: string\ntitle: caf\xe9\n", 2, "not UTF-8"),
    "UTF-16": ('{"type": "string"}'.encode("utf-16"), 1, "not UTF-8"),
    "UTF-32 without a mark": ('{"type": "string"}'.encode("utf-32-le"), 1, "not valid"),
    "a null byte in YAML": ("type: string\ntitle: a\x00b\n", 2, "control characters are not allowed"),
    "a null byte in JSON": ('{\n"title": "a\x00b"}', 2, "not valid JSON: Invalid control character"),
    "half a surrogate pair": (r'{"title": "\ud800"}', 1, "half of a surrogate pair"),
    "a key twice in YAML": ("type: string\ntitle: a\ntype: integer\n", 3, "duplicate key `type`"),
    "a key twice in JSON": ('{"a": {"b": 1,\n"c": [1],\n"b": 2}}', 3, "duplicate key `b`"),
    "a key twice, written twice": (r'{"a": 1,' + "\n" + r'"\u0061": 2}', 2, "duplicate key `a`"),
    "a key as number and as text": ('200: a\n"200": b\n', 2, "duplicate key `200`"),
    "a key that is a list": ("a: 1\n? [b]\n: 1\n", 2, "a key that is not a word"),
    "a key that is a mapping": ("a: 1\n? {b: c}\n: 1\n", 2, "a key that is not a word"),
    "NaN": ('{"maximum": NaN}', 1, "`NaN` is no number of JSON"),
    "infinity": ('{"maximum": -Infinity}', 1, "`-Infinity` is no number of JSON"),
    "NaN in YAML": ("type: number\nmaximum: .nan\n", 2, "`.nan` is no number of JSON"),
    "infinity in YAML": ("type: number\nmaximum: -.inf\n", 2, "`-.inf` is no number of JSON"),
    "a number beyond all": ('{"maximum": 1e999}', 1, "the number 1e999"),
    "a number beyond all in YAML": ("a: 1\nmaximum: 1e999", 2, "the number 1e999 is too large"),
    "several documents": ("type: string\n---\ntype: integer\n", 2, "several YAML documents"),
    "a tag that runs something": ("a: 1\nb: !!python/object/apply:os.system [id]\n", 2, "a YAML tag"),
    "a tag of binary data": ("a: !!binary aGk=\n", 1, "a YAML tag"),
    "an alias of nothing": ("a: 1\nb: *c\n", 2, "the alias `*c` stands for nothing before it"),
    "an alias of itself": ("a: &a [*a]\n", 1, "the alias `*a` stands for nothing before it"),
    "a merge of no mapping": ("a: 1\n<<: 7\n", 2, "`<<` merges something that is no mapping"),
    "no YAML": ("a: [1\nb: 2\n", 2, "not valid YAML"),
    "a tab in YAML": ("a:\n\tb: 1\n", 2, "not valid YAML"),
    "OpenAPI 2": ('swagger: "2.0"\n', 1, "OpenAPI 2.0 is not supported"),
    "OpenAPI 4": ("openapi: 4.0.0\n", 1, "OpenAPI 4.0.0 is not supported"),
    "OpenAPI of nothing": ("openapi:\n", 1, "OpenAPI None is not supported"),
    "OpenAPI of a list": ("openapi: [3, 1]\n", 1, "is not supported"),
}
REFERENCES = {
    "/etc/passwd": "names the file /etc/passwd, which is not there",
    "file:///etc/passwd": "is on another host",
    "../../../outside.json": "which is not there",
    "http://example.org/a.json": "is on another host",
    "//example.org/a.json": "is on another host",
    "#/b/none": "there is no `none`",
    "#nobody": "names the anchor `nobody`, which is not there",
    "#/allOf/1": "there is no `1`",
    "#/allOf/01": "there is no `01`",
    "#/allOf/-": "there is no `-`",
    "#/allOf/²": "there is no `²`",
    "#/allOf/" + "9" * 9999: "there is no `999",
    "#/%zz": "there is no `%zz`",
    "#/b": "leads back to itself",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_says_what_where_and_what_to_do(name: str) -> None:
    said, line, words = BROKEN[name]
    data = said.encode() if isinstance(said, str) else said
    path = "c/a.json" if said[:1] in ("{", b"{") else "c/a.yaml"

    with pytest.raises(InvalidDocument) as caught:
        parse_contract({path: data}, path)

    assert caught.value.where == f"{path}:{line}"
    assert words in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_that_leads_nowhere_is_named_with_its_line(reference: str) -> None:
    text = json.dumps({"allOf": [{}], "b": {"$ref": reference}}, indent=1)

    with pytest.raises(Refused) as caught:
        parse_contract({"c/a.json": text.encode()}, "c/a.json")

    (finding,) = caught.value.findings
    assert finding.where == "c/a.json:6"
    assert REFERENCES[reference] in finding.what
    assert len(finding.what) < 400
    assert finding.fix


def test_a_reference_below_a_nested_id_is_not_guessed() -> None:
    text = '{"$id": "a", "$defs": {"a": {"$id": "b", "items": {"$ref": "#/c"}, "c": true}}, "c": false}'

    with pytest.raises(Refused) as caught:
        parse_contract({"a.json": text.encode()}, "a.json")

    assert "below a nested `$id`" in caught.value.findings[0].what


def test_what_a_file_refers_to_is_named_and_never_read() -> None:
    text = json.dumps({"allOf": [{"$ref": name} for name in ("b.json", "../x/c.yaml#/d", "#", "http://example.org/e")]})

    assert referenced(text.encode(), "k/a.json") == ("k/b.json", "x/c.yaml")


def test_tabs_in_json_are_fine_and_lines_are_found() -> None:
    text = '{\n\t"type": "object",\n\t"properties": {\n\t\t"a": [\n\t\t\t1,\n\t\t\t{"b": 2}\n\t\t]\n\t}\n}'
    contract = parse_contract({"a.json": text.encode()}, "a.json")

    found = contract.lines({"a.json": [("properties",), ("properties", "a", "1", "b"), ("properties", "a", "9")]})

    assert sorted(found.values()) == [3, 4, 6]


DOCUMENT = """openapi: OPENAPI
info: {title: t, version: "1"}
servers: [{url: "https://example.org/v1"}]
security: [{key: []}]
tags: [{name: a}]
paths:
  /a/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
    post:
      operationId: make
      deprecated: false
      parameters:
        - name: limit
          in: query
          required: false
          style: form
          explode: true
          schema: {type: integer, minimum: 0, default: 3, enum: [1, 3]}
        - $ref: '#/components/parameters/P'
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: '#/components/schemas/S'}
            encoding: {a: {contentType: text/plain, headers: {h: {schema: {type: string}}}}}
      responses:
        "200":
          description: fine
          headers: {x-h: {required: true, schema: {type: string, format: uuid}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/S'}}}
          links: {l: {operationId: make}}
        default: {$ref: '#/components/responses/R'}
      callbacks: {c: {'{$request.body#/a}': {post: {responses: {"200": {description: d}}}}}}
      security: [{key: []}, {}]
components:
  parameters: {P: {name: p, in: header, schema: {type: array, items: {type: string}, maxItems: 3}}}
  responses: {R: {description: d, content: {application/json: {schema: {type: object}}}}}
  schemas:
    S:
      type: object
      required: [a]
      properties:
        a: {type: string, minLength: 1, maxLength: 5, pattern: "^a", readOnly: false, nullable: true}
        b: {type: array, items: {$ref: '#/components/schemas/S'}, uniqueItems: true}
        c: {oneOf: [{$ref: '#/components/schemas/T'}, {type: "null"}], discriminator: {propertyName: k, mapping: {t: '#/components/schemas/T'}}}
        d: {not: {type: string}, deprecated: true}
      additionalProperties: {type: integer, multipleOf: 2}
      dependentRequired: {a: [b]}
      if: {required: [b]}
      then: {minProperties: 1}
    T: {type: object, properties: {k: {const: t}}, required: [k], patternProperties: {"^x-": {type: string}}, x-lockstep: {}}
  securitySchemes: {key: {type: apiKey, name: k, in: header}}
"""  # noqa: E501 - a document as it is written


def _replaced(here: Any, value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The document with one place after the other replaced, and which."""
    for key in here if isinstance(here, dict) else range(len(here)):
        below, name = here[key], (*path, str(key))
        if below != value:
            here[key] = value
            yield "/".join(name), here
            here[key] = below
        if isinstance(below, dict | list):
            yield from _replaced(below, value, name)


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize("value", [None, [], [7], {}, {"a": 7}, 7, 0.5, "text", "", True], ids=repr)
def test_a_wrong_value_at_any_place_is_found_or_refused(value: Any, version: str) -> None:
    """On either side: no other exception than our own, and every finding has a place that exists."""
    text = DOCUMENT.replace("OPENAPI", version)
    right = parse_contract({"right.yaml": text.encode()}, "right.yaml")
    document = copy.deepcopy(right.root.value)
    wrong_places = []
    for place, changed in _replaced(document, value):
        data = json.dumps(changed).encode()
        try:
            wrong = parse_contract({"wrong.yaml": data}, "wrong.yaml")
            found = (*satisfies(wrong, right), *satisfies(right, wrong))
        except LockstepError as error:
            assert str(error)  # noqa: PT017 - one of many
            continue
        except Exception as error:  # noqa: BLE001 - what is looked for
            wrong_places.append(f"{place}: {type(error).__name__}: {error}")
            continue
        lines = {"wrong.yaml": data.count(b"\n") + 1, "right.yaml": text.count("\n")}
        assert all(1 <= end.line <= lines[end.path] for one in found for end in (one.provider, one.needed))
        assert all(one.what and one.fix and re.fullmatch(r"[a-z0-9/-]+", one.rule) for one in found)

    assert wrong_places == []
