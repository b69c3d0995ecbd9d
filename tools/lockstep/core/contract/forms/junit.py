"""A report as JUnit XML, which GitLab and others show in a merge request.

There is no standard; this keeps to what the schemas in use have in common: suites of cases that pass, have a
`failure` (a question whose answer is no) or an `error` (what cannot be judged). A case keeps its name from one
run to the next, so that a page can say what is new and what is mended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lockstep.core.contract.finding import ContractFinding
from lockstep.core.contract.forms.report import WHOLE, Asked, Report, counted, place_of
from lockstep.core.contract.forms.text import finding_lines
from lockstep.core.contract.forms.xml import xml_text
from lockstep.core.errors import Finding
from lockstep.core.shown import visible


@dataclass(frozen=True)
class _Case:
    """A test case.

    Args:
        name: Its name.
        file: Path of what it is about.
        kind: `failure` or `error`; empty if it passes.
        message: The first words about it.
        type: What kind of finding it is: a rule or a level.
        text: All about it, also where it passes.
    """

    name: str
    file: str
    kind: str = ""
    message: str = ""
    type: str = ""
    text: str = ""


def report_junit(report: Report) -> str:
    """The report: a suite of the questions, and one of what cannot be judged.

    Where calls are asked, a case is a call; where one contract is compared with another, a rule of an operation.
    """
    suites = {
        "contracts": [case for asked in report.asked for case in _cases(report, asked)],
        "contract files": _file_cases(report),
    }
    parts = [_suite(report, name, cases) for name, cases in suites.items() if cases]
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", *parts, "</testsuites>"]) + "\n"


def _file_cases(report: Report) -> list[_Case]:
    """A case for each file with a problem: its lines move, its name does not."""
    files: dict[str, list[Finding]] = {}
    for problem in report.problems:
        files.setdefault(place_of(problem.where).path, []).append(problem)
    return [
        _Case(path, path, "error", found[0].what, found[0].rule, "\n".join(map(_said, found)))
        for path, found in files.items()
    ]


def _said(problem: Finding) -> str:
    return f"{visible(problem.where)}: {visible(problem.what)}\n  fix: {visible(problem.fix)}"


def _cases(report: Report, asked: Asked) -> Iterator[_Case]:
    if report.bump is None or not asked.findings:
        yield _case(report, asked.title, asked, asked.findings)
        return
    for operation, findings in asked.by_operation().items():
        for rule in sorted({finding.rule for finding in findings}):
            found = tuple(finding for finding in findings if finding.rule == rule)
            yield _case(report, f"{operation}: {rule}", asked, found)


def _case(report: Report, name: str, asked: Asked, findings: tuple[ContractFinding, ...]) -> _Case:
    lines = [
        line
        for finding in findings
        for line in (f"{finding.operation or WHOLE}:", *finding_lines(report, finding, _unpainted))
    ]
    text = "\n".join(lines)
    failures = [finding for finding in findings if report.is_too_much(finding)]
    if not failures:
        return _Case(name, asked.provider, text=text)
    message = f"{counted(findings)}: {failures[0].what}"
    return _Case(name, asked.provider, "failure", message, failures[0].rule, text)


def _unpainted(text: str, _color: str) -> str:
    return text


def _suite(report: Report, name: str, cases: list[_Case]) -> str:
    failures, errors = (sum(case.kind == kind for case in cases) for kind in ("failure", "error"))
    head = (
        f'  <testsuite name="{xml_text(name)}" tests="{len(cases)}" failures="{failures}" errors="{errors}" '
        'skipped="0" time="0">'
    )
    return "\n".join([head, *(line for case in cases for line in _element(report, name, case)), "  </testsuite>"])


def _element(report: Report, suite: str, case: _Case) -> Iterator[str]:
    file = xml_text(report.root + case.file if not case.file.startswith("/") else case.file)
    head = f'    <testcase name="{xml_text(case.name)}" classname="{xml_text(suite)}" file="{file}" time="0"'
    if not case.text:
        yield f"{head}/>"
        return
    yield f"{head}>"
    said = "\n".join(xml_text(line) for line in case.text.split("\n"))
    if case.kind:
        yield f'      <{case.kind} message="{xml_text(case.message)}" type="{xml_text(case.type)}">{said}</{case.kind}>'
    else:
        yield f"      <system-out>{said}</system-out>"
    yield "    </testcase>"
