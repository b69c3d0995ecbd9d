"""A Docker daemon for tests, and a bundle whose images it builds. One that runs already is used (DOCKER_HOST, or the
machine's own socket); else Debian's is started in folders of its own, installed first where it is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cluster.packages import install
from tiny import Tiny

PACKAGES = {
    "docker.io": "builds images",
    "docker-registry": "the registry",
    "mmdebstrap": "makes the base image",
}
DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS runtime
COPY etc/extra.txt /app/site/extra.txt
RUN mkdir -p /srv/own && python3 -c "open('/srv/own/built', 'w').write('by docker')"
ENV GREETING_FROM=dockerfile PYTHONPATH=/app/src:/app/site
WORKDIR /app
USER 65532:65532

FROM runtime
COPY src /app/src
"""
_TOOL = "import sys; from lockstep.cli.main import main; sys.exit(main())"
_PATIENCE_SECONDS = 120
_SOCKET = Path("/var/run/docker.sock")


@contextmanager
def running_daemon() -> Iterator[str]:
    """DOCKER_HOST of a daemon, as long as the block lasts."""
    named = os.environ.get("DOCKER_HOST") or f"unix://{_SOCKET}"
    if shutil.which("docker") and _answers(named):
        yield named
        return
    install(PACKAGES, print)
    folder = Path(tempfile.mkdtemp(prefix="ls-dk-"))  # a socket's path has room for 107 bytes
    address = f"unix://{folder}/s"
    own = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    bare = ["--iptables=false", "--ip6tables=false", "--bridge=none"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["dockerd", *own, *bare, "--host", address], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _answers(address):
            said = (folder / "log").read_text(errors="replace")[-2000:]
            assert process.poll() is None, f"dockerd ended: {said}"
            assert time.monotonic() < deadline, f"dockerd does not answer: {said}"
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait()
        # A build on this machine's network leaves a mount behind.
        subprocess.run(["umount", f"{folder}/exec/netns/default"], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(address: str) -> bool:
    return subprocess.run(["docker", "--host", address, "info"], capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class Ran:
    """A command that ended: both of its streams."""

    out: str
    err: str

    @property
    def built(self) -> list[str]:
        """Components whose runtime was built, as it says on the way."""
        lines = (line.partition(": building its runtime")[::2] for line in self.err.splitlines())
        return sorted(name for name, rest in lines if rest)


@dataclass(frozen=True)
class Place:
    """A bundle in its folder, the registry that it names, and the daemon that builds it.

    Args:
        tiny: The bundle.
        host: Of the registry.
        environment: Variables that its commands have beside ours.
    """

    tiny: Tiny
    host: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def registry(self) -> str:
        return f"{self.host}/tiny"

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """A command of Lockstep that runs."""
        return subprocess.Popen(
            [sys.executable, "-c", _TOOL, *words, "-C", str(self.tiny.folder)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **self.environment, **more, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip

    def run(self, *words: str, code: int = 0, **more: str) -> Ran:
        """A command of Lockstep that must end with a code."""
        process = self.start(*words, **more)
        out, err = process.communicate()
        assert process.returncode == code, f"{words} ended with {process.returncode}\n{out}\n{err}"
        return Ran(out, err)

    def release(self, version: str, *words: str, **more: str) -> Ran:
        """A release of everything as it is in the working tree."""
        self.tiny.commit(version)
        self.tiny.git("tag", "-f", f"v{version}")
        return self.run("release", version, *words, **more)

    def with_dockerfile(self, component: str, text: str) -> None:
        """Gives a component another Dockerfile and commits it."""
        self.tiny.write(f"components/{component}/Dockerfile", text)
        self.tiny.commit("a Dockerfile")

    def fresh(self, folder: Path) -> Place:
        """A clone without a store, as a new runner has it."""
        subprocess.run(["git", "clone", "-q", str(self.tiny.folder), str(folder)], check=True, capture_output=True)
        shutil.copytree(self.tiny.folder / ".dvc", folder / ".dvc", dirs_exist_ok=True)
        return Place(Tiny(folder), self.host, self.environment)


def wait_for(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Nothing; what was waited for is true then, or the process has ended, which fails."""
    while not what():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
