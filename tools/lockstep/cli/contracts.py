"""contracts check, diff, edges."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lockstep.cli.arguments import commit_at, note_uncommitted
from lockstep.cli.output import emit, example, paint, say, show_findings

if TYPE_CHECKING:
    from lockstep.core.contract.edges import Edge
    from lockstep.core.contract.finding import Level
    from lockstep.core.contract.forms.calls import CallGraph
    from lockstep.core.contract.forms.report import Report
    from lockstep.verbs.contracts_check import Checked
    from lockstep.verbs.contracts_diff import Compared
    from lockstep.verbs.workspace import Workspace

Command = TypeVar("Command", bound=Callable[..., Any])
_REPORTS = ("text", "markdown", "json", "sarif", "junit")
_HOW = {
    "sarif": "Form of the result; json has a versioned schema, sarif is SARIF 2.1.0, junit is JUnit XML.",
    "svg": "Form of the result; json has a versioned schema, svg is a picture.",
}


@click.group()
def contracts() -> None:
    """Judge whether contracts fit: in a bundle, and between two versions of one."""


def _judging(default: str, *forms: str) -> Callable[[Command], Command]:
    """Adds `-o`, `--fail-on` and `-C`."""

    def add(command: Command) -> Command:
        help_ = next(text for form, text in _HOW.items() if form in forms)
        kind = click.Choice(["ERR", "WARN", "INFO"])
        what = "Exit with 1 where a finding weighs as much as this, or more."
        fail = click.option("--fail-on", "fail_on", type=kind, default=default, show_default=True, help=what)
        output = click.option("-o", "--output", "form", type=click.Choice(forms), default="text", help=help_)
        place = click.Path(exists=True, file_okay=False, path_type=Path)
        where = "Work as if started in this folder."
        return output(fail(click.option("-C", "--directory", "folder", type=place, default=".", help=where)(command)))

    return add


def _at(command: Command) -> Command:
    """Adds COMMIT and `--working-copy`."""
    help_ = "Read files as they lie there, committed or not, instead of those of COMMIT."
    option = click.option("--working-copy", "is_working", is_flag=True, help=help_)
    return click.argument("commit", default="")(option(command))


@contracts.command(
    epilog=example(
        "lockstep contracts check",
        "lockstep contracts check --working-copy",
        "lockstep contracts check v1.4.0 -o junit > contracts.xml",
    )
)
@_at
@click.option("--all", "is_all", is_flag=True, help="Also what breaks nobody: what is promised beyond what is needed.")
@_judging("ERR", *_REPORTS)
def check(commit: str, fail_on: str, form: str, folder: Path, *, is_working: bool, is_all: bool) -> int:
    """Check the contracts of the bundle at COMMIT (HEAD by default): every contract and every use file reads strictly,
    and each component promises what its callers need.
    """
    from lockstep.core.contract.finding import Level  # noqa: PLC0415
    from lockstep.core.contract.forms.data import findings_data, summary_data  # noqa: PLC0415

    workspace, checked = _checked(commit, folder, is_working=is_working)
    report = _calls_report(workspace, checked, commit, Level(fail_on), is_all=is_all)
    if form == "json":
        calls = [
            {**_call_data(edge), "findings": findings_data(report, asked)}
            for edge, asked in zip(checked.edges, report.asked, strict=True)
        ]
        said = {"commit": checked.commit, "files": checked.gathered.files, "calls": calls}
        emit("contracts-check", {**summary_data(report), **said})
    else:
        _show(report, form)
    return 0 if report.is_ok else 1


@contracts.command(
    epilog=example(
        "lockstep contracts diff old.yaml new.yaml",
        "lockstep contracts diff v1.4.0:api/openapi.yaml api/openapi.yaml -o markdown",
        "lockstep contracts diff v1.4.0 HEAD --component gateway",
    )
)
@click.argument("old")
@click.argument("new")
@click.option("--component", metavar="NAME", default="", help="OLD and NEW are commits; compare this one's contract.")
@_judging("WARN", *_REPORTS)
def diff(old: str, new: str, component: str, fail_on: str, form: str, folder: Path) -> int:
    """Tell whether contract NEW satisfies everything that OLD promised, and which bump that requires at the entry.

    OLD and NEW are files, or files of a commit: REF:PATH. OpenAPI 3.0 and 3.1 documents and JSON Schemas; files that
    they refer to are read from beside them. No bundle is needed, and for files no repository.
    """
    from lockstep.core.contract.finding import Level  # noqa: PLC0415
    from lockstep.core.contract.forms.data import findings_data, summary_data  # noqa: PLC0415
    from lockstep.verbs.contracts_diff import compare, component_side, side_of  # noqa: PLC0415
    from lockstep.verbs.workspace import open_workspace  # noqa: PLC0415

    if component:
        workspace = open_workspace(folder, say)
        before, after = (component_side(workspace, revision, component) for revision in (old, new))
        compared = compare(before, after, workspace.bundle.contracts.levels)
        report = _diff_report(compared, Level(fail_on), workspace.repository.prefix)
    else:
        compared = compare(side_of(old, folder), side_of(new, folder), {})
        report = _diff_report(compared, Level(fail_on))
    if form == "json":
        sides = {"old": compared.old.name, "new": compared.new.name, "bump": report.bump}
        found = [one for asked in report.asked for one in findings_data(report, asked)]
        emit("contracts-diff", {**summary_data(report), **sides, "findings": found})
    else:
        _show(report, form)
    return 0 if report.is_ok else 1


@contracts.command(
    epilog=example(
        "lockstep contracts edges",
        "lockstep contracts edges --svg calls.svg",
        "lockstep contracts edges v1.4.0 -o svg > calls.svg",
    )
)
@_at
@click.option("--svg", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Also write a picture there.")
@_judging("ERR", "text", "markdown", "json", "svg")
def edges(commit: str, picture: Path | None, fail_on: str, form: str, folder: Path, *, is_working: bool) -> int:
    """Show who calls whom in the bundle at COMMIT (HEAD by default), and whether the two ends of each call fit."""
    from lockstep.adapters import files  # noqa: PLC0415
    from lockstep.core.contract.finding import Level  # noqa: PLC0415
    from lockstep.core.contract.forms.calls import calls_markdown, calls_text  # noqa: PLC0415
    from lockstep.core.contract.forms.data import summary_data  # noqa: PLC0415
    from lockstep.core.contract.forms.svg import calls_svg  # noqa: PLC0415

    workspace, checked = _checked(commit, folder, is_working=is_working)
    report = _calls_report(workspace, checked, commit, Level(fail_on), is_all=False)
    graph = _graph(checked, commit)
    if picture:
        files.write(picture, calls_svg(graph).encode())
        say(f"picture: {picture}")
    if form == "json":
        known = {"commit": checked.commit, "entry": graph.entry, "components": graph.components}
        calls = [_call_data(edge) for edge in checked.edges]
        calls += [_unasked_data(*call) for call in checked.unasked]
        emit("contracts-edges", {**summary_data(report), **known, "calls": calls})
    elif form == "svg":
        print(calls_svg(graph), end="")
    else:
        print(calls_markdown(graph) if form == "markdown" else calls_text(graph, paint), end="")
    if form != "json":
        show_findings(report.problems, sys.stderr)
    return 0 if report.is_ok else 1


def _checked(commit: str, folder: Path, *, is_working: bool) -> tuple[Workspace, Checked]:
    from lockstep.verbs.contracts_check import check_contracts  # noqa: PLC0415
    from lockstep.verbs.workspace import open_workspace  # noqa: PLC0415

    if commit and is_working:
        raise click.UsageError("--working-copy reads no commit: give one of the two")
    workspace = open_workspace(folder, say)
    checked = check_contracts(workspace, None if is_working else commit_at(workspace, commit or "HEAD"))
    if not commit and not is_working:
        note_uncommitted(workspace.repository.uncommitted())
    return workspace, checked


def _calls_report(workspace: Workspace, checked: Checked, commit: str, fail_on: Level, *, is_all: bool) -> Report:
    """What breaks nobody is left out unless somebody asks: of a callee that is whatever the caller does not use."""
    from lockstep.core.contract.forms.report import Asked, Report  # noqa: PLC0415

    asked = [
        Asked(
            f"{edge.caller} calls {edge.callee}",
            edge.contract,
            edge.use,
            tuple(one for one in edge.findings if one.level.is_breaking or is_all or fail_on == "INFO"),
        )
        for edge in checked.edges
    ]
    return Report(
        tuple(asked),
        checked.gathered.problems,
        fail_on,
        provider_at=commit,
        needed_at=commit,
        root=workspace.repository.prefix,
    )


def _diff_report(compared: Compared, fail_on: Level, root: str = "") -> Report:
    from lockstep.core.contract.forms.report import Asked, Report, Words  # noqa: PLC0415

    old, new = compared.old, compared.new
    asked = Asked(f"{old.name} -> {new.name}", new.path, old.path, compared.findings)
    return Report(
        () if compared.problems else (asked,),
        compared.problems,
        fail_on,
        Words("new", "old", "keeps every promise"),
        new.revision,
        old.revision,
        root,
        compared.bump,
    )


def _show(report: Report, form: str) -> None:
    from lockstep import __version__  # noqa: PLC0415
    from lockstep.core.contract.forms.junit import report_junit  # noqa: PLC0415
    from lockstep.core.contract.forms.markdown import report_markdown  # noqa: PLC0415
    from lockstep.core.contract.forms.sarif import report_sarif  # noqa: PLC0415
    from lockstep.core.contract.forms.text import report_text  # noqa: PLC0415

    forms: dict[str, Callable[[], str]] = {
        "text": lambda: report_text(report, paint),
        "markdown": lambda: report_markdown(report),
        "sarif": lambda: report_sarif(report, __version__),
        "junit": lambda: report_junit(report),
    }
    print(forms[form](), end="")
    if form in {"sarif", "junit"} and not report.is_ok:  # whoever reads the log of a job sees why it failed
        say(report_text(report, lambda text, color: paint(text, color, sys.stderr)).rstrip())


def _graph(checked: Checked, commit: str) -> CallGraph:
    from lockstep.core.contract.forms.calls import CallGraph, told_calls  # noqa: PLC0415

    at = f" at {commit or 'HEAD'} ({checked.commit[:10]})" if checked.commit else ", the working copy"
    gathered = checked.gathered
    components = tuple(sorted(gathered.components))
    calls = told_calls(checked.edges, checked.unasked)
    return CallGraph(f"Calls of {gathered.bundle}{at}", gathered.entry, components, calls)


def _call_data(edge: Edge) -> dict[str, Any]:
    from lockstep.core.contract.forms.report import counts  # noqa: PLC0415

    return {
        "caller": edge.caller,
        "callee": edge.callee,
        "state": edge.state,
        "use": edge.use,
        "contract": edge.contract,
        "counts": counts(edge.findings),
    }


def _unasked_data(caller: str, callee: str) -> dict[str, Any]:
    from lockstep.core.contract.forms.calls import UNASKED  # noqa: PLC0415

    nothing = dict.fromkeys(("use", "contract", "counts"))
    return {"caller": caller, "callee": callee, "state": UNASKED, **nothing}
