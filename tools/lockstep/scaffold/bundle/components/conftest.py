"""Fixtures for the tests of components: each runs as a process, as it will in an environment."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

COMPONENTS = Path(__file__).parent
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
Ask = Callable[..., tuple[int, Any]]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def asking(url: str) -> Ask:
    """A function that asks a server: status and JSON."""

    def ask(path: str, body: object = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        try:
            with OPENER.open(url + path, data=data, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    ask.url = url  # type: ignore[attr-defined]
    return ask


def is_ready(ask: Ask) -> bool:
    """Whether the server says that it is."""
    try:
        return ask("/readyz")[0] == 200
    except OSError:
        return False


@pytest.fixture
def launch() -> Iterator[Callable[..., Ask]]:
    """Starts a component and gives a function that asks it; all end with the test, with exit code 0."""
    running = []

    def start(name: str, **variables: str) -> Ask:
        port, folder = free_port(), COMPONENTS / name
        given = {"PORT": str(port), "HOST": "127.0.0.1", "no_proxy": "127.0.0.1"}
        given |= {"PYTHONPATH": str(folder / "src"), "LOCKSTEP_PROMPTS": str(folder / "prompts")}
        environment = {**os.environ, **given, **variables}
        process = subprocess.Popen([sys.executable, "-m", name], env=environment)
        running.append(process)
        ask = asking(f"http://127.0.0.1:{port}")
        for _ in range(200):
            if is_ready(ask):
                return ask
            assert process.poll() is None, f"{name} ended"
            time.sleep(0.05)
        raise AssertionError(f"{name} is not ready")

    yield start
    for process in reversed(running):
        process.terminate()
        assert process.wait(10) == 0
