"""A tiny environment in a real Git repository, and a runner of it in a process of its own. Used by the other runner tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lockstep.core.document import format_yaml
from lockstep.core.names import GitSha
from lockstep.core.render import format_objects, render

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = {path.name: path.read_text() for path in (ROOT / "charts/objects").glob("*.j2")}
IMAGE = "registry.test/app@sha256:" + "a" * 64

# What every test instance runs: answers with its own name, its callee's name, and its prompts; misbehaves when told to.
SERVER = '''
import http.server, json, os, pathlib, signal, sys, threading, time, urllib.request

NAME, CALLEE = os.environ["LOCKSTEP_INSTANCE"], os.environ.get("LLM_URL", "")
started, bad = time.monotonic(), pathlib.Path(os.environ.get("BAD_FILE", "/nonexistent"))
delay, age = float(os.environ.get("START_SECONDS", "0")), float(os.environ.get("AGE_SECONDS", "0.3"))
if os.environ.get("CRASH"):
    sys.exit("told to crash")

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def setup(self):
        super().setup()
        self.born = time.monotonic()
    def log_message(self, *_): pass
    def say(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers: self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        if time.monotonic() - self.born > age:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        if self.path == "/readyz":
            return self.say(200 if time.monotonic() - started >= delay and not bad.exists() else 503, b"")
        if self.path == "/healthz":
            return self.say(200, b"")
        if self.path == "/crash":
            os._exit(3)
        if self.path == "/slow":
            time.sleep(2)
        if self.path == "/environment":
            return self.say(200, json.dumps({"environment": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd(),
                                             "python": sys.executable}).encode())
        if self.path.startswith("/bytes/"):
            size = int(self.path[7:])
            self.send_response(200); self.send_header("content-length", str(size)); self.end_headers()
            for _ in range(size // 65536): self.wfile.write(b"x" * 65536)
            self.wfile.write(b"x" * (size % 65536))
            return
        self.answer(b"")
    def do_POST(self):
        size, total = int(self.headers.get("content-length", -1)), 0
        if size < 0:
            while (chunk := int(self.rfile.readline(), 16)):
                total += len(self.rfile.read(chunk)); self.rfile.readline()
            self.rfile.readline()
        while total < size: total += len(self.rfile.read(min(65536, size - total)))
        self.answer(str(total).encode())
    def answer(self, posted):
        if bad.exists():
            return self.say(500, b"bad")
        callee = ""
        if CALLEE:
            with urllib.request.urlopen(CALLEE + "/who", timeout=10) as given: callee = json.load(given)["root"]
        self.say(200, json.dumps({"root": NAME, "callee": callee, "posted": posted.decode(), "path": self.path,
                                        "headers": {name.lower(): value for name, value in self.headers.items()}}).encode(),
                 [("x-lockstep-release", NAME)])

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(0.05)
'''

# A runner in its own process, over `git` and one folder that is every image.
RUNNER = """
import os, subprocess, sys
from pathlib import Path
from lockstep.core.names import EnvironmentName, GitSha
from lockstep.core.errors import LockstepError
from lockstep.runner import Options, up

class Commits:
    def __init__(self, top): self.top = top
    def git(self, *words): return subprocess.run(["git", "-C", self.top, *words], capture_output=True, check=True).stdout
    def head(self): return GitSha(Path(self.top, ".git/refs/heads/main").read_text().strip())
    def files(self, sha):
        names = [n for n in self.git("ls-tree", "-rz", "--name-only", sha, "releases/test/").decode().split("\\0") if n]
        return {n.removeprefix("releases/test/"): self.git("cat-file", "blob", f"{sha}:{n}") for n in names}

class Quiet:
    def event(self, event): pass

top, image = sys.argv[1:]
try:
    up(Options(EnvironmentName("test"), Path(top, ".lockstep")), Commits(top), lambda reference: Path(image), Quiet())
except LockstepError as error:
    sys.exit(f"{error.what}; {error.where}; {error.fix}")
"""


def instance_file(name: str, **changes: Any) -> bytes:
    """instances/<name>.yaml, rendered by the real template."""
    environment = {"PORT": "8080", "LOCKSTEP_INSTANCE": name, **changes.pop("env", {})}
    context = {
        "id": name, "component": name[:-11], "image": IMAGE, "command": ["python", "-m", "server"], "port": 8080,
        "env": [{"name": key, "value": environment[key]} for key in sorted(environment)],
        "prompts": {}, "weights": "", "secrets": {}, "resources": {}, "entry": True, "calls": [], "replicas": 1, "grace": 5,
        "node_selector": {}, "pull_secrets": [],
        "probes": {"readiness": "/readyz", "liveness": "/healthz", "startup_seconds": 30}, **changes,
    }
    return format_objects(render(TEMPLATES, "instance.yaml.j2", context), "test")


def gate_file(root: str, command: Sequence[str] = ("python", "-c", "pass"), deadline: int = 10) -> bytes:
    """gates/<root>.yaml, rendered by the real template."""
    context = {"root": root, "deadline": deadline, "pull_secrets": [], "image": IMAGE, "command": list(command),
               "env": [{"name": "ROOT_URL", "value": f"http://{root}"}]}
    return format_objects(render(TEMPLATES, "gate.yaml.j2", context), "test")


def front_file(root: str, *serves: str, release: str = "1.0.0") -> bytes:
    """front/front.yaml, rendered by the real template."""
    return format_objects(render(TEMPLATES, "front.yaml.j2", {"root": root, "serves": [root, *serves], "release": release}), "test")


@dataclass
class Bundle:
    """A repository with releases/test/, and the runner of it."""

    top: Path
    runner: subprocess.Popen[bytes] | None = None
    pids: set[int] = field(default_factory=set)

    def git(self, *words: str) -> str:
        return subprocess.run(["git", "-C", str(self.top), *words], capture_output=True, check=True, text=True).stdout.strip()

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
    return {f"gates/{root}.yaml": gate_file(root, **gate),
            "front/front.yaml": front_file(root, f"llm-{number:010x}", release=f"1.0.{number}")}


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
