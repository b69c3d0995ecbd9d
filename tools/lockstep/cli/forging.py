"""announce, doctor: what the forge is told, and what it tells."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lockstep.cli.arguments import parse_version
from lockstep.cli.output import asking, diff_lines, emit, example, paint, say, shared
from lockstep.core.shown import visible
from lockstep.verbs.workspace import open_workspace

if TYPE_CHECKING:
    from lockstep.verbs.forge.announce import Announced
    from lockstep.verbs.forge.doctor import Diagnosed

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
    from lockstep.verbs.forge.announce import announce_release  # noqa: PLC0415
    from lockstep.verbs.forge.opening import Asking, needs_token, open_gitlab  # noqa: PLC0415

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
    print(
        f"{announced.tag} of {gitlab.forge.name}: {said}" + (f"; {visible(announced.page)}" if announced.page else "")
    )


def _show(announced: Announced) -> None:
    before = None if announced.before is None else announced.before.replace("\r\n", "\n").encode()
    print("\n".join(map(visible, diff_lines(f"releases/{announced.tag}", before, announced.text.encode()))))


def _data(announced: Announced) -> dict[str, Any]:
    found = {"tag": announced.tag, "done": announced.done, "page": announced.page or None}
    return {**found, "before": announced.before, "notes": announced.text}


@click.command(
    epilog=example(
        "lockstep doctor", "lockstep doctor --strict -o json | jq '.checks[] | select(.outcome != \"fine\")'"
    )
)
@click.option("--strict", is_flag=True, help="What cannot be told is as bad as a finding.")
@click.option(
    "--probe",
    is_flag=True,
    help="Write one tag twice into the repository `lockstep-doctor` of the registry, to see whether it keeps tags; and "
    "take it away again.",
)
@forging
@asking
@shared
def doctor(strict: bool, probe: bool, address: str, form: str, folder: Path, *, plain_http: bool) -> int:
    """Check what only settings can give: protections of branch, tags and environments, owners, variables, webhooks,
    immutable tags of images, and this machine; each with the setting to change. Nothing is changed.

    What cannot be told (no token, no right, another tier of GitLab) is said, and is never taken for fine. Settings are
    read with LOCKSTEP_GITLAB_TOKEN: scope read_api, role Maintainer.
    """
    from lockstep.core.doctor.check import Outcome  # noqa: PLC0415
    from lockstep.verbs.forge.doctor import diagnose  # noqa: PLC0415
    from lockstep.verbs.forge.opening import Asking  # noqa: PLC0415
    from lockstep.verbs.images.stores import own_stores  # noqa: PLC0415

    workspace = open_workspace(folder, say)
    stores = own_stores(workspace, plain_http=plain_http)
    found = diagnose(workspace, Asking(os.environ, address, plain_http), stores, probe=probe)
    is_ok = not found.of(Outcome.FINDING) and not (strict and found.of(Outcome.UNTOLD))
    if form == "json":
        emit(
            "doctor",
            {
                "ok": is_ok,
                "forge": found.forge or None,
                "unasked": found.unasked or None,
                "checks": [asdict(one) for one in found.checks],
            },
        )
    else:
        _show_checks(found)
    return 0 if is_ok else 1


def _show_checks(found: Diagnosed) -> None:
    """A line for each check, and below it what is needed to change it."""
    from lockstep.core.doctor.check import Outcome  # noqa: PLC0415

    colors = {Outcome.FINE: "green", Outcome.FINDING: "red", Outcome.UNTOLD: "yellow"}
    print(f"GitLab: {found.forge}" if found.forge else f"GitLab was not asked: {found.unasked}")
    for one in found.checks:
        print(f"{paint(f'{one.outcome:<14}', colors[one.outcome])}  {one.rule:<19}  {visible(one.said)}")
        if one.outcome is Outcome.FINDING:
            print(f"{'':37}where: {one.where}\n{'':37}why:   {one.means}")
        if one.fix:
            print(f"{'':37}fix:   {one.fix}")
    fine, wrong, untold = (len(found.of(outcome)) for outcome in Outcome)
    print(f"{fine} fine, {wrong} to change, {untold} cannot be told; docs/rules.md explains each")
