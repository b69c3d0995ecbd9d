"""BuildKit, by a docker client: the API for it is not in any Python package. Several clients may be on the PATH; the
first one that can is taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lockstep.adapters import files, process
from lockstep.adapters.docker_daemon import BuildError, Order

_ON = {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
_OWN_BUILDER = 23  # from this version on a client builds only with the plugin buildx


@dataclass(frozen=True)
class Given:
    """What a build needs beside its context.

    Args:
        folder: For files of its own, which vanish after it; nobody else uses it meanwhile.
        secrets: For `RUN --mount=type=secret,id=NAME`, by that name: in no layer, not even of the daemon's cache.
    """

    folder: Path
    secrets: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class BuildKit:
    """A client that builds with BuildKit: the command up to its options."""

    command: tuple[str, ...]

    def build(self, order: Order, context: IO[bytes], log: IO[bytes], given: Given) -> str:
        """The id of the image that was made and loaded into the daemon; what BuildKit says goes to the log.

        Args:
            order: What to build.
            context: An uncompressed tar archive.
            log: Where its words go.
            given: What else it needs.

        Raises:
            BuildError: the Dockerfile did not build.
        """
        with _emptied(given.folder) as folder:
            words = [*self.command, "--network", "host", "--iidfile", str(folder / "id"), "--file", order.dockerfile]
            words += ["--target", order.target] if order.target else []
            for name, value in order.arguments.items():
                words += ["--build-arg", f"{name}={value}"]
            for name, data in given.secrets:
                files.put_file(folder / name, [data], 0o600)
                words += ["--secret", f"id={name},src={folder / name}"]
            code = process.logged([*words, "-"], context, log, environment=_ON)
            if code:
                raise BuildError(f"docker build ended with exit code {code}", where=" ".join(self.command))
            return files.read(folder / "id").decode().strip()


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """An empty folder that vanishes when the block ends; what a killed build left in it goes first."""
    files.remove_folder(folder)
    files.put_folder(folder)
    try:
        yield folder
    finally:
        files.remove_folder(folder)


def find_buildkit(environment: Mapping[str, str]) -> BuildKit | None:
    """The first client on the PATH that can build with BuildKit; None if none can, or DOCKER_BUILDKIT=0 forbids it."""
    if environment.get("DOCKER_BUILDKIT") == "0":
        return None
    folders = dict.fromkeys(environment.get("PATH", os.defpath).split(os.pathsep))
    clients = [str(Path(folder, "docker")) for folder in folders if os.access(Path(folder, "docker"), os.X_OK)]
    for client in clients:
        if process.run([client, "buildx", "version"]).code == 0:
            return BuildKit((client, "buildx", "build", "--load"))
        said = process.run([client, "version", "--format", "{{.Client.Version}}"]).stdout.decode()
        major = said.partition(".")[0].strip()
        if major.isdigit() and int(major) < _OWN_BUILDER:
            return BuildKit((client, "build"))
    return None
