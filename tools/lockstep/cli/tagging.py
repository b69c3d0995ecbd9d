"""tag."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockstep.cli.arguments import parse_version
from lockstep.cli.output import emit, example, paint_notes, say, shared
from lockstep.core.version import Version
from lockstep.verbs.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from lockstep.verbs.tag import Tagged


@click.command(epilog=example("lockstep tag 1.4.0", "lockstep tag 1.4.0 --sign --push origin"))
@click.argument("version")
@click.option("--dry-run", "dry", is_flag=True, help="Check everything, show the tag's message, and tag nothing.")
@click.option("--push", "remote", metavar="REMOTE", default="", help="Push the tag there; if that fails there is none.")
@click.option("--sign/--no-sign", default=None, help="Sign it, or not; without either as Git is set (tag.gpgSign).")
@shared
def tag(version: str, dry: bool, remote: str, sign: bool | None, form: str, folder: Path) -> None:
    """Tag HEAD as VERSION, after every check that its release would fail by; the message says what it will do."""
    from lockstep.verbs.tag import Tagging, tag_version  # noqa: PLC0415

    workspace, wanted = open_workspace(folder, say), parse_version(version)
    tagged = tag_version(workspace, wanted, Tagging(dry, remote, sign))
    if tagged.unpushed:
        branch = workspace.repository.current_branch or "HEAD"
        say(
            f"note: no branch of {tagged.unpushed} has this commit, as far as this clone knows: "
            f"git push {tagged.unpushed} {branch}"
        )
    if form == "json":
        emit("tag", _data(tagged, wanted, remote, dry=dry))
    elif dry:
        print(paint_notes(tagged.message.rstrip("\n").split("\n")))
        say(f"would tag {tagged.planned.commit[:10]} as {tagged.name}; nothing was tagged")
    else:
        _show(workspace, tagged, wanted, remote)


def _show(workspace: Workspace, tagged: Tagged, version: Version, remote: str) -> None:
    signed, pushed = "signed" if tagged.is_signed else "not signed", f", pushed to {remote}" if remote else ""
    print(f"{tagged.name} names {tagged.planned.commit[:10]} ({signed}{pushed})")
    other = workspace.repository.remote_of(workspace.repository.current_branch or "")
    print(
        f"next: lockstep release {version}" + (f", or git push {other} {tagged.name}" if other and not remote else "")
    )


def _data(tagged: Tagged, version: Version, remote: str, *, dry: bool) -> dict[str, Any]:
    plan = tagged.planned.plan
    return {
        "version": str(version),
        "tag": tagged.name,
        "commit": tagged.planned.commit,
        "object": tagged.made,
        "signed": tagged.is_signed,
        "pushed": remote if remote and not dry else None,
        "dry_run": dry,
        "base": str(plan.base) if plan.base else None,
        "required": plan.bump,
        "unpushed": tagged.unpushed or None,
        "message": tagged.message,
        "notes": tagged.notes.model_dump(mode="json"),
    }
