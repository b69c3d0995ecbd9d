"""announce: what the forge is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lockstep.cli.arguments import parse_version
from lockstep.cli.output import asking, diff_lines, emit, example, say, shared
from lockstep.verbs.workspace import open_workspace

if TYPE_CHECKING:
    from lockstep.verbs.announce import Announced

Command = TypeVar("Command", bound=Callable[..., Any])


def forging(command: Command) -> Command:
    """Adds the option of commands that ask a forge: `--project ADDRESS`."""
    return click.option(
        "--project",
        "address",
        metavar="ADDRESS",
        default="",
        help="The GitLab project, such as https://gitlab.example.org/team/documents; without it the one whose CI runs "
        "this (CI_API_V4_URL, CI_PROJECT_ID), else the one that Git pushes to.",
    )(command)


@click.command(epilog=example("lockstep announce 1.4.0", "lockstep announce v1.4.0 --dry-run"))
@click.argument("version")
@click.option("--dry-run", "dry", is_flag=True, help="Show what would be written, and write nothing.")
@forging
@asking
@shared
def announce(version: str, dry: bool, address: str, form: str, folder: Path, *, plain_http: bool) -> None:
    """Write the notes of release VERSION on its page in GitLab: those that `lockstep changelog VERSION` tells.

    VERSION may be the tag, as CI_COMMIT_TAG names it. A page that says the same is left alone, so running it again
    does no harm. The token is that of LOCKSTEP_GITLAB_TOKEN, or of the CI job.
    """
    from lockstep.verbs.announce import announce_release  # noqa: PLC0415
    from lockstep.verbs.forge import Asking, needs_token, open_gitlab  # noqa: PLC0415

    workspace = open_workspace(folder, say)
    wanted = parse_version(version, workspace)
    gitlab = needs_token(open_gitlab(workspace, Asking(os.environ, address, plain_http)))
    announced = announce_release(workspace, wanted, gitlab, dry=dry)
    if form == "json":
        project = {"project": gitlab.forge.name, "api": gitlab.forge.api}
        emit("announce", {"version": str(wanted), **project, **_data(announced), "dry_run": dry})
        return
    if dry:
        _show(announced)
    words = {"created": "would be created", "updated": "would be updated", "unchanged": "is as it should be"}
    said = words[announced.done] if dry else announced.done
    print(f"{announced.tag} of {gitlab.forge.name}: {said}" + (f"; {announced.page}" if announced.page else ""))


def _show(announced: Announced) -> None:
    before = None if announced.before is None else announced.before.replace("\r\n", "\n").encode()
    print("\n".join(diff_lines(f"releases/{announced.tag}", before, announced.text.encode())))


def _data(announced: Announced) -> dict[str, Any]:
    found = {"tag": announced.tag, "done": announced.done, "page": announced.page or None}
    return {**found, "before": announced.before, "notes": announced.text}
