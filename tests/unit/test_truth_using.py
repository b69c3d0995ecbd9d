"""What a consumer sends against its use file, and the answers that it may count on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lockstep.core.contract.contract import parse_contract
from lockstep.core.errors import UsageError
from lockstep.truth.messages import Exchange, Message
from lockstep.truth.using import Use, read_use

USE = """
openapi: 3.1.0
info: {title: what shop needs of stock, version: 1.0.0}
paths:
  /items/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer}}
    get:
      parameters:
        - {name: unit, in: query, schema: {type: string, enum: [kg, piece]}}
        - {name: tag, in: query, schema: {type: array, items: {type: integer}}}
        - {name: X-Shop, in: header, required: true, schema: {type: string, minLength: 2}}
        - {name: session, in: cookie, schema: {type: integer}}
      responses:
        '200':
          description: the item
          content: {application/json: {schema: {$ref: '#/components/schemas/Item'}}}
        '404': {description: none}
  /items:
    post:
      requestBody: {$ref: '#/components/requestBodies/Item'}
      responses: {'204': {description: kept}}
components:
  requestBodies:
    Item:
      required: true
      content:
        application/json: {schema: {$ref: '#/components/schemas/Item'}}
        image/*: {schema: {type: string, format: binary}}
  schemas:
    Item:
      allOf:
        - {$ref: '#/components/schemas/Named'}
        - type: object
          required: [count]
          properties: {count: {type: integer, minimum: 1}, of: {$ref: '#/components/schemas/Item'}}
      properties:
        labels: {type: object}
        number: {type: integer, readOnly: true}
      required: [number]
    Named: {type: object, required: [name], properties: {name: {type: string}}}
"""
SHOP = {"x-shop": "ab"}
JSON = {"content-type": "application/json; charset=utf-8"}
ITEM = {"name": "bolt", "count": 2}


def use(text: str = USE) -> Use:
    return Use(parse_contract({"use.yaml": text.encode()}, "use.yaml"))


def get(target: str, headers: dict[str, str] = SHOP, status: int = 200) -> Exchange:
    return Exchange("GET", target, Message(headers), status)


def post(body: object, headers: dict[str, str] = JSON) -> Exchange:
    return Exchange("POST", "/items", Message(headers, body if isinstance(body, bytes) else json.dumps(body).encode()))


@pytest.mark.parametrize(
    "exchange",
    [
        get("/items/7"),
        get("/items/7?unit=kg&tag=1&tag=2"),
        get("/items/7?tag=1,2", {**SHOP, "cookie": "session=9", "accept": "*/*"}),
        post(ITEM),
        post({**ITEM, "labels": {"anything": 1}, "of": ITEM, "number": 4}),
        post(b"\x89PNG", {"content-type": "image/png"}),
    ],
)
def test_request_of_the_use_file_has_no_fault(exchange):
    assert use().request_faults(exchange) == []


@pytest.mark.parametrize(
    ("exchange", "fault"),
    [
        (get("/items"), "GET /items: is not in the use file"),
        (get("/items/7/parts"), "is not in the use file"),
        (get("/items/seven"), "path parameter `id`: 'seven' is not of type 'integer'"),
        (get("/items/7?unit=mile"), "query parameter `unit`: 'mile' is not one of"),
        (get("/items/7?tag=1&tag=x"), "query parameter `tag`[1]: 'x' is not of type 'integer'"),
        (get("/items/7?verbose=1"), "the query parameter `verbose` is not in the use file"),
        (get("/items/7", {}), "the header parameter `X-Shop` is missing"),
        (get("/items/7", {"x-shop": "a"}), "header parameter `X-Shop`: 'a' is too short"),
        (get("/items/7", {**SHOP, "cookie": "session=x"}), "cookie parameter `session`"),
        (Exchange("GET", "/items/7", Message(SHOP, b"x")), "a body was sent, and the use file has none"),
        (post({**ITEM, "colour": "red"}), "body: a field that the use file does not have"),
        (post({**ITEM, "of": {**ITEM, "colour": "red"}}), "body.of: a field that the use file does not have"),
        (post({"name": "bolt"}), "body: 'count' is a required property"),
        (post({**ITEM, "count": 0}), "body.count: 0 is less than the minimum"),
        (post(b"{"), "the body is not JSON"),
        (
            post(ITEM, {"content-type": "text/csv"}),
            "the media type is text/csv, the use file has application/json, image/*",
        ),
        (post(b"x", {}), "the media type is missing"),
        (post(b"", {}), "the body is missing"),
    ],
)
def test_request_that_the_use_file_does_not_describe_is_a_fault(exchange, fault):
    found = use().request_faults(exchange)

    assert len(found) == 1
    assert fault in found[0]


