"""The adapter against a small API server of our own: pages, what may not be seen, what does not answer."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from lockstep.adapters.kubernetes import Cluster, open_cluster
from lockstep.core.errors import OutsideError, UsageError

SPACE = "/api/v1/namespaces/staging"


class Server:
    """Answers by path: a status, or a list of items in pages of two."""

    def __init__(self, folder: Path) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, list[str]], str]] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qs(parts.query)
                server.asked.append((parts.path, query, self.headers.get("authorization", "")))
                status, body = server.answer(parts.path, int(query.get("continue", ["0"])[0]))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.config = folder / "config"
        self.config.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
            "clusters": [{"name": "it", "cluster": {"server": self.url}}],
            "users": [{"name": "me", "user": {"token": "secret-token"}}],
        }), encoding="utf-8")  # fmt: skip

    def answer(self, path: str, start: int) -> tuple[int, bytes]:
        found = self.answers.get(path, [])
        if isinstance(found, int):
            return found, json.dumps({"message": f"{path} says {found}"}).encode()
        if isinstance(found, str):
            return 200, found.encode()
        more = {"continue": str(start + 2)} if len(found) > start + 2 else {}
        data = {"kind": "ThingList", "apiVersion": "v1", "metadata": more, "items": found[start : start + 2]}
        return 200, json.dumps(data).encode()

    def cluster(self) -> Cluster:
        return open_cluster(str(self.config), "staging")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    thread = threading.Thread(target=found.http.serve_forever)
    thread.start()
    yield found
    found.http.shutdown()
    thread.join()
    found.http.server_close()


def test_every_page_is_read_and_the_account_proves_itself(server: Server) -> None:
    pods = [{"metadata": {"name": f"p{n}", "labels": {"lockstep.dev/instance": "a-0123456789"}}} for n in range(5)]
    server.answers[f"{SPACE}/pods"] = pods

    state = server.cluster().state(capacity=False)

    (instance,) = state.instances.values()
    assert [pod.name for pod in instance.pods] == ["p0", "p1", "p2", "p3", "p4"]
    assert {who for _, _, who in server.asked} == {"Bearer secret-token"}
    assert len(server.asked) == 1 + 8 + 2 + 2  # the namespace, its lists, two more pages of pods, two kinds of agents


def test_capacity_is_asked_for_only_where_it_is_needed(server: Server) -> None:
    server.answers["/api/v1/nodes"] = [
        {
            "metadata": {"name": "n"},
            "status": {"allocatable": {"cpu": "2"}, "conditions": [{"type": "Ready", "status": "True"}]},
        }
    ]

    without, with_it = server.cluster().state(capacity=False), server.cluster().state(capacity=True)

    assert without.nodes is None
    assert [node.free for node in with_it.nodes or ()] == [{"cpu": 2000}]


def test_a_namespace_that_is_absent_is_an_answer(server: Server) -> None:
    server.answers[SPACE] = 404

    assert not server.cluster().state(capacity=True).exists
    assert len(server.asked) == 1


def test_agents_that_are_not_installed_are_none_and_what_may_not_be_seen_is_a_note(server: Server) -> None:
    server.answers[SPACE] = 403
    server.answers["/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"] = 404
    server.answers["/api/v1/nodes"] = 403

    state = server.cluster().state(capacity=True)

    assert (state.exists, state.agents, state.nodes) == (True, (), None)
    assert ["nodes may not be listed" in note for note in state.notes] == [True]


@pytest.mark.parametrize(
    ("status", "fix"), [(403, "can-i list deployments"), (401, "renew the credentials"), (500, "cluster-info")]
)
def test_what_is_needed_and_cannot_be_read_is_an_error_with_its_fix(server: Server, status: int, fix: str) -> None:
    path = "/apis/apps/v1/namespaces/staging/deployments"
    server.answers[path] = status

    with pytest.raises(OutsideError) as caught:
        server.cluster().state(capacity=False)

    assert f"{path} says {status}" in caught.value.what
    assert fix in caught.value.fix
    assert caught.value.where == f"{server.url}, namespace staging"


def test_nobody_answers(server: Server) -> None:
    config = yaml.safe_load(server.config.read_text())
    config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:9"
    server.config.write_text(yaml.safe_dump(config))

    with pytest.raises(OutsideError) as caught:
        server.cluster().state(capacity=False)

    assert "cannot read namespaces" in caught.value.what
    assert "secret-token" not in f"{caught.value.what}{caught.value.where}{caught.value.fix}"


def test_last_words_are_those_before_the_restart_or_of_now_or_none(server: Server) -> None:
    server.answers[f"{SPACE}/pods/p/log"] = "one\ntwo\n"
    server.answers[f"{SPACE}/pods/q/log"] = 400

    assert server.cluster().last_words("p", "main") == "one\ntwo"
    assert server.cluster().last_words("q", "main") == ""
    assert [query["previous"] for path, query, _ in server.asked if path.endswith("/q/log")] == [["true"], ["false"]]


@pytest.mark.parametrize("text", ["", "a: [", "kind: Config\n"])
def test_what_is_no_kubeconfig_is_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(UsageError) as caught:
        open_cluster(str(path), "staging")

    assert caught.value.where == str(path)
    assert caught.value.fix
