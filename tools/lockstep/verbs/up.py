"""up: runs an environment on this machine, following the commits of the branch of releases."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lockstep.adapters import process
from lockstep.adapters.git import Repository
from lockstep.core.names import EnvironmentName, GitSha, ImageRef
from lockstep.oci.unpack import folder_of
from lockstep.runner.ports import Listener, Options
from lockstep.runner.up import up
from lockstep.verbs.workspace import Workspace, files_below


@dataclass(frozen=True)
class Commits:
    """The committed files of one environment, from Git; the runner's EnvironmentFiles."""

    repository: Repository
    branch: str
    environment: EnvironmentName

    def head(self) -> GitSha | None:
        """The newest commit of the branch of releases."""
        return self.repository.branch(self.branch)

    def files(self, sha: GitSha) -> Mapping[str, bytes]:
        """Every file of releases/<env>/ at a commit, by path below it."""
        return files_below(self.repository.tree(sha), f"releases/{self.environment}")


def _unpacked_aside(store: Path, reference: ImageRef, cache: Path) -> Path:
    """The image's folder; unpacked by a process of its own at low priority, so that it does not hold up what serves."""
    folder = folder_of(reference.digest, cache)
    if not folder.is_dir():
        program = [sys.executable, "-m", "lockstep.oci.unpack", str(store), reference.digest, str(cache)]
        process.checked(program, environment={"PYTHONPATH": os.pathsep.join(sys.path)})
    return folder


def run_environment(workspace: Workspace, name: EnvironmentName, port: int, listener: Listener) -> None:
    """Runs an environment until SIGTERM or SIGINT, then ends everything that it started.

    Args:
        workspace: Where.
        name: The environment.
        port: Port of the front on 127.0.0.1; 0 takes a free one.
        listener: Is told every event.

    Raises:
        UsageError: lockstep.yaml names no such environment.
        OutsideError: another runner runs it, or the port is taken.
    """
    workspace.state.environment(name)
    store, cache = workspace.local / "store", workspace.local / "run" / "images"

    def images(reference: ImageRef) -> Path:
        return _unpacked_aside(store, reference, cache)

    commits = Commits(workspace.repository, workspace.bundle.state.branch, name)
    up(Options(name, workspace.local, port), commits, images, listener)
