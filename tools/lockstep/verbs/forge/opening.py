"""Which project of which GitLab a bundle is, and what it is asked with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockstep.adapters.gitlab import Gitlab
from lockstep.core.errors import UsageError
from lockstep.core.forge.place import JOB_TOKEN, OWN_TOKEN, Forge, forge_of_ci, parse_address, token_for
from lockstep.oci.patience import Patience
from lockstep.oci.wire import Wire, is_loopback
from lockstep.verbs.workspace import Workspace

_NAME_IT = "add --project https://gitlab.example.org/team/documents, or set CI_API_V4_URL and CI_PROJECT_PATH"


@dataclass(frozen=True)
class Asking:
    """How a forge is found and asked.

    Args:
        variables: The environment's.
        address: The project's address, where a person says it.
        plain_http: Whether a token may travel without TLS to another machine.
        patience: How often something is tried.
    """

    variables: Mapping[str, str]
    address: str = ""
    plain_http: bool = False
    patience: Patience = field(default_factory=Patience)


def open_gitlab(workspace: Workspace, asking: Asking) -> Gitlab:
    """The GitLab project of a bundle: the one that is named, else the one whose pipeline runs here, else the one that
    the branch of releases is pushed to.

    Raises:
        UsageError: it cannot be told, or a token would travel without TLS.
    """
    forge = _forge(workspace, asking)
    try:
        token = token_for(forge, asking.variables)
    except ValueError as error:
        raise UsageError(str(error), fix="set it to the token alone") from None
    if token and forge.api.startswith("http:") and not asking.plain_http and not is_loopback(forge.host):
        what = f"{token.variable} would travel to {forge.host} without TLS"
        raise UsageError(what, where=forge.api, fix="name an https address; if it has none, add: --plain-http")
    return Gitlab(forge, token, Wire(asking.patience, workspace.say))


def needs_token(gitlab: Gitlab) -> Gitlab:
    """The same, if it has a token.

    Raises:
        UsageError: it has none.
    """
    if gitlab.token is None:
        what = f"there is no token for {gitlab.forge.name} of {gitlab.forge.host}"
        fix = f"export {OWN_TOKEN}=… (scope api, role Developer or more); in a job of its CI {JOB_TOKEN} is taken"
        raise UsageError(what, where=gitlab.forge.api, fix=fix)
    return gitlab


def _forge(workspace: Workspace, asking: Asking) -> Forge:
    remote = _remote(workspace)
    try:
        if asking.address:
            return parse_address(asking.address)
        if found := forge_of_ci(asking.variables):
            return found
        return parse_address(remote)
    except ValueError as error:
        where = "--project" if asking.address else f"the remote {remote.rpartition('@')[2]}" if remote else ""
        reason = error if asking.address or remote or "CI_API" in str(error) else "Git pushes it nowhere"
        what = f"it is not known which project of which GitLab this is: {reason}"
        raise UsageError(what, where=where, fix=_NAME_IT) from None


def _remote(workspace: Workspace) -> str:
    """Where the branch of releases is pushed to; empty if nowhere."""
    repository = workspace.repository
    name = repository.remote_of(workspace.bundle.state.branch)
    return repository.ask("remote", "get-url", "--", name).stdout.decode().strip() if name else ""
