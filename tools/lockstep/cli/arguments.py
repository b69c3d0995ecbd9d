"""What several commands take: versions, environments, commits."""

from __future__ import annotations

import re

import click

from lockstep.cli.output import say
from lockstep.core.names import EnvironmentName, GitSha
from lockstep.core.version import Version
from lockstep.verbs.workspace import Workspace

_SHA = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


def parse_version(text: str, workspace: Workspace | None = None) -> Version:
    """A version from the command line. Of a workspace the name of a version's tag (v1.4.0) means that version too, as
    CI says it.

    Raises:
        click.BadParameter: it is none.
    """
    prefix = workspace.bundle.tag_prefix if workspace else ""
    try:
        return Version(text.removeprefix(prefix))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="VERSION") from error


def parse_environment_name(text: str) -> EnvironmentName:
    """An environment's name from the command line.

    Raises:
        click.BadParameter: it cannot be one.
    """
    try:
        return EnvironmentName(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="ENVIRONMENT") from error


def commit_at(workspace: Workspace, revision: str) -> GitSha:
    """The commit that a revision names.

    Raises:
        click.BadParameter: it names none.
    """
    commit = workspace.repository.resolve(revision)
    if commit is None:
        raise click.BadParameter(f"{revision!r} names no commit here", param_hint="REVISION")
    return commit


def since_commit(workspace: Workspace, revision: str) -> GitSha | None:
    """The commit of `--since`; None for a full id that is not here: CI says zeros of a new branch, and the id of a
    commit that is gone after a forced push.

    Raises:
        click.BadParameter: another word names no commit.
    """
    commit = workspace.repository.resolve(revision)
    if commit is None and not _SHA.fullmatch(revision):
        raise click.BadParameter(f"{revision!r} names no commit here", param_hint="--since")
    return commit


def note_uncommitted(changed: tuple[str, ...] | None) -> None:
    """Says what is no part of a plan or a release, because it is not committed."""
    if changed is None:
        say(
            "note: the working tree is large and was not compared; what is committed counts (git status shows the rest)"
        )
    elif changed:
        say(
            f"note: {len(changed)} uncommitted {'file is' if len(changed) == 1 else 'files are'} not part of this, "
            f"only what is committed counts: {', '.join(changed[:3])}{' …' if len(changed) > 3 else ''}"
        )
