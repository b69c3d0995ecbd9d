"""What several commands take: versions, environments."""

from __future__ import annotations

import click

from lockstep.core.names import EnvironmentName
from lockstep.core.version import Version
from lockstep.verbs.workspace import Workspace


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
