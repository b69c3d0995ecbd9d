"""A tiny real bundle: two services, one small file of weights in a local DVC remote, real Git, no network."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from lockstep.core.bundle import Platform
from lockstep.core.names import EnvironmentName
from lockstep.core.version import Version
from lockstep.oci.image import Image, Settings, image_of
from lockstep.oci.layout import Layout
from lockstep.oci.store import put_image, writing
from lockstep.verbs.images.shelf import OwnShelf
from lockstep.verbs.images.stores import own_stores
from lockstep.verbs.landing import Writing
from lockstep.verbs.promote import promote_release
from lockstep.verbs.release import Released, release_version
from lockstep.verbs.stage import stage_release
from lockstep.verbs.verify import Looking, Verified, verify_bundle
from lockstep.verbs.verify_back import verify_fronts
from lockstep.verbs.weights.lock import lock_components
from lockstep.verbs.workspace import Workspace, open_workspace

CHARTS = Path(__file__).resolve().parents[1] / "charts"
WEIGHTS = b"weights of the tiny model\n"
PROMPT = "Answer in one word.\n"
STAGING = EnvironmentName("staging")
_GIT = {
    "GIT_AUTHOR_NAME": "Tiny", "GIT_AUTHOR_EMAIL": "tiny@example.org", "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_NAME": "Tiny",
    "GIT_COMMITTER_EMAIL": "tiny@example.org",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
}  # fmt: skip

_SERVER = '''\
"""Answers every GET with one line, and itself when it is asked how it is."""

import http.server
import os


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["LOCKSTEP_INSTANCE"].encode()
        self.send_response(200)
        self.send_header("x-lockstep-release", os.environ["LOCKSTEP_INSTANCE"])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
'''
_GATE = '''\
"""Asks the root once."""

import os
import urllib.request

urllib.request.urlopen(os.environ["ROOT_URL"], timeout=10).read()
'''
_CONTRACT = "openapi: 3.1.0\ninfo: {title: tiny, version: 1.0.0}\npaths: {}\n"
_FILES = {
    ".gitignore": "/.lockstep/\n__pycache__/\n",
    "lockstep.yaml": (
        "name: tiny\nentry: front-door\nregistry: lockstep.local/tiny\n"
        "environments:\n  staging: {prereleases: true}\n  production: {}\n"
    ),
    ".dvc/config": "[core]\n    remote = bundle\n['remote \"bundle\"']\n    url = remote\n",
    "components/front-door/component.yaml": (
        "name: front-door\ndescription: Answers.\nowner: tiny-team\nkind: service\n"
        "image: {dockerfile: Dockerfile, code: [src]}\ncommand: [python3, -m, front_door]\n"
        "prompts: [prompts/answer.prompt]\ncontract: contract/openapi.yaml\n"
        'calls: {model: contract/uses/model.yaml}\nconfig: {GREETING: "hello"}\n'
        "gate: {command: [python3, -m, front_door_gate], deadline: 30}\n"
    ),
    "components/front-door/Dockerfile": "FROM scratch AS runtime\nFROM runtime\nCOPY src /app/src\n",
    "components/front-door/src/front_door.py": _SERVER,
    "components/front-door/src/front_door_gate.py": _GATE,
    "components/front-door/prompts/answer.prompt": PROMPT,
    "components/front-door/contract/openapi.yaml": _CONTRACT,
    "components/front-door/contract/uses/model.yaml": _CONTRACT + "# what front-door needs\n",
    "components/model/component.yaml": (
        "name: model\ndescription: Knows.\nowner: tiny-team\nkind: service\n"
        "image: {dockerfile: Dockerfile, code: [src]}\ncommand: [python3, -m, model]\n"
        "weights: [weights/model.bin.dvc]\ncontract: contract/openapi.yaml\n"
    ),
    "components/model/Dockerfile": "FROM scratch AS runtime\nFROM runtime\nCOPY src /app/src\n",
    "components/model/src/model.py": _SERVER,
    "components/model/contract/openapi.yaml": _CONTRACT + "# what model promises\n",
}


def set_identity(patch: pytest.MonkeyPatch) -> None:
    """Git commits by the same person at the same time, whatever this machine says."""
    for name, value in _GIT.items():
        patch.setenv(name, value)


@dataclass(frozen=True)
class Tiny:
    """The bundle in a folder of its own."""

    folder: Path

    @property
    def workspace(self) -> Workspace:
        """The bundle as it is now; a workspace remembers the branch that it saw."""
        return open_workspace(self.folder)

    @property
    def remote(self) -> Path:
        """The one object in the DVC remote."""
        return self.folder / ".dvc" / "remote" / "files" / "md5" / md5_of(WEIGHTS)[:2] / md5_of(WEIGHTS)[2:]

    def git(self, *arguments: str) -> str:
        """Standard output of a git command that must succeed."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env={**os.environ, **_GIT}, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def write(self, path: str, text: str | bytes) -> None:
        """Writes a file of the working tree."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)

    def read(self, path: str) -> str:
        """A file of the working tree."""
        return (self.folder / path).read_text(encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        """Replaces text that must be there."""
        text = self.read(path)
        assert old in text, f"{old!r} is not in {path}"
        self.write(path, text.replace(old, new))

    def commit(self, message: str = "change") -> str:
        """Commits the whole working tree."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def lock(self) -> None:
        """Writes weights.lock."""
        lock_components(self.workspace, (), None)

    def tag(self, version: str) -> None:
        """Tags HEAD."""
        self.git("tag", f"v{version}")

    def release(self, version: str) -> Released:
        """Releases a tag."""
        workspace = self.workspace
        return release_version(workspace, Version(version), own_stores(workspace), Writing())

    def serve(self, version: str, environment: EnvironmentName = STAGING) -> None:
        """Stages and promotes a release."""
        stage_release(self.workspace, environment, Version(version), Writing())
        promote_release(self.workspace, environment, Version(version), Writing())

    def verify(self, *what: str, deep: bool = False, now: float = 0.0) -> Verified:
        """What `lockstep verify` finds in the bundle's own store."""
        workspace = self.workspace
        return verify_bundle(workspace, what, Looking(OwnShelf(own_stores(workspace).of), deep, now))

    def verify_fronts(self, *names: str, now: float = 0.0) -> Verified:
        """What `lockstep verify --front` finds."""
        workspace = self.workspace
        looking = Looking(OwnShelf(own_stores(workspace).of), deep=False, now=now)
        return verify_fronts(workspace, map(EnvironmentName, names), looking)

    def copy(self, folder: Path) -> Tiny:
        """The same bundle, with store and history, somewhere else."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Tiny(folder)


def md5_of(data: bytes) -> str:
    """What DVC calls these bytes."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def pointer(data: bytes, name: str) -> str:
    """The .dvc file of these bytes."""
    return f"outs:\n- md5: {md5_of(data)}\n  size: {len(data)}\n  hash: md5\n  path: {name}\n"


