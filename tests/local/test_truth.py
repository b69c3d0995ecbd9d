"""A false contract and a false use file are caught, by a real schemathesis and over real connections."""

from __future__ import annotations

import copy
import http.client
import json
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from lockstep.core.errors import UsageError
from lockstep.truth.serving import Questions, damaged, try_contract
from lockstep.truth.standing import StandIn
from lockstep.truth.using import read_use

ITEM = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "minLength": 1}}}
PROBLEM = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
BINARY = {"schema": {"type": "string", "format": "binary"}}


def answer(schema: dict) -> dict:
    header = {"x-made-by": {"required": True, "schema": {"type": "string"}}}
    return {"description": "an answer", "headers": header, "content": {"application/json": {"schema": schema}}}


TRUE = {
    "openapi": "3.1.0",
    "info": {"title": "stock", "version": "1.0.0"},
    "paths": {
        "/items": {
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": ITEM}}},
                "responses": {"200": answer(ITEM), "422": answer(PROBLEM)},
            },
        },
        "/pictures": {
            "post": {
                "requestBody": {"required": True, "content": {"image/png": BINARY}},
                "responses": {"200": answer(ITEM), "422": answer(PROBLEM)},
            },
        },
    },
}


class Stock(BaseHTTPRequestHandler):
    """Keeps TRUE."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.path == "/pictures":
            self.say(200, {"name": "whole"}) if body == b"\x89PNG whole" else self.say(422, {"error": "broken"})
            return
        if not self.path.startswith("/items"):
            self.say(404, {"error": "no such path"})
            return
        try:
            item = json.loads(body)
        except ValueError:
            item = None
        is_item = isinstance(item, dict) and isinstance(item.get("name"), str) and item["name"]
        self.say(200, {"name": item["name"]}) if is_item else self.say(422, {"error": "not an item"})

    def other(self) -> None:
        is_known = self.path.startswith(("/items", "/pictures"))
        self.close_connection = True
        self.say(405 if is_known else 404, {"error": "no"})

    def say(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"content-type": "application/json", "x-made-by": "stock", "allow": "POST"}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    do_GET = do_PUT = do_DELETE = do_OPTIONS = do_HEAD = do_PATCH = do_TRACE = do_QUERY = other  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def stock() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stock)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def tried(contract: dict, url: str, folder: Path) -> list[str]:
    """The faults of a component against a contract."""
    path = folder / "openapi.yaml"
    path.write_text(yaml.safe_dump(contract))
    (folder / "trial").mkdir()
    bodies = {"image/png": damaged(b"\x89PNG whole")}
    trial = try_contract(path, url, folder / "trial", Questions(examples=3, bodies=bodies))
    assert trial.asked > 20
    return list(trial.faults)


@pytest.mark.timeout(300)  # seconds of work, on a machine that may be busy
def test_component_that_keeps_its_contract_has_no_fault(stock, tmp_path):
    assert tried(TRUE, stock, tmp_path) == []


REQUEST = ("requestBody", "content", "application/json", "schema")
LIES: dict[str, tuple[tuple[str, ...], object, str]] = {
    "field": (("responses", "200", "content", "application/json", "schema", "required"), ["id"], "violates schema"),
    "status": (("responses",), {"200": answer(ITEM)}, "Undocumented status code"),
    "header": (("responses", "200", "headers", "x-cost"), {"required": True, "schema": {}}, "Missing required"),
    "media": (("responses", "200", "content"), {"text/csv": {"schema": {}}}, "Undocumented Content-Type"),
    "bound": ((*REQUEST, "properties", "name", "maxLength"), 3, "accepted"),
    "laxer": ((*REQUEST, "required"), [], "rejected"),
    "never": (("responses",), {"404": {"description": "no such path"}}, "was never answered with success"),
}


@pytest.mark.timeout(300)  # seconds of work, on a machine that may be busy
def test_contract_that_is_not_true_is_caught(stock, tmp_path):
    """One operation for each lie, and one that is told truly."""
    contract = {**TRUE, "paths": {"/items": TRUE["paths"]["/items"]}}
    for name, (way, value, _) in LIES.items():
        operation = here = json.loads(json.dumps(TRUE["paths"]["/items"]["post"]))  # no part of it is shared
        for key in way[:-1]:
            here = here[key]
        here[way[-1]] = value
        contract["paths"][f"/items/{name}" if name != "never" else "/never"] = {"post": operation}

    found = tried(contract, stock, tmp_path)

    for name, (_, _, fault) in LIES.items():
        assert [one for one in found if f"/{name}: " in one and fault in one], (name, found)
    assert [one for one in found if "/items: " in one] == []


def ask(url: str, path: str, body: object) -> object:
    """What a consumer may do with a callee: the answer's JSON."""
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"content-type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as got:
        return json.load(got)


@pytest.fixture
def use(tmp_path):
    document = copy.deepcopy(TRUE)
    del document["paths"]["/pictures"]
    (tmp_path / "stock.yaml").write_text(yaml.safe_dump(document))
    return read_use(tmp_path / "stock.yaml")


def test_consumer_that_keeps_to_its_use_file_has_no_fault(use):
    with StandIn(use) as stock:
        assert ask(stock.url, "/items", {"name": "bolt"}) == {"name": "x"}

    assert stock.faults() == []


def test_consumer_that_sends_more_than_its_use_file_has_is_caught(use):
    with StandIn(use) as stock:
        ask(stock.url, "/items", {"name": "bolt", "colour": "red"})

    assert "a field that the use file does not have" in stock.faults()[0]


def test_consumer_that_reads_what_it_was_not_promised_fails_before_the_stand_in(use):
    with StandIn(use) as stock, pytest.raises(KeyError, match="price"):
        ask(stock.url, "/items", {"name": "bolt"})["price"]  # type: ignore[index]


def test_call_outside_the_use_file_is_a_fault_and_so_is_an_operation_that_nobody_asks(use):
    with StandIn(use) as stock, pytest.raises(OSError, match="404"):
        ask(stock.url, "/orders", {})

    assert stock.faults() == [
        "POST /orders: is not in the use file",
        "POST /items: is in the use file, and nobody asked it",
    ]


def test_body_in_chunks_is_read(use):
    with StandIn(use) as stock:
        connection = http.client.HTTPConnection(stock.url.removeprefix("http://"), timeout=20)
        parts = iter([b'{"name": ', b'"bolt"}'])
        connection.request("POST", "/items", parts, {"content-type": "application/json"}, encode_chunked=True)
        assert connection.getresponse().status == 200
        connection.close()

    assert stock.exchanges[0].request.body == b'{"name": "bolt"}'
    assert stock.faults() == []


def test_stand_in_answers_the_refusal_that_it_is_told(use):
    with StandIn(use, {"POST /items": 422}) as stock, pytest.raises(OSError, match="422"):
        ask(stock.url, "/items", {"name": "bolt"})

    with pytest.raises(UsageError, match="has no answer 500"):
        StandIn(use, {"POST /items": 500})
