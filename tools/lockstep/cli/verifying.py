"""verify."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockstep.cli.arguments import commit_at, parse_environment_name, since_commit
from lockstep.cli.output import asking, emit, paint, say, shared, show_findings
from lockstep.core.shown import amount

if TYPE_CHECKING:
    from lockstep.verbs.verify import Looking, Verified
    from lockstep.verbs.workspace import Workspace

_EPILOG = """Examples:

  lockstep verify

  lockstep verify 1.4.0 production --deep

  lockstep verify 1.4.0 --registry

  lockstep verify production -o json | jq '.findings[].rule'

  lockstep verify --front production --registry

  lockstep verify --since HEAD~1 --registry

Every rule: docs/rules.md. Exit codes: 0 verified, 1 findings, 2 no such release or environment."""


@click.command(epilog=_EPILOG)
@click.argument("what", nargs=-1)
@click.option(
    "--deep", is_flag=True, help="Hash every byte of every layer, however large (by default up to 64 MB per release)."
)
@click.option("--registry", "remote", is_flag=True, help="Look for images in the registry, not in .lockstep/store.")
@click.option(
    "--front",
    "is_front",
    is_flag=True,
    help="Check the fast way back alone: WHAT are environments whose front names what served before; what it needs is "
    "there and unchanged, and retention keeps it.",
)
@click.option(
    "--since",
    metavar="REVISION",
    default="",
    help="Verify what the commits after REVISION, up to HEAD, changed below releases/; of a front that only moved "
    "back, the way back alone.",
)
@asking
@shared
def verify(
    what: tuple[str, ...], since: str, form: str, folder: Path,
    *, deep: bool, remote: bool, is_front: bool, plain_http: bool,
) -> int:  # fmt: skip
    """Re-check releases and environments from Git and the store alone.

    WHAT are versions and environments; all of them by default. Nothing that an earlier run said is believed: every id
    is computed again from its file, every digest from its bytes.
    """
    from lockstep.verbs.images.shelf import OwnShelf, registry_shelf  # noqa: PLC0415
    from lockstep.verbs.images.stores import own_stores  # noqa: PLC0415
    from lockstep.verbs.verify import Looking, verify_bundle  # noqa: PLC0415
    from lockstep.verbs.workspace import open_workspace  # noqa: PLC0415

    if since and (what or is_front):
        raise click.UsageError("--since tells by itself what is verified: give neither WHAT nor --front")
    workspace = open_workspace(folder, say)
    stores = own_stores(workspace, plain_http=plain_http)
    shelf = registry_shelf(workspace, stores) if remote else OwnShelf(stores.of)
    looking = Looking(shelf, deep, time.time())
    verified = (
        _since(workspace, since, looking) if since
        else _fronts(workspace, what, looking) if is_front
        else verify_bundle(workspace, what, looking)
    )  # fmt: skip
    if form == "json":
        found = [asdict(finding) for finding in verified.findings]
        emit("verify", {"ok": not found, "checked": verified.checked, "findings": found, "notes": verified.notes})
    else:
        _show(verified)
    return 1 if verified.findings else 0


def _fronts(workspace: Workspace, what: tuple[str, ...], looking: Looking) -> Verified:
    from lockstep.verbs.verify_back import verify_fronts  # noqa: PLC0415

    return verify_fronts(workspace, [parse_environment_name(name) for name in what], looking)


def _since(workspace: Workspace, revision: str, looking: Looking) -> Verified:
    """HEAD is what CI checks out, on a branch or on none; releases in a repository of their own are not on it."""
    from lockstep.verbs.verify_back import verify_since  # noqa: PLC0415

    is_elsewhere = bool(workspace.bundle.state.repository)
    there = workspace if is_elsewhere else workspace.at(commit_at(workspace, "HEAD"))
    tip = there.state.commit  # of a repository of their own, now that it was asked
    old = since_commit(workspace, revision)
    if old is None:
        say(f"{revision[:10]} is no commit here: every release and environment at {tip[:10]} is verified")
    return verify_since(there, old, looking)


def _show(verified: Verified) -> None:
    """Findings by rule, then what was looked at."""
    found, checked = verified.findings, verified.checked
    show_findings(found, sys.stdout)
    if found:
        said = f"{_count(len(found), 'finding')} of {_count(len({finding.rule for finding in found}), 'rule')}"
        print(paint(f"not verified: {said}", "red") + "; docs/rules.md explains each")
    names = ("release", "environment", "instance", "image", "blob")
    parts = ", ".join(_count(checked[f"{name}s"], name) for name in names)
    word = "looked at" if found else paint("verified", "green")
    print(f"{word}: {parts}; {amount(checked['bytes_hashed'])} hashed")
    for note in verified.notes:
        print(f"not checked: {note}")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
