"""A tiny environment in a real Git repository, and a runner of it in a process of its own. No tests of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from local.test_runner_programs import RUNNER, SERVER
from lockstep.core.document import format_yaml
from lockstep.core.names import GitSha
from lockstep.core.render import format_objects, render

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = {path.name: path.read_text() for path in (ROOT / "charts/objects").glob("*.j2")}
IMAGE = "registry.test/app@sha256:" + "a" * 64


def instance_file(name: str, **changes: Any) -> bytes:
    """instances/<name>.yaml, rendered by the real template."""
    environment = {"PORT": "8080", "LOCKSTEP_INSTANCE": name, **changes.pop("env", {})}
    context = {
        "id": name,
        "component": name[:-11],
        "image": IMAGE,
        "command": ["python", "-m", "server"],
        "port": 8080,
        "env": [{"name": key, "value": environment[key]} for key in sorted(environment)],
        "prompts": {},
        "weights": "",
        "copier": None,
        "secrets": {},
        "resources": {},
        "entry": True,
        "calls": [],
        "replicas": 1,
        "autoscale": None,
        "grace": 5,
        "node_selector": {},
        "pull_secrets": [],
        "probes": {"readiness": "/readyz", "liveness": "/healthz", "startup_seconds": 30},
        **changes,
    }
    return format_objects(render(TEMPLATES, "instance.yaml.j2", context), "test")


def gate_file(root: str, command: Sequence[str] = ("python", "-c", "pass"), deadline: int = 10) -> bytes:
    """gates/<root>.yaml, rendered by the real template."""
    context = {
        "root": root,
        "deadline": deadline,
        "pull_secrets": [],
        "image": IMAGE,
        "command": list(command),
        "env": [{"name": "ROOT_URL", "value": f"http://{root}"}],
    }
    return format_objects(render(TEMPLATES, "gate.yaml.j2", context), "test")


def front_file(root: str, *serves: str, release: str = "1.0.0") -> bytes:
    """front/front.yaml, rendered by the real template."""
    return format_objects(
        render(TEMPLATES, "front.yaml.j2", {"root": root, "serves": [root, *serves], "release": release}),
        "test",
    )


@dataclass
class Bundle:
    """A repository with releases/test/, and the runner of it."""

    top: Path
    runner: subprocess.Popen[bytes] | None = None
    pids: set[int] = field(default_factory=set)

    def git(self, *words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(self.top), *words], capture_output=True, check=True, text=True
        ).stdout.strip()

    def commit(self, message: str, files: Mapping[str, bytes | None]) -> GitSha:
        for name, data in files.items():
            path = self.top / "releases/test" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if data is None:
                path.unlink()
            else:
                path.write_bytes(data)
        self.git("add", "-A", "releases")
        self.git("commit", "-q", "-m", message)
        return GitSha(self.git("rev-parse", "HEAD"))

    def revert(self) -> GitSha:
        self.git("revert", "--no-edit", "HEAD")
        return GitSha(self.git("rev-parse", "HEAD"))

    @property
    def run_folder(self) -> Path:
        return self.top / ".lockstep/run/test"

    def up(self) -> subprocess.Popen[bytes]:
        program = self.top / "runner.py"
        program.write_text(RUNNER)
        self.runner = subprocess.Popen(
            [sys.executable, str(program), str(self.top), str(self.top / "image")],
            env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), "SECRET_OF_THE_SHELL": "leak"},
            stderr=subprocess.PIPE,
        )
        self.until(lambda: self.status().get("pid") == self.runner.pid, "the runner has started")
        return self.runner

    def down(self, number: int = signal.SIGTERM) -> None:
        if self.runner:
            self.pids |= {one["pid"] for one in self.status().get("instances", {}).values() if one["pid"]}
            self.runner.send_signal(number)
            self.runner.wait(20)
            if self.runner.stderr:
                self.runner.stderr.close()
            self.runner = None

    def status(self) -> dict[str, Any]:
        try:
            return json.loads((self.run_folder / "status.json").read_bytes())
        except FileNotFoundError:
            return {}

    def state(self, name: str) -> str:
        return self.status()["instances"].get(name, {}).get("state", "absent")

    def front(self) -> str:
        return (self.status()["front"] or {}).get("root", "")

    def reason(self) -> str:
        return self.status()["wanted"]["reason"]

    def events(self, name: str = "") -> list[dict[str, Any]]:
        lines = (self.run_folder / "events.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if not name or event["event"] == name]

    def ask(self, path: str = "/who", data: bytes | None = None) -> dict[str, Any]:
        with urllib.request.urlopen(self.status()["front_url"] + path, data=data, timeout=20) as given:
            return json.load(given)

    def until(self, true: Callable[[], object], what: str, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.runner and self.runner.poll() is not None:
                raise AssertionError(f"the runner ended: {self.runner.stderr.read().decode()[-3000:]}")
            if true():
                return
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s: {what}\n{format_yaml(self.status())}")

    def until_front(self, root: str, seconds: float = 20) -> None:
        self.until(lambda: self.front() == root, f"the front serves {root}", seconds)

    def release(self, number: int, **changes: Any) -> dict[str, bytes | None]:
        """A gateway that calls an llm, both of one release."""
        gateway, llm = f"gateway-{number:010x}", f"llm-{number:010x}"
        environment = {"LLM_URL": f"http://{llm}", **changes.pop("env", {})}
        return {
            f"instances/{llm}.yaml": instance_file(llm),
            f"instances/{gateway}.yaml": instance_file(gateway, env=environment, calls=[llm], **changes),
        }


def gateway(number: int) -> str:
    return f"gateway-{number:010x}"


def promote(number: int, **gate: Any) -> dict[str, bytes | None]:
    """What promote writes for release `number`."""
    root = gateway(number)
    return {
        f"gates/{root}.yaml": gate_file(root, **gate),
        "front/front.yaml": front_file(root, f"llm-{number:010x}", release=f"1.0.{number}"),
    }


def new_bundle(folder: Path) -> Bundle:
    """A repository with one empty commit and an image whose /app/src has the test server."""
    source = folder / "image/app/src"
    source.mkdir(parents=True)
    (source / "server.py").write_text(textwrap.dedent(SERVER))
    bundle = Bundle(folder)
    bundle.git("init", "-q", "-b", "main")
    for key, value in {"user.name": "t", "user.email": "t@t.test", "commit.gpgsign": "false"}.items():
        bundle.git("config", key, value)
    bundle.git("commit", "-q", "--allow-empty", "-m", "start")
    return bundle


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Load:
    """Clients that keep their connections and never try again; `bad` holds every answer that should not be."""

    def __init__(self, url: str, clients: int = 4) -> None:
        self._address = urlsplit(url).netloc
        self._end = threading.Event()
        self.bad: list[str] = []
        self.roots: list[str] = []
        self._threads = [
            threading.Thread(target=self._ask_on, args=("5000" if number % 2 else "",)) for number in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask_on(self, posted: str) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=20)
        while not self._end.is_set():
            try:
                connection.request("POST" if posted else "GET", "/who", body=b"x" * int(posted) if posted else None)
                answer = connection.getresponse()
                self._judge(answer.status, answer.read(), answer.headers.get("x-lockstep-release", ""), posted)
            except (OSError, http.client.HTTPException) as error:
                self.bad.append(repr(error))
                connection.close()
            time.sleep(0.002)
        connection.close()

    def _judge(self, status: int, body: bytes, header: str, posted: str) -> None:
        if status != 200:
            self.bad.append(f"{status}: {body[:300]!r}")
            return
        said = json.loads(body)
        self.roots.append(said["root"])
        mixed = said["root"][-10:] != said["callee"][-10:] or header != said["root"]
        if mixed or said["posted"] != posted:
            self.bad.append(f"mixed: {said} {header}")
