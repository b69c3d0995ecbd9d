"""test."""

from __future__ import annotations

from pathlib import Path

import click

from lockstep.cli.arguments import since_commit
from lockstep.cli.output import emit, example, paint, say, shared
from lockstep.verbs.test import Result, test_components
from lockstep.verbs.workspace import open_workspace

_COLORS = {Result.PASSED: "green", Result.FAILED: "red", Result.NONE: "yellow"}


@click.command(epilog=example("lockstep test", "lockstep test ocr", "lockstep test --since origin/main"))
@click.argument("components", nargs=-1)
@click.option(
    "--since",
    metavar="REVISION",
    default="",
    help="Only components whose folder changed since that commit, committed or not; all of them where a file beside "
    "them in components/ did.",
)
@shared
def test(components: tuple[str, ...], since: str, form: str, folder: Path) -> int:
    """Run the tests of COMPONENTS (of all by default), by pytest, one component after the other."""
    workspace = open_workspace(folder, say)
    old = since_commit(workspace, since) if since else None
    if since and old is None:
        say(f"{since[:10]} is no commit here: every component is tested")
    tested = test_components(workspace, components, old)
    failed = [one for one in tested if one.result is Result.FAILED]
    for one in failed:
        say(f"{one.output.rstrip()}\n")
    if form == "json":
        results = [
            {"component": one.component, "result": one.result, "seconds": round(one.seconds, 3)} for one in tested
        ]
        emit("test", {"ok": not failed, "since": old, "components": results})
    else:
        for one in tested:
            print(f"{one.component:<16} {paint(one.result, _COLORS[one.result])} in {one.seconds:.1f} s")
        if not tested:
            print(f"no component changed since {since}" if since else "there is no component")
    return 1 if failed else 0
