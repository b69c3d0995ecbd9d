"""What every edit of an environment shares: the release bound to it, and one commit that says what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lockstep.core.bindings import refuse_unfit
from lockstep.core.compose import compose
from lockstep.core.edits import Edit, edits
from lockstep.core.environment import BINDINGS_FILE, Environment, Rendered, format_environment
from lockstep.core.flux import overlaid
from lockstep.core.names import EnvironmentName, GitSha
from lockstep.core.version import Version
from lockstep.verbs.landing import Writing, write
from lockstep.verbs.workspace import Workspace, below, templates_at


@dataclass(frozen=True)
class Edited:
    """What a writing verb did, or would do.

    Args:
        verb: Its name.
        environment: Where; empty for a release.
        edits: The files, with paths in the bundle.
        commit: The commit; None when there was nothing to do or for a dry run.
        said: What it means, in one sentence.
        versions: The releases concerned.
    """

    verb: str
    environment: str
    edits: tuple[Edit, ...]
    commit: GitSha | None
    said: str
    versions: tuple[Version, ...] = ()


def render_release(workspace: Workspace, environment: Environment, version: Version) -> Rendered:
    """A release bound to an environment, by the templates that the release pins.

    Raises:
        UsageError: no such release, or its commit is not here.
        Refused: bindings.yaml does not fit the release.
    """
    release = workspace.state.release(version)
    bindings = environment.bindings
    refuse_unfit(bindings, release, f"releases/{environment.name}/{BINDINGS_FILE}")
    return compose(release, bindings, workspace.state.bundle.registry, templates_at(workspace.repository, release))


def write_environment(
    workspace: Workspace, old: Environment, new: Environment, trailers: Mapping[str, str], writing: Writing
) -> Edited:
    """The commit that turns one state of an environment into another; none when they are equal.

    What the environment's agent is told goes with it, whichever verb it is.

    Args:
        workspace: Where.
        old: What is there.
        new: What shall be there.
        trailers: `Edit`, `Release`, `Root`: written as Git trailers, with the environment's name.
        writing: Whether and where to.
    """
    new = told(workspace, new)
    changes = below(f"releases/{old.name}", edits(format_environment(old), format_environment(new)))
    verb, said = trailers["Edit"], subject(old.name, trailers)
    versions = (Version(trailers["Release"]),) if "Release" in trailers else ()
    if not changes or writing.dry:
        return Edited(verb, old.name, changes, None, said, versions)
    words = {"Environment": old.name, **trailers, **(writing.asking.trailers if writing.asking else {})}
    commit = write(workspace, changes, message(said, words), writing)
    return Edited(verb, old.name, changes, commit, said, versions)


def told(workspace: Workspace, environment: Environment) -> Environment:
    """The environment with what its agent is told of it."""
    return overlaid(environment, workspace.state.bundle, workspace.repository.prefix)


def subject(environment: EnvironmentName, trailers: Mapping[str, str]) -> str:
    """First line of the commit: `stage 1.2.0 in staging`."""
    return " ".join(part for part in (trailers["Edit"], trailers.get("Release", ""), "in", environment) if part)


def message(first: str, trailers: Mapping[str, str]) -> str:
    """A commit message with Git trailers. Source: git-interpret-trailers(1)."""
    return f"{first}\n\n" + "".join(f"Lockstep-{key}: {value}\n" for key, value in trailers.items())
