"""up: runs an environment on this machine, following the commits of the branch of releases."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lockstep.adapters import process
from lockstep.adapters.branch import Branch
from lockstep.adapters.git import Repository
from lockstep.core.errors import OutsideError
from lockstep.core.names import EnvironmentName, GitOid, GitSha, ImageRef
from lockstep.oci.layout import Layout
from lockstep.oci.unpack import folder_of
from lockstep.runner.ports import ImageFolders, Listener, Options
from lockstep.runner.up import up
from lockstep.verbs.workspace import Workspace


@dataclass(frozen=True)
class Commits:
    """The committed files of one environment, from Git; the runner's EnvironmentFiles.

    Args:
        repository: Where they are.
        branch: The branch of releases.
        environment: Whose files.
        blobs: What was read before, by Git id: a revert brings back what was there, so it costs one look at the tree.
    """

    repository: Repository
    branch: Branch
    environment: EnvironmentName
    blobs: dict[GitOid, bytes] = field(default_factory=dict)

    def head(self) -> GitSha | None:
        """The newest commit of the branch of releases."""
        return self.repository.resolve(self.branch.ref) or self.repository.branch(self.branch.name)

    def files(self, sha: GitSha) -> Mapping[str, bytes]:
        """Every file of releases/<env>/ at a commit, by path below it."""
        folder = f"releases/{self.environment}"
        entries = self.repository.tree(sha).below([folder])
        lacking = [entry.oid for entry in entries if entry.oid not in self.blobs]
        found = self.repository.blobs(lacking) if lacking else []
        self.blobs.update({oid: data for oid, data in zip(lacking, found, strict=True) if data is not None})
        return {
            entry.path.removeprefix(folder + "/"): self.blobs[entry.oid] for entry in entries if entry.oid in self.blobs
        }


def image_folders(workspace: Workspace) -> ImageFolders:
    """A function that gives the folder of an image's files, out of the bundle's store, whoever built the image. It is
    unpacked by a process of its own at low priority, so that it does not hold up what serves.
    """
    store, cache = workspace.local / "store", workspace.local / "run" / "images"

    def images(reference: ImageRef) -> Path:
        folder = folder_of(reference.digest, cache)
        if not folder.is_dir():
            if not Layout(store).has(reference.digest):
                raise _absent(reference)
            program = [sys.executable, "-m", "lockstep.oci.unpack", str(store), reference.digest, str(cache)]
            process.checked(program, environment={"PYTHONPATH": os.pathsep.join(sys.path)})
        return folder

    return images


def _absent(reference: ImageRef) -> OutsideError:
    fix = "lockstep build COMMIT makes ours; a third-party one: lockstep export VERSION FILE && lockstep import FILE"
    return OutsideError(f"the image {reference} is not on this machine", where=".lockstep/store", fix=fix)


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
    commits = Commits(workspace.repository, workspace.branch, name)
    up(Options(name, workspace.local, port), commits, image_folders(workspace), listener)
