"""What several commands take: versions."""

from __future__ import annotations

import click

from lockstep.core.version import Version


def parse_version(text: str) -> Version:
    """A version from the command line.

    Raises:
        click.BadParameter: it is none.
    """
    try:
        return Version(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="VERSION") from error
