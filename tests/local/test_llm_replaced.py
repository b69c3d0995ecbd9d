"""Another OpenAI-compatible server takes the place of `llm` by an edit of its component.yaml alone."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from demo.local import Local
from demo.scene import Scene, prepare

TOP = Path(__file__).resolve().parents[2]
SENTENCE = "The second server read {count} characters."


class SecondServer(BaseHTTPRequestHandler):
    """A small honest chat-completions server: answers with the length of what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({"object": "list", "data": [{"id": "extractive", "object": "model"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        count = sum(len(message["content"]) for message in asked["messages"])
        message = {"role": "assistant", "content": SENTENCE.format(count=count)}
        self._answer(
            {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        )

    def _answer(self, data: dict) -> None:
        body = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def second_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SecondServer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = prepare(TOP, TOP / ".lockstep" / "test-llm", lambda bundle, _: Local(bundle, "staging"))
    scene.environment = "staging"
    yield scene
    scene.place.stop()


def release_with_hosted_llm(scene: Scene, address: str) -> None:
    """Release 1.0.0 in which `llm` is the server at an address; nothing but its component.yaml is edited."""
    (scene.bundle / "components/llm/component.yaml").write_text(
        "name: llm\ndescription: A hosted model.\nowner: documents-team\nkind: external\n"
        f"address: {address}\ncontract: contract/openapi.yaml\n"
    )
    scene.git("commit", "--quiet", "--all", "--message", "llm: another server")
    scene.git("tag", "v1.0.0")
    scene.lockstep("release", "1.0.0")


@pytest.mark.timeout(300)
def test_another_server_replaces_llm_by_its_component_file_alone(scene: Scene, second_server: str) -> None:
    release_with_hosted_llm(scene, second_server)
    scene.lockstep("stage", "staging", "1.0.0")
    scene.lockstep("promote", "staging", "1.0.0")
    scene.place.start()
    scene.until("1.0.0 is served", lambda: scene.place.served() == "1.0.0")

    page = (scene.bundle / "components/gateway/tests/pages/invoice.png").read_bytes()
    url = scene.place.url() + "/documents"
    with urllib.request.urlopen(
        urllib.request.Request(url, data=page, headers={"content-type": "image/png"})
    ) as response:
        answer = json.load(response)

    assert answer["summary"].startswith("The second server read ")
    assert answer["served_by"]["llm"] == second_server.removeprefix("http://").partition(":")[0]


def test_production_refuses_what_cannot_be_pinned(scene: Scene, second_server: str) -> None:
    release_with_hosted_llm(scene, second_server)

    code, _, text = scene.try_lockstep("stage", "production", "1.0.0")

    assert code == 1
    assert "environment/external" in text
    assert "llm is named, not pinned" in text
