"""Where a forge is, told from what CI says, from a project's address, or from where Git pushes to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_HOST = r"(?P<host>\[[0-9A-Fa-f:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)"
_URL = re.compile(rf"(?P<scheme>https?|ssh)://(?:[^@/\\\s]*@)?{_HOST}(?::(?P<port>[0-9]{{1,5}}))?/(?P<path>\S+)")
_SCP = re.compile(rf"(?:[^@/:\s]+@){_HOST}:(?P<path>[^/\s]\S*)")  # git-clone(1), "GIT URLS": the scp-like form
_PROJECT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")
_API = re.compile(rf"https?://{_HOST}(?::[0-9]{{1,5}})?(?:/[A-Za-z0-9_.-]+)*/api/v4")
_PORT = re.compile(r":[0-9]+$")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
OWN_TOKEN, JOB_TOKEN = "LOCKSTEP_GITLAB_TOKEN", "CI_JOB_TOKEN"


@dataclass(frozen=True)
class Forge:
    """A project of a GitLab.

    Args:
        api: Where its REST API begins, such as `https://gitlab.example.org/api/v4`.
        project: The project's number, or its path such as `team/documents`.
        name: What people call it.
    """

    api: str
    project: str
    name: str

    @property
    def host(self) -> str:
        """`host[:port]` of the API."""
        return self.api.partition("://")[2].partition("/")[0]


@dataclass(frozen=True)
class Token:
    """What a GitLab is shown. Its value is in no repr.

    Args:
        variable: The variable that it comes from.
        header: The header that it goes into.
        value: The secret.
    """

    variable: str
    header: str
    value: str = field(repr=False)

    def struck_out(self, text: str) -> str:
        """The text without the secret: servers are known to repeat what they were sent."""
        return text.replace(self.value, "***")


def parse_address(text: str) -> Forge:
    """The project that an address names: its page, or what Git clones it from.

    Raises:
        ValueError: it names no project of a forge, such as a folder.
    """
    found = _URL.fullmatch(text) or _SCP.fullmatch(text)
    parts = found.groupdict() if found else {}
    path = parts.get("path", "").partition("/-/")[0].rstrip("/").removesuffix(".git")
    if not _PROJECT.fullmatch(path):
        raise ValueError("no address of a project such as https://gitlab.example.org/team/documents")
    scheme = "http" if parts.get("scheme") == "http" else "https"
    port = f":{parts['port']}" if parts.get("port") and parts["scheme"] != "ssh" else ""
    return Forge(f"{scheme}://{parts['host']}{port}/api/v4", path, path)


def beside(forge: Forge, address: str) -> Forge | None:
    """The project of an address in the same GitLab; None if it is elsewhere, where the token must not go.

    Raises:
        ValueError: the address names no project of a forge.
    """
    other = parse_address(address)
    if _PORT.sub("", other.host).lower() != _PORT.sub("", forge.host).lower():
        return None
    root = forge.api.partition("://")[2].partition("/")[2].removesuffix("api/v4")
    path = other.project.removeprefix(root)
    return Forge(forge.api, path, path)


def forge_of_ci(variables: Mapping[str, str]) -> Forge | None:
    """The project whose pipeline runs here; None outside of GitLab's CI.

    Source: GitLab's documentation, ci/variables/predefined_variables: CI_API_V4_URL, CI_PROJECT_ID, CI_PROJECT_PATH.

    Raises:
        ValueError: CI_API_V4_URL is no address of an API.
    """
    api, path = variables.get("CI_API_V4_URL", "").rstrip("/"), variables.get("CI_PROJECT_PATH", "")
    project = variables.get("CI_PROJECT_ID", "") or path
    if not api or not project:
        return None
    if not _API.fullmatch(api):
        raise ValueError("CI_API_V4_URL is not such as https://gitlab.example.org/api/v4")
    return Forge(api, project, path or project)


def token_for(forge: Forge, variables: Mapping[str, str]) -> Token | None:
    """The token to show to a forge: one's own first, then the job's, which is for the GitLab that runs the job alone.

    Source: GitLab's documentation, api/rest/authentication: PRIVATE-TOKEN, and JOB-TOKEN for the endpoints that
    ci/jobs/ci_job_token ("Job token access") lists, releases among them.

    Raises:
        ValueError: what is set there cannot be a token; it is not repeated.
    """
    is_job = variables.get("CI_API_V4_URL", "").rstrip("/") == forge.api
    for name, header in [(OWN_TOKEN, "private-token"), *([(JOB_TOKEN, "job-token")] if is_job else [])]:
        value = variables.get(name, "")
        if value and not _VISIBLE.fullmatch(value):
            raise ValueError(f"{name} has a blank or a line break in it, so it is no token")
        if value:
            return Token(name, header, value)
    return None
