"""stage, promote, rollback, retire: the edits of an environment."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lockstep.cli.output import edited_data, emit, example, say, shared, show_edited, writing
from lockstep.cli.releasing import parse_version
from lockstep.core.names import EnvironmentName
from lockstep.verbs.edit import Writing
from lockstep.verbs.workspace import open_workspace


def parse_environment_name(text: str) -> EnvironmentName:
    """An environment's name from the command line.

    Raises:
        click.BadParameter: it cannot be one.
    """
    try:
        return EnvironmentName(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="ENVIRONMENT") from error


@click.command(epilog=example("lockstep stage production 1.4.0"))
@click.argument("environment")
@click.argument("version")
@writing
@shared
def stage(environment: str, version: str, dry: bool, remote: str, form: str, folder: Path) -> None:
    """Add the instances of release VERSION to ENVIRONMENT. They start and warm up; no traffic reaches them."""
    from lockstep.verbs.stage import stage_release  # noqa: PLC0415

    edited = stage_release(
        open_workspace(folder, say), parse_environment_name(environment), parse_version(version), Writing(dry, remote)
    )
    show_edited(edited, form, dry=dry)
    if form == "text" and not dry:
        say(f"next: lockstep promote {environment} {version}")


@click.command(epilog=example("lockstep promote production 1.4.0"))
@click.argument("environment")
@click.argument("version")
@writing
@shared
def promote(environment: str, version: str, dry: bool, remote: str, form: str, folder: Path) -> None:
    """Move the front of ENVIRONMENT to the staged release VERSION, once its root has passed its gate."""
    from lockstep.verbs.promote import promote_release  # noqa: PLC0415

    edited = promote_release(
        open_workspace(folder, say), parse_environment_name(environment), parse_version(version), Writing(dry, remote)
    )
    show_edited(edited, form, dry=dry)
    if form == "text" and edited.commit:
        say(f"to take it back: lockstep rollback {environment}   (or: git revert {edited.commit[:10]})")


@click.command(
    epilog=example(
        "lockstep rollback production", "lockstep rollback production --to 1.3.0 --hold 'wrong totals, see INC-7'"
    )
)
@click.argument("environment")
@click.option(
    "--to", "version", metavar="VERSION", help="The release to go back to; by default the one that served before."
)
@click.option(
    "--hold",
    metavar="REASON",
    default="",
    help="Also refuse promotes until hold.yaml is removed, so that no bot promotes it again.",
)
@writing
@shared
def rollback(environment: str, version: str | None, hold: str, dry: bool, remote: str, form: str, folder: Path) -> None:
    """Take ENVIRONMENT back, as `git revert` of its last promote would. A retired release is restored first, in a
    commit of its own.
    """
    from lockstep.verbs.rollback import roll_back  # noqa: PLC0415

    wanted = parse_version(version) if version else None
    done = roll_back(
        open_workspace(folder, say), parse_environment_name(environment), wanted, hold, Writing(dry, remote)
    )
    if form == "json":
        emit("rollback", {"edits": [edited_data(edited, dry=dry) for edited in done]})
        return
    for edited in done:
        show_edited(edited, form, dry=dry)


@click.command(epilog=example("lockstep retire production --keep 1.3.0", "lockstep retire staging --drop 1.5.0-rc.1"))
@click.argument("environment")
@click.option(
    "--keep",
    metavar="VERSION",
    multiple=True,
    help="A release to keep as well. Kept anyway: what serves, what served before, what waits for its promote.",
)
@click.option("--drop", metavar="VERSION", multiple=True, help="A release to delete although it would be kept.")
@writing
@shared
def retire(
    environment: str, keep: tuple[str, ...], drop: tuple[str, ...], dry: bool, remote: str, form: str, folder: Path
) -> None:
    """Delete from ENVIRONMENT every instance and gate that no kept release needs."""
    from lockstep.verbs.retire import Keeping, retire_releases  # noqa: PLC0415

    keeping = Keeping(tuple(map(parse_version, keep)), tuple(map(parse_version, drop)), time.time())
    edited = retire_releases(
        open_workspace(folder, say), parse_environment_name(environment), keeping, Writing(dry, remote)
    )
    show_edited(edited, form, dry=dry)
