"""The scenarios' bundle as a Git repository: a bare origin, a clone to work in, releases made by the real tool.

Every release is a variant of the same content: what is written before a release depends on the variant alone, so a
variant gives the same instances whenever it is released.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lockstep.core.names import EnvironmentName
from lockstep.core.version import Version
from lockstep.verbs.edit import render_release
from lockstep.verbs.workspace import open_workspace

HERE = Path(__file__).resolve()
PRISTINE = HERE.parents[1] / "bundle"
CHARTS = HERE.parents[3] / "charts"
COMPONENTS = ("root", "thin", "model", "side")
RETIRE_AFTER_SECONDS = 3
PROMPT = "Answer in one word."
WEIGHTS = b"weights of the scenarios' model\n"
_SHARED = {"root": ("service.py", "callee.py"), "thin": ("service.py", "callee.py")}
_WHO = {"NAME": "Scenario", "EMAIL": "scenario@localhost"}


@dataclass(frozen=True)
class Variant:
    """What a release is made of, beside the pristine bundle.

    Args:
        name: For people; the same content under two names is two releases of the same instances.
        config: Variables by component, over those of its component.yaml.
        prompt: thin's prompt.
        code: A line added to model's code; gives model another image.
        gpu: Whole devices that model asks for.
        thins: The most pods of thin, of which an autoscaler adds some when they are busy; 0 for no autoscaler.
        is_pushed: Whether the images go to the registry; an image that did not go cannot be pulled.
    """

    name: str
    config: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    prompt: str = PROMPT
    code: str = ""
    gpu: int = 0
    thins: int = 0
    is_pushed: bool = True


@dataclass(frozen=True)
class Release:
    """A variant that was released."""

    variant: Variant
    version: str


class CommandError(AssertionError):
    """A command that had to succeed did not."""


class Bundle:
    """The repository. `folder` is the clone, `origin` what the agents follow."""

    def __init__(self, home: Path, registry: str, base: str) -> None:
        self.folder, self.origin = home / "bundle", home / "origin.git"
        self._registry, self._base = registry, base
        self._series = f"1.{int(time.time())}"  # runs share a registry, in which a version is pushed once
        self._environments: dict[str, dict[str, Any]] = {}
        self._releases: dict[str, Release] = {}

    @property
    def url(self) -> str:
        """The origin as the agents reach it."""
        return f"file://{self.origin}"

    def make(self) -> None:
        """Writes the first commit and pushes it."""
        shutil.copytree(PRISTINE / "components", self.folder / "components")
        for part in ("objects", "environment"):
            shutil.copytree(CHARTS / part, self.folder / "charts" / part)
        for component in COMPONENTS:
            for name in _SHARED.get(component, ("service.py",)):
                shutil.copy(PRISTINE / "shared" / name, self.folder / "components" / component / "src" / name)
        self._write(".gitignore", "/.lockstep/\n__pycache__/\n")
        self._weights()
        self._configure()
        self.run("git", "init", "--quiet", "--initial-branch=main", ".")
        self.run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        self.run("git", "remote", "add", "origin", str(self.origin))
        self.commit("the scenarios' bundle")
        self.lockstep("weights", "lock")
        self.commit("lock the weights")

    def environment(self, name: str, agent: str) -> None:
        """Adds an environment to lockstep.yaml, in a commit of its own."""
        self._environments[name] = {"agent": agent, "retire_after_seconds": RETIRE_AFTER_SECONDS}
        self._configure()
        self.commit(f"environment {name}")

    def release(self, variant: Variant) -> Release:
        """The release of a variant; made, pushed with its images, and remembered, at the first call."""
        if variant.name in self._releases:
            assert self._releases[variant.name].variant == variant, f"two variants are called {variant.name}"
            return self._releases[variant.name]
        self._vary(variant)
        self.commit(f"{variant.name}")
        made = Release(variant, f"{self._series}.{len(self._releases)}")
        self.run("git", "tag", f"v{made.version}")
        self.lockstep("release", made.version, "--plain-http")
        if variant.is_pushed:
            self.lockstep("push", made.version, "--plain-http")
        self.push()
        self._releases[variant.name] = made
        return made

    def commit(self, message: str) -> str:
        """Commits everything and pushes it."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", f"--message={message}")
        self.push()
        return self.head()

    def push(self) -> None:
        """Sends main and the tags to the origin."""
        self.run("git", "push", "--quiet", "--tags", "origin", "main")

    def head(self) -> str:
        """The newest commit."""
        return self.run("git", "rev-parse", "HEAD")

    def run(self, *command: str) -> str:
        """What a command printed in the clone; it must succeed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        roles = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _WHO.items()}
        outside = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}  # Git alone is asked
        done = subprocess.run(
            command, cwd=self.folder, env={**outside, **roles}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CommandError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout.strip()

    def lockstep(self, *arguments: str) -> dict[str, Any]:
        """The JSON that the command line printed, run as a user would."""
        printed = self.run(sys.executable, "-m", "lockstep.cli.main", *arguments, "-o", "json")
        return dict(json.loads(printed))

    def objects(self, environment: str) -> list[dict[str, Any]]:
        """Every object that Git says the environment holds: its instances, gates, policies and front."""
        folder = self.folder / "releases" / environment
        files = [
            path for part in ("policies", "instances", "gates", "front") for path in (folder / part).glob("*.yaml")
        ]
        return [item for path in sorted(files) for item in yaml.safe_load_all(path.read_text(encoding="utf-8")) if item]

    def closure(self, environment: str, release: Release) -> tuple[str, frozenset[str]]:
        """The root of a release in an environment, and every instance that it needs, itself included."""
        workspace = open_workspace(self.folder)
        name = EnvironmentName(environment)
        rendered = render_release(workspace, workspace.state.environment(name), Version(release.version))
        return str(rendered.root), frozenset(str(name) for name in rendered.instances)

    def _vary(self, variant: Variant) -> None:
        for component in COMPONENTS:
            path = f"components/{component}/component.yaml"
            data = yaml.safe_load((PRISTINE / path).read_text(encoding="utf-8"))
            data["config"] = {**data["config"], **variant.config.get(component, {})}
            if variant.gpu and component == "model":
                data["resources"]["gpu"] = variant.gpu
            if variant.thins and component == "thin":
                data["autoscale"] = {"max": variant.thins, "cpu": 80}
            self._write(path, yaml.safe_dump(data, sort_keys=False))
        self._write("components/thin/prompts/answer.prompt", f"{variant.prompt}\n")
        source = (PRISTINE / "components/model/src/model.py").read_text(encoding="utf-8")
        self._write("components/model/src/model.py", f"{source}# {variant.code}\n" if variant.code else source)

    def _weights(self) -> None:
        """A pointer of DVC, and the object that it names in a remote inside the repository."""
        md5 = hashlib.md5(WEIGHTS, usedforsecurity=False).hexdigest()
        self._write(".dvc/config", "[core]\n    remote = bundle\n['remote \"bundle\"']\n    url = remote\n")
        self._write(f".dvc/remote/files/md5/{md5[:2]}/{md5[2:]}", WEIGHTS.decode())
        pointer = f"outs:\n- md5: {md5}\n  size: {len(WEIGHTS)}\n  hash: md5\n  path: model.bin\n"
        self._write("components/model/weights/model.bin.dvc", pointer)

    def _configure(self) -> None:
        platform = {"os": "linux", "arch": "amd64", "python": "3.11", "base": self._base}
        environments = self._environments or {"unused": {}}
        data = {"name": "scenarios", "entry": "root", "registry": f"{self._registry}/scenarios", "platform": platform}
        self._write("lockstep.yaml", yaml.safe_dump({**data, "environments": environments}, sort_keys=False))

    def _write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
