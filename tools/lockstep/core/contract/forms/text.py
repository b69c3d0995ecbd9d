"""A report as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lockstep.core.contract.finding import ContractFinding, Level
from lockstep.core.contract.forms.report import Asked, Report, counted
from lockstep.core.shown import visible

Paint = Callable[[str, str], str]
COLORS = {Level.ERR: "red", Level.WARN: "yellow", Level.INFO: "dim"}
_INDENT = " " * 10


def report_text(report: Report, paint: Paint) -> str:
    """The report, one question after the other: by operation, then the heaviest first. Ends with a line break.

    Args:
        report: What is told.
        paint: Gives text a color (red, yellow, green, bold, dim).
    """
    lines = [line for asked in report.asked for line in _asked(report, asked, paint)]
    for finding in report.problems:
        lines += [
            f"{paint('cannot be judged', 'red')}: {visible(finding.where)}",
            f"{_INDENT}{visible(finding.what)}",
            f"{_INDENT}fix: {visible(finding.fix)}",
        ]
    return "\n".join([*lines, summary(report, paint)]) + "\n"


def summary(report: Report, paint: Paint) -> str:
    """The last line: the answer, in words."""
    found = [finding for _, finding in report.findings]
    parts = [counted(found)]
    parts += [_many(len(report.problems), "reason") + " why something cannot be judged"] if report.problems else []
    parts += [f"bump at the entry: {report.bump}"] if report.bump else []
    if not report.asked and not report.problems:
        parts = ["nothing calls anything"]
    return f"{paint('ok', 'green') if report.is_ok else paint('not ok', 'red')}: {'; '.join(parts)}"


def _asked(report: Report, asked: Asked, paint: Paint) -> Iterator[str]:
    color = COLORS[asked.findings[0].level] if asked.findings else "green"
    said = counted(asked.findings) if asked.findings else report.words.fits
    yield f"{paint(visible(asked.title), 'bold')}: {paint(said, color)}"
    for operation, findings in asked.by_operation().items():
        yield f"  {visible(operation)}"
        for finding in findings:
            yield from finding_lines(report, finding, paint)


def finding_lines(report: Report, finding: ContractFinding, paint: Paint) -> Iterator[str]:
    """One finding: rule, sentence, both values, both places, and what to do."""
    words = report.words
    was = f" ({finding.was} by its rule)" if finding.was else ""
    yield f"    {paint(f'{finding.level:<4}', COLORS[finding.level])}  {finding.rule}{was}"
    yield f"{_INDENT}{visible(finding.what)}"
    if finding.old is not None or finding.new is not None:
        yield f"{_INDENT}{words.needed} -> {words.provider}: {_value(finding.old)} -> {_value(finding.new)}"
    width = max(len(words.provider), len(words.needed)) + 1
    yield f"{_INDENT}{words.needed + ':':<{width}} {visible(report.at_needed(finding.needed))}"
    yield f"{_INDENT}{words.provider + ':':<{width}} {visible(report.at_provider(finding.provider))}"
    yield f"{_INDENT}{'fix:':<{width}} {visible(finding.fix)}"


def _value(value: str | None) -> str:
    return "nothing" if value is None else visible(value)


def _many(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
