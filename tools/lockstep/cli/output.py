"""What commands print: the result on standard output, words for people on standard error."""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast

import click

Command = TypeVar("Command", bound=Callable[..., Any])
_COLORS = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}


def shared(command: Command) -> Command:
    """Adds the options that every command has: `-o json` and `-C FOLDER`."""
    return _formed(command, "text", "json")


def readable(command: Command) -> Command:
    """Adds the same to commands whose result is something to read: they have `-o markdown` too."""
    return _formed(command, "text", "json", "markdown")


def _formed(command: Command, *forms: str) -> Command:
    output = click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(forms),
        default="text",
        help="Form of the result; json has a versioned schema.",
    )
    folder = click.option(
        "-C",
        "--directory",
        "folder",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=".",
        help="Work as if started in this folder.",
    )
    return output(folder(command))


def writing(command: Command) -> Command:
    """Adds the options of verbs that commit, which become one argument `how`: `--dry-run`, `--push REMOTE`, `--mr`."""

    @functools.wraps(command)
    def with_how(*arguments: Any, dry: bool, remote: str, proposes: bool, **options: Any) -> Any:
        from lockstep.verbs.landing import Writing  # noqa: PLC0415

        if proposes and options.get("wait") is not None:
            raise click.UsageError("--wait has nothing to wait for: a merge request (--mr) moves nothing until merged")
        return command(*arguments, how=Writing(dry, remote, proposes=proposes), **options)

    dry_run = click.option("--dry-run", "dry", is_flag=True, help="Show the exact diff and commit nothing.")
    push = click.option(
        "--push",
        "remote",
        metavar="REMOTE",
        default="",
        help="Write to this remote: start from what it has, push before anything moves here, and start again if "
        "somebody else was first.",
    )
    propose = click.option(
        "--mr", "proposes", is_flag=True, help="With --push: to a branch of its own, as a merge request (GitLab)."
    )
    return dry_run(push(propose(cast("Command", with_how))))


def asking(command: Command) -> Command:
    """Adds the option of verbs that ask registries: `--plain-http`."""
    return click.option(
        "--plain-http",
        is_flag=True,
        envvar="LOCKSTEP_PLAIN_HTTP",
        show_envvar=True,
        help="Ask registries without TLS; this machine's loopback is always asked so.",
    )(command)


def building(command: Command) -> Command:
    """Adds the options of verbs that build: `--jobs`, and those of verbs that ask registries."""
    kind = click.IntRange(1, 64)
    return asking(
        click.option("--jobs", default=2, show_default=True, type=kind, help="Images that Docker builds at once.")(
            command
        )
    )


def example(*lines: str) -> str:
    """The worked example at the end of a command's help, each line as it is typed."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def say(line: str) -> None:
    """A line of progress for people, in one piece: several builds may say something at once."""
    print(f"{line}\n", end="", file=sys.stderr, flush=True)


def emit(schema: str, data: dict[str, Any]) -> None:
    """The result as JSON with its schema's name."""
    print(json.dumps({"schema": f"lockstep.dev/cli/{schema}/v1", **data}, indent=2, default=str, ensure_ascii=False))


def paint(text: str, color: str, stream: TextIO | None = None) -> str:
    """The text in a color, where the stream is a terminal and NO_COLOR is not set."""
    stream = stream or sys.stdout
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty()
    return text if plain else f"\x1b[{_COLORS[color]}m{text}\x1b[0m"


def show_error(error: Exception) -> int:
    """The exit code of an error, once it was shown: what, where, fix."""
    from lockstep.core.errors import LockstepError, Refused  # noqa: PLC0415

    if not isinstance(error, LockstepError):
        import traceback  # noqa: PLC0415

        traceback.print_exception(error)
        print("lockstep: this is a defect of Lockstep; please report it with the lines above", file=sys.stderr)
        return 3
    print(
        paint("error: ", "red", sys.stderr)
        + error.what
        + (f"\n  where: {error.where}" if error.where else "")
        + (f"\n  fix:   {error.fix}" if error.fix else ""),
        file=sys.stderr,
    )
    if isinstance(error, Refused):
        show_findings(error.findings, sys.stderr)
    return error.exit_code


def show_findings(findings: Iterable[Any], stream: TextIO) -> None:
    """Each finding in three lines: rule and component, place and sentence, fix."""
    for finding in findings:
        name = f" {finding.component}" if finding.component else ""
        print(
            f"- {paint(finding.rule, 'yellow', stream)}{name}: {finding.what}\n    where: {finding.where}\n    fix:   "
            f"{finding.fix}",
            file=stream,
        )


def diff_lines(path: str, old: bytes | None, new: bytes | None) -> list[str]:
    """The unified diff of one file."""
    import difflib  # noqa: PLC0415 - and traceback below: `lockstep --help` needs neither

    before, after = ((data or b"").decode(errors="replace").splitlines() for data in (old, new))
    names = (f"a/{path}" if old is not None else "/dev/null", f"b/{path}" if new is not None else "/dev/null")
    return list(difflib.unified_diff(before, after, *names, lineterm=""))


def show_edited(edited: Any, form: str, *, dry: bool) -> None:
    """What a writing verb did or would do."""
    if form == "json":
        emit(edited.verb, edited_data(edited, dry=dry))
        return
    if dry:
        for edit in edited.edits:
            print("\n".join(diff_lines(edit.path, edit.old, edit.new)))
    if not edited.edits:
        say(f"{edited.said}: nothing to do, it is so already")
    elif dry:
        say(f"would {edited.said}: {len(edited.edits)} files; nothing was committed")
    else:
        added = sum(edit.old is None for edit in edited.edits)
        removed = sum(edit.new is None for edit in edited.edits)
        print(
            f"{edited.commit[:10]} {edited.said}: {added} files added, {len(edited.edits) - added - removed} changed, "
            f"{removed} removed"
        )


def paint_notes(lines: Iterable[str]) -> str:
    """The lines of notes for a terminal: components bold, what a prompt lost red, what it gained green."""
    return "\n".join(paint(line, color) if (color := _color_of(line)) else line for line in lines)


def _color_of(line: str) -> str:
    sign = line.lstrip(" ")[:1]
    if sign in {"+", "-"}:
        return "green" if sign == "+" else "red"
    return "" if line.startswith("    ") else "bold"


def edited_data(edited: Any, *, dry: bool) -> dict[str, Any]:
    """The JSON form of what a writing verb did."""
    kinds = [
        {"path": edit.path, "change": "added" if edit.old is None else "removed" if edit.new is None else "changed"}
        for edit in edited.edits
    ]
    data = {
        "said": edited.said,
        "environment": edited.environment or None,
        "versions": [str(version) for version in edited.versions],
        "commit": edited.commit,
        "dry_run": dry,
        "files": kinds,
    }
    if dry:
        data["diff"] = "\n".join(line for edit in edited.edits for line in diff_lines(edit.path, edit.old, edit.new))
    return data


def moment(seconds: float) -> str:
    """A time of UTC: 2026-11-21 12:30:05Z."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))
