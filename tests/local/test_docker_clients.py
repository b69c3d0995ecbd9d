"""Which docker client builds with BuildKit, which daemon is too old, and what this machine lends to builds."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lockstep.adapters.buildkit import BuildKit, find_buildkit
from lockstep.adapters.docker_daemon import find_daemon
from lockstep.adapters.lent import lent_by
from lockstep.core.errors import OutsideError

_CLIENT = """#!/bin/sh
case "$1" in
  buildx) exit {buildx} ;;
  version) echo {version} ;;
esac
"""


def client(folder: Path, version: str, buildx: int) -> Path:
    folder.mkdir()
    path = folder / "docker"
    path.write_text(_CLIENT.format(version=version, buildx=buildx))
    path.chmod(0o755)
    return path


def test_the_first_client_that_can_is_taken(tmp_path: Path) -> None:
    client(tmp_path / "new", "28.2.2", 1)
    old = client(tmp_path / "old", "20.10.24+dfsg1", 1)
    other = client(tmp_path / "plugin", "28.2.2", 0)

    def found(*folders: str, **more: str) -> BuildKit | None:
        return find_buildkit({"PATH": ":".join(str(tmp_path / folder) for folder in folders), **more})

    assert found("new", "old", "plugin") == BuildKit((str(old), "build"))
    assert found("plugin", "old") == BuildKit((str(other), "buildx", "build", "--load"))
    assert found("new") is None
    assert found("absent") is None
    assert found("old", DOCKER_BUILDKIT="0") is None


@pytest.fixture(params=["1.20", "1.25"])
def old_daemon(request: pytest.FixtureRequest) -> Iterator[str]:
    """A daemon of long ago, as far as it is asked: by its API no such daemon can be had any more."""

    class Old(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"Version": "1.8.3", "ApiVersion": request.param, "Os": "linux"}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Old)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"tcp://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_daemon_that_is_too_old_is_told_from_one_that_is_not_there(
    old_daemon: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", old_daemon)

    with pytest.raises(OutsideError, match="too old") as caught:
        find_daemon()

    assert "builder: wheels" in caught.value.fix


def test_what_pip_and_certificates_say_is_lent_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "https://ada:hunter2-never@index.example.org/simple"
    (tmp_path / "own.pem").write_text("a certificate\n")
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {address}\ntimeout = 3\n[install]\nno-compile = yes\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)

    lent = lent_by({"PIP_CERT": str(tmp_path / "own.pem"), "HOME": "/root"})

    assert dict(lent.files) == {
        "ca-certificates": b"a certificate\n",
        "pip-conf": f"[global]\nindex-url = {address}\ncert = /run/secrets/ca-certificates\n".encode(),
    }
    assert set(lent.secrets) == {address.encode(), b"hunter2-never"}
    assert "PIP_CONFIG_FILE=/run/secrets/pip-conf" in lent.variables
