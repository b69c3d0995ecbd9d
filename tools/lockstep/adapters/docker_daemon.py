"""A Docker daemon, by its API. The package is imported when one is asked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from lockstep.core.errors import OutsideError
from lockstep.core.names import Digest

if TYPE_CHECKING:
    from docker import APIClient

_OLDEST = (1, 29)  # of the API: builds a stage of a Dockerfile. Docker 17.05
_BUILDKIT = (1, 39)  # of the API: has BuildKit in it. Docker 18.09
_SECONDS = 60  # for the first answer
_INSTEAD = "or build without Docker: `builder: wheels` in lockstep.yaml"


@dataclass(frozen=True)
class Order:
    """What is to be built.

    Args:
        dockerfile: Its path in the context.
        target: The stage; empty for the last.
        arguments: Build arguments.
    """

    dockerfile: str
    target: str
    arguments: Mapping[str, str]


class BuildError(OutsideError):
    """The Dockerfile did not build; the log says why."""


@dataclass(frozen=True)
class Daemon:
    """A daemon that answers. `has_buildkit` tells whether it could build that way, if a client asks for it."""

    api: APIClient
    where: str
    has_buildkit: bool

    def layers_of(self, image: str) -> tuple[Digest, ...] | None:
        """The uncompressed layers of an image that it knows by this name; None if it knows none."""
        from docker.errors import ImageNotFound  # noqa: PLC0415

        with self._asking():
            try:
                found = self.api.inspect_image(image)
            except ImageNotFound:
                return None
        return tuple(map(Digest, found["RootFS"].get("Layers") or ()))

    def load(self, archive: IO[bytes]) -> None:
        """Nothing; afterwards it knows the image of the archive."""
        with self._asking():
            for said in self.api.load_image(archive):
                if "error" in said:
                    raise OutsideError(f"it loads no image: {said['error']}", where=self.where, fix=_fix(str(said)))

    def build(self, order: Order, context: IO[bytes], log: IO[bytes]) -> str:
        """The id of the image that the plain builder made; what it says goes to the log.

        Raises:
            BuildError: the Dockerfile did not build.
            OutsideError: the daemon failed.
        """
        image = ""
        with self._asking():
            answers = self.api.build(
                fileobj=context, custom_context=True, dockerfile=order.dockerfile, target=order.target or None,
                buildargs=dict(order.arguments), network_mode="host", rm=True, forcerm=True, decode=True,
            )  # fmt: skip
            for said in answers:
                log.write(str(said.get("stream") or said.get("status") or said.get("error") or "").encode())
                if said.get("status") or said.get("error"):
                    log.write(b"\n")
                if "error" in said:
                    raise BuildError(str(said["error"]).strip(), where=self.where)
                image = (said.get("aux") or {}).get("ID", image)
        if not image:
            raise OutsideError("the daemon named no image in the end", where=self.where, fix="run it again")
        return image

    def save(self, image: str, archive: IO[bytes]) -> None:
        """Nothing; the image is in the archive then."""
        with self._asking():
            for chunk in self.api.get_image(image):
                archive.write(chunk)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Says of what goes wrong in the block that it was the daemon."""
        from docker.errors import DockerException  # noqa: PLC0415
        from requests.exceptions import RequestException  # noqa: PLC0415

        try:
            yield
        except (DockerException, RequestException) as error:
            raise OutsideError(f"the Docker daemon failed: {error}", where=self.where, fix=_fix(str(error))) from error


def find_daemon() -> Daemon:
    """The daemon that DOCKER_HOST names, or the machine's own.

    Raises:
        OutsideError: none answers, it is too old, or its system is not Linux; each with what to do.
    """
    from docker import APIClient  # noqa: PLC0415
    from docker.errors import DockerException, InvalidVersion  # noqa: PLC0415
    from docker.utils import kwargs_from_env  # noqa: PLC0415

    where = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    try:
        api: Any = APIClient(version="auto", timeout=_SECONDS, **kwargs_from_env())
        said = api.version()
    except InvalidVersion as error:
        what = f"the Docker daemon is too old: {error}"
        raise OutsideError(what, where=where, fix=f"update it; {_INSTEAD}") from error
    except DockerException as error:
        start = "start it (systemctl start docker), or name another one in DOCKER_HOST"
        what = f"no Docker daemon answers: {_last(error)}"
        raise OutsideError(what, where=where, fix=f"{start}; {_INSTEAD}") from error
    found = tuple(int(part) for part in str(said["ApiVersion"]).split("."))
    if found < _OLDEST:
        what = f"the Docker daemon {said['Version']} is too old: it speaks API {said['ApiVersion']}, 1.29 is needed"
        raise OutsideError(what, where=where, fix=f"update it; {_INSTEAD}")
    if said.get("Os", "linux") != "linux":
        what = f"the Docker daemon makes images for {said['Os']}"
        raise OutsideError(what, where=where, fix=f"switch it to Linux; {_INSTEAD}")
    api.timeout = None  # a build may say nothing for a long time
    return Daemon(api, where, found >= _BUILDKIT)


def _last(error: BaseException) -> str:
    """The innermost message: the package wraps what the system said several times."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error)


def _fix(said: str) -> str:
    if "no space left" in said.lower():
        return "free disk space where the daemon keeps its data (docker system prune), then run the same command again"
    return "see the daemon's own log (journalctl --unit docker), then run the same command again"
