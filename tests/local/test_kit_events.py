"""The watcher of the cluster tests: what it records when a watch breaks, ends, or is too old to go on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
import yaml

from kit.api import Api
from kit.events import Watcher
from kit.record import Event

PATH = "/api/v1/namespaces/staging/configmaps"
Line = dict[str, Any]


def item(name: str, version: int, uid: str = "1") -> Line:
    return {"metadata": {"name": name, "resourceVersion": str(version), "uid": uid}}


class Server:
    """An API server that tells a script: lists in turn, and for each watch its lines; `asked` are their versions.

    A watch that ends with None is cut off in the middle of the answer.
    """

    def __init__(self, lists: list[list[Line]], watches: list[list[Line | None]]) -> None:
        self.lists, self.watches, self.asked = lists, watches, []  # type: ignore[var-annotated]
        self.told = threading.Event()
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = parse_qs(urlparse(self.path).query)
                if "watch" not in query:
                    items = script.lists.pop(0)
                    version = str(max([int(one["metadata"]["resourceVersion"]) for one in items], default=1))
                    data = json.dumps({"metadata": {"resourceVersion": version}, "items": items}).encode()
                    self.send_response(200)
                    self.send_header("content-length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                    return
                script.asked.append(int(query["resourceVersion"][0]))
                lines = script.watches.pop(0) if script.watches else []
                self.send_response(200)
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for line in lines:
                    if line is not None:
                        data = json.dumps(line).encode() + b"\n"
                        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()
                if not script.watches and not lines:
                    script.told.set()
                    threading.Event().wait(0.5)
                if not lines or lines[-1] is not None:
                    self.wfile.write(b"0\r\n\r\n")
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Nothing on the console."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Callable[[Server], tuple[Event, ...]]]:
    """What a watcher records of a server's whole script."""
    opened = []

    def record(server: Server) -> tuple[Event, ...]:
        opened.append(server)
        threading.Thread(target=server.http.serve_forever, daemon=True).start()
        place = {"cluster": {"server": f"http://127.0.0.1:{server.http.server_port}"}, "name": "it"}
        access = {"current-context": "it", "clusters": [place], "users": [{"name": "it", "user": {}}]}
        access["contexts"] = [{"name": "it", "context": {"cluster": "it", "user": "it"}}]
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(access), encoding="utf-8")
        with Watcher(Api(tmp_path / "kubeconfig"), {"ConfigMap": PATH}, tmp_path / "events.jsonl") as watcher:
            assert server.told.wait(20)
        return watcher.events

    yield record
    for server in opened:
        server.http.shutdown()
        server.http.server_close()


def said(events: tuple[Event, ...]) -> list[tuple[int, str, str]]:
    return [(event.version, event.change, event.name) for event in events]


def added(name: str, version: int) -> Line:
    return {"type": "ADDED", "object": item(name, version)}


def test_a_watch_that_ends_goes_on_where_it_was(seen: Callable[[Server], tuple[Event, ...]]) -> None:
    server = Server([[item("a", 5)]], [[added("b", 6)], [added("c", 7)]])

    assert said(seen(server)) == [(5, "LISTED", "a"), (6, "ADDED", "b"), (7, "ADDED", "c")]
    assert server.asked[:3] == [5, 6, 7]


def test_a_watch_that_breaks_records_nothing_twice(seen: Callable[[Server], tuple[Event, ...]]) -> None:
    server = Server([[item("a", 5)]], [[added("b", 6), None], [added("c", 7)]])

    assert said(seen(server)) == [(5, "LISTED", "a"), (6, "ADDED", "b"), (7, "ADDED", "c")]
    assert server.asked[:3] == [5, 6, 7]


def test_a_bookmark_moves_the_version_and_records_nothing(seen: Callable[[Server], tuple[Event, ...]]) -> None:
    server = Server([[item("a", 5)]], [[{"type": "BOOKMARK", "object": item("", 9)}]])

    assert said(seen(server)) == [(5, "LISTED", "a")]
    assert server.asked[:2] == [5, 9]


def test_a_version_that_is_too_old_begins_anew_and_what_vanished_is_recorded(
    seen: Callable[[Server], tuple[Event, ...]],
) -> None:
    gone: Line = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}
    server = Server([[item("a", 5), item("b", 4)], [item("b", 8, "2")]], [[gone]])

    assert said(seen(server)) == [
        (5, "LISTED", "a"), (5, "LISTED", "b"), (8, "DELETED", "a"), (8, "LISTED", "b"),
    ]  # fmt: skip
    assert server.asked[:2] == [5, 8]