def test_operation_that_nobody_asked_is_named():
    assert use().unused([get("/items/7")]) == ["POST /items: is in the use file, and nobody asked it"]
    assert use().unused([get("/items/7"), post(ITEM)]) == []


def test_what_every_instance_owes_may_be_asked_of_any():
    assert use().faults([get("/readyz"), get("/healthz")]) == []
    assert use().faults([get("/metrics")]) == ["GET /metrics: is not in the use file"]


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, {**ITEM, "number": 4, "more": True}, ""),
        (200, ITEM, "'number' is a required property"),
        (200, {**ITEM, "number": "4"}, "body.number: '4' is not of type 'integer'"),
        (202, ITEM, "was answered 202, which is not in the use file"),
        (404, {}, ""),
        (500, {}, ""),
    ],
)
def test_answer_must_hold_what_the_use_file_counts_on(status, body, fault):
    exchange = Exchange("GET", "/items/7", Message(SHOP), status, Message(JSON, json.dumps(body).encode()))

    found = use().answer_faults(exchange)

    assert [fault in one for one in found] == ([True] if fault else [])


def test_least_answer_has_the_required_fields_alone():
    stock = use()
    answers = {str(one): stock.lean_answer(one) for one in stock.operations()}

    status, message = answers["GET /items/{id}"]
    assert (status, message.media) == (200, "application/json")
    assert json.loads(message.body) == {"name": "", "count": 1, "number": 0}
    assert answers["POST /items"] == (204, Message({}))


def test_answer_that_the_use_file_does_not_have_cannot_be_asked_for():
    with pytest.raises(UsageError, match=r"GET /items/\{id\} has no answer 500"):
        use().lean_answer(use().operations()[1], 500)


def test_use_file_of_openapi_3_0_is_read_as_it_means():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "nullable": True}},
        "additionalProperties": False,
    }
    schema["properties"]["b"] = {"type": "number", "minimum": 0, "exclusiveMinimum": True}
    body = {"content": {"application/json": {"schema": schema}}}
    text = yaml.safe_dump({"openapi": "3.0.3", "info": {}, "paths": {"/items": {"post": {"requestBody": body}}}})

    assert use(text).request_faults(post({"a": None, "b": 0.1})) == []
    assert "less than or equal to the minimum" in use(text).request_faults(post({"b": 0}))[0]


def test_use_file_may_refer_to_files_beside_it(tmp_path: Path):
    (tmp_path / "uses").mkdir()
    (tmp_path / "shared.yaml").write_text("Item: {type: object, properties: {name: {type: string}}}")
    schema = {"$ref": "../shared.yaml#/Item"}
    body = {"content": {"application/json": {"schema": schema}}}
    document = {"openapi": "3.1.0", "info": {}, "paths": {"/items": {"post": {"requestBody": body}}}}
    (tmp_path / "uses/stock.yaml").write_text(yaml.safe_dump(document))

    stock = read_use(tmp_path / "uses/stock.yaml")

    assert stock.request_faults(post({"name": "bolt"})) == []
    assert "a field that the use file does not have" in stock.request_faults(post(ITEM))[0]
