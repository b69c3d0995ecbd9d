"""diff, changelog: what releases do, for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockstep.cli.arguments import parse_version
from lockstep.cli.output import emit, example, paint_notes, readable, say
from lockstep.core.names import ComponentName
from lockstep.verbs.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from lockstep.core.changelog import ReleaseNotes


@click.command(epilog=example("lockstep diff 1.3.0 1.4.0", "lockstep diff 1.3.0 1.4.0 -o markdown"))
@click.argument("old")
@click.argument("new")
@readable
def diff(old: str, new: str, form: str, folder: Path) -> None:
    """Show what release NEW pins differently from release OLD, and why; prompts as text."""
    from lockstep.core.diff import diff as compare  # noqa: PLC0415
    from lockstep.core.notes_markdown import notes_markdown  # noqa: PLC0415
    from lockstep.core.notes_text import notes_lines  # noqa: PLC0415
    from lockstep.verbs.changelog import notes_between  # noqa: PLC0415

    workspace, versions = open_workspace(folder, say), (parse_version(old), parse_version(new))
    found = workspace.state.releases(versions)
    before, after = (found[version] for version in versions)
    said = notes_between(workspace, before, after)
    if form == "json":
        differences = [item.model_dump(mode="json") for item in compare(before, after)]
        emit("diff", {"old": old, "new": new, "differences": differences, "notes": said.model_dump(mode="json")})
    elif form == "markdown":
        print(notes_markdown(said), end="")
    elif not said.components and not said.facts:
        print(f"{old} and {new} pin the same")
    else:
        print(paint_notes([f"{old} -> {new}", *("  " + line for line in notes_lines(said))]))


@click.command(
    epilog=example(
        "lockstep changelog 1.4.0", "lockstep changelog --component ocr -o markdown", "lockstep changelog --write"
    )
)
@click.argument("version", default="")
@click.option("--component", metavar="NAME", default="", help="Only what was done to this component itself.")
@click.option("--write", "is_written", is_flag=True, help="Write CHANGELOG.md in the bundle's folder.")
@readable
def changelog(version: str, component: str, is_written: bool, form: str, folder: Path) -> None:
    """Show what release VERSION did (for none: every release, newest first), prompts as text.

    A final release is told with all that its pre-releases did; those are told by themselves until it is there.
    """
    workspace = open_workspace(folder, say)
    if is_written:
        _write(workspace, form, is_narrowed=bool(version or component))
        return
    log = _log(workspace, version, component)
    if form == "json":
        emit("changelog", {"bundle": workspace.bundle.name, "releases": [_data(one) for one in log]})
    elif form == "markdown":
        _show_markdown(workspace, log, is_whole=not version)
    else:
        _show_text(log, component)


def _log(workspace: Workspace, version: str, component: str) -> tuple[ReleaseNotes, ...]:
    from lockstep.core.changelog import of_component  # noqa: PLC0415
    from lockstep.verbs.changelog import notes_of, whole_log  # noqa: PLC0415

    log = (notes_of(workspace, parse_version(version)),) if version else whole_log(workspace)
    return of_component(log, _component(component, log)) if component else log


def _component(name: str, log: tuple[ReleaseNotes, ...]) -> ComponentName:
    known = {other for one in log for other in one.notes.same}
    known |= {other.component for one in log for other in one.notes.components}
    if name not in known:
        what = f"no release here has a component `{name}`; there are {', '.join(sorted(known)) or 'none'}"
        raise click.BadParameter(what, param_hint="--component")
    return ComponentName(name)


def _show_markdown(workspace: Workspace, log: tuple[ReleaseNotes, ...], *, is_whole: bool) -> None:
    from lockstep.core.notes_markdown import changelog_markdown, release_markdown  # noqa: PLC0415

    shown = changelog_markdown(workspace.bundle.name, log) if is_whole else "".join(map(release_markdown, log))
    print(shown, end="")


def _show_text(log: tuple[ReleaseNotes, ...], component: str) -> None:
    from lockstep.core.notes_text import release_lines  # noqa: PLC0415

    if not log:
        say(f"nothing was done to {component} itself" if component else "there is no release yet")
        return
    print("\n\n".join(paint_notes(release_lines(one)) for one in log))


def _write(workspace: Workspace, form: str, *, is_narrowed: bool) -> None:
    from lockstep.verbs.changelog import FILE, write_changelog  # noqa: PLC0415

    if is_narrowed:
        raise click.UsageError(f"--write writes the whole {FILE}: give neither VERSION nor --component")
    written = write_changelog(workspace)
    if form == "json":
        emit("changelog-written", {"path": str(written.path), "changed": written.changed})
        return
    print(f"{FILE}: written; next: git add {FILE} && git commit" if written.changed else f"{FILE}: as it was")


def _data(one: ReleaseNotes) -> dict[str, Any]:
    return {"version": str(one.version), **one.model_dump(mode="json")}
