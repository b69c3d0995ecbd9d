"""Where Docker and podman keep logins on this machine: their configuration files and their credential helpers; and what
GitLab gives to a job.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lockstep.adapters import process
from lockstep.core.errors import OutsideError
from lockstep.oci.logins import Login, LoginFile, parse_helper, parse_logins

_ABSENT = b"credentials not found"  # docker-credential-helpers v0.8.2, credentials/error.go


@dataclass(frozen=True)
class DockerLogins:
    """Logins by host. Nothing is read or started before a host is asked for.

    Args:
        environment: Variables that say where the files are (REGISTRY_AUTH_FILE, DOCKER_CONFIG, HOME), or what would be
            in one: DOCKER_AUTH_CONFIG, and CI_REGISTRY with its _USER and _PASSWORD.
        limit: Seconds that a helper may take: long enough for a person who unlocks a keyring.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False, compare=False)
    limit: float = 60.0

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are looked into, in this order; they need not be there.

        Source: docker(1), DOCKER_CONFIG; containers-auth.json(5), REGISTRY_AUTH_FILE.
        """
        found = [Path(self.environment["REGISTRY_AUTH_FILE"])] if self.environment.get("REGISTRY_AUTH_FILE") else []
        if self.environment.get("DOCKER_CONFIG"):
            found.append(Path(self.environment["DOCKER_CONFIG"]) / "config.json")
        elif self.environment.get("HOME"):
            found.append(Path(self.environment["HOME"]) / ".docker/config.json")
        return tuple(found)

    def of(self, host: str) -> Login | None:
        """The login for a `host[:port]`: the first that has one of REGISTRY_AUTH_FILE, DOCKER_AUTH_CONFIG, Docker's
        file, and GitLab's own registry; in a file its helper comes before its text.

        Source: GitLab documentation, "Use Docker to build Docker images", DOCKER_AUTH_CONFIG, and "Predefined CI/CD
        variables", CI_REGISTRY.

        Raises:
            OutsideError: a file or a helper cannot be read or understood. It repeats no value of either.
        """
        for found in self._found():
            helper = found.helper(host)
            login = (_asked(f"docker-credential-{helper}", host, self.limit) if helper else None) or found.login(host)
            if login:
                return login
        return self._job_login(host)

    def _found(self) -> Iterator[LoginFile]:
        text, own = self.environment.get("DOCKER_AUTH_CONFIG", ""), self.environment.get("REGISTRY_AUTH_FILE")
        first = self.files[:1] if own else ()
        yield from map(_read, first)
        if text:
            yield parse_logins(text.encode(), "DOCKER_AUTH_CONFIG")
        yield from map(_read, self.files[len(first) :])

    def _job_login(self, host: str) -> Login | None:
        """What a job of GitLab CI may log in with to the registry of its own GitLab."""
        user, password = (self.environment.get(f"CI_REGISTRY_{name}", "") for name in ("USER", "PASSWORD"))
        is_own = host.lower() == self.environment.get("CI_REGISTRY", "").lower()
        return Login(user, password, where="CI_REGISTRY_PASSWORD") if is_own and user and password else None


def _read(path: Path) -> LoginFile:
    try:
        return parse_logins(path.read_bytes(), str(path))
    except (FileNotFoundError, NotADirectoryError):
        return LoginFile()
    except OSError as error:
        raise OutsideError(
            f"the file of logins cannot be read: {error.strerror}", where=str(path), fix=f"chmod u+r {path}"
        ) from error


def _asked(program: str, host: str, limit: float) -> Login | None:
    """Source: docker-credential-helpers v0.8.2, README.md: the host on standard input, JSON or a message on output."""
    command = [program, "get"]
    output = process.run(command, stdin=host.encode(), limit=limit)
    if output.code == 0:
        return parse_helper(output.stdout, program)
    if _ABSENT in output.stdout + output.stderr:
        return None
    raise OutsideError(
        f"the credential helper failed with exit code {output.code}",
        where=" ".join(command),
        fix=f"see what it says: echo {host} | {program} get",
    )