def tiny_bundle(folder: Path) -> Tiny:
    """The bundle, committed on main and tagged v1.0.0; nothing is released."""
    tiny = Tiny(folder)
    folder.mkdir(parents=True)
    for path, text in _FILES.items():
        tiny.write(path, text)
    shutil.copytree(CHARTS / "objects", folder / "charts" / "objects")
    shutil.copytree(CHARTS / "environment", folder / "charts" / "environment")
    tiny.write("components/model/weights/model.bin.dvc", pointer(WEIGHTS, "model.bin"))
    tiny.remote.parent.mkdir(parents=True)
    tiny.remote.write_bytes(WEIGHTS)
    tiny.git("init", "-q", "-b", "main")
    tiny.git("config", "user.name", "Tiny")
    tiny.git("config", "user.email", "tiny@example.org")
    tiny.commit("the tiny bundle")
    tiny.lock()
    tiny.commit("lock its weights")
    tiny.tag("1.0.0")
    return tiny


def next_tagged(folder: Path) -> Tiny:
    """The same, and after it another greeting, tagged as 1.2.0 and not released."""
    tiny = good_tree(folder)
    tiny.replace("components/front-door/component.yaml", "hello", "good day")
    tiny.commit("another greeting")
    tiny.tag("1.2.0")
    return tiny


def good_tree(folder: Path) -> Tiny:
    """The bundle with 1.0.0 (staging, evidence) and 1.1.0 (another prompt) that serves in staging."""
    tiny = tiny_bundle(folder)
    release = tiny.release("1.0.0").release
    tiny.serve("1.0.0")
    evidence = json.dumps({"subject": release.digest, "kind": "note", "text": "looked at"}).encode()
    tiny.write(f"releases/1.0.0/evidence/{hashlib.sha256(evidence).hexdigest()}.json", evidence)
    tiny.write("components/front-door/prompts/answer.prompt", "Answer in two words.\n")
    tiny.commit("another prompt")
    tiny.tag("1.1.0")
    tiny.release("1.1.0")
    tiny.serve("1.1.0")
    return tiny


def base_image(
    folder: Path, settings: Settings | None = None, arch: Literal["amd64", "arm64"] = "amd64"
) -> tuple[Layout, Image]:
    """A store with a base image whose layer is a tar archive that our own layers never are: it has a hard link."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("usr/bin/python3"))
        link = tarfile.TarInfo("usr/bin/python")
        link.type, link.linkname = tarfile.LNKTYPE, "usr/bin/python3"
        archive.addfile(link)
    store = Layout(folder, "python")
    layer = store.put("system", writing(data.getvalue()))
    image = image_of([layer], Platform(arch=arch), settings or Settings(env={"PATH": "/usr/bin", "LANG": "C.UTF-8"}))
    put_image(store, image, "1")
    return store, image


def with_base(tiny: Tiny, name: str, *, tag: str = "v1.0.0") -> None:
    """Commits a base image to lockstep.yaml and moves the tag there."""
    tiny.replace("lockstep.yaml", "environments:", f'platform: {{base: "{name}"}}\nenvironments:')
    tiny.commit("a base image")
    tiny.git("tag", "-f", tag)
