"""A report as Markdown, for a merge request. What contracts hold is data: no text of theirs can end a cell, begin a
block, name a person or show a picture.

Source: CommonMark 0.31.2, section 6.1 (code spans); GitHub Flavored Markdown 0.29, section 4.10 (tables).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lockstep.core.contract.finding import ContractFinding, Level
from lockstep.core.contract.forms.report import WHOLE, Asked, Report, counted
from lockstep.core.notes_markdown import cell
from lockstep.core.shown import visible

# A word that Markdown, and what pages make of it (mentions, links, marks), leaves as it is.
_PLAIN = re.compile(r"[(]?[^\W_](?:[\w'/.-]*[^\W_])?[),.;:?]*|[),.;:?]+|->|=|-|\+")
_LINK = re.compile(r"www\.|[hf]tt?ps?:", re.IGNORECASE)
_MOST = 200  # rows of a table: forges cut or refuse longer pages
_SIGNS = {Level.ERR: "🔴 ERR", Level.WARN: "🟡 WARN", Level.INFO: "⚪ INFO"}


def report_markdown(report: Report) -> str:
    """The report: the answer as a heading, what is too much or may be in a table, the rest folded away."""
    found = [finding for _, finding in report.findings]
    bump = f"; bump at the entry: {report.bump}" if report.bump else ""
    parts = [f"## Contracts: {_answer(report)}", f"{_sentence(report, found)}{bump}."]
    heavy = [(asked, one) for asked, one in report.findings if one.level.is_breaking]
    light = [(asked, one) for asked, one in report.findings if not one.level.is_breaking]
    if report.problems:
        rows = [f"| {cell(one.where)} | {prose(one.what)} | {prose(one.fix)} |" for one in report.problems]
        parts.append("\n".join(["| cannot be judged | why | fix |", "|---|---|---|", *rows]))
    parts += [_table(report, heavy)] if heavy else []
    if light:
        word = "finding that breaks" if len(light) == 1 else "findings that break"
        parts.append(f"<details><summary>{len(light)} {word} nobody</summary>\n\n{_table(report, light)}\n\n</details>")
    fits = [asked for asked in report.asked if not asked.findings]
    parts += [f"{', '.join(cell(asked.title) for asked in fits)}: {report.words.fits}."] if fits else []
    return "\n\n".join(parts) + "\n"


def prose(text: str) -> str:
    """Words of a rule within a cell: plain where that is safe, as code where it is not; what stands between backticks
    is code.
    """
    parts = visible(text).split("`")
    said = [
        (cell(part) if part.strip() else "") if index % 2 else " ".join(_word(word) for word in part.split(" "))
        for index, part in enumerate(parts)
    ]
    return "".join(said).strip()


def _word(word: str) -> str:
    return word if not word or (_PLAIN.fullmatch(word) and not _LINK.search(word)) else cell(word)


def _answer(report: Report) -> str:
    if report.problems:
        return "not all can be judged"
    if report.is_ok:
        return "fit" if report.asked else "nothing calls anything"
    return "do not fit"


def _sentence(report: Report, found: list[ContractFinding]) -> str:
    if len(report.asked) == 1:
        return f"{cell(report.asked[0].title)}: {counted(found)}"
    said = counted(found)
    return said[0].upper() + said[1:]


def _table(report: Report, found: Sequence[tuple[Asked, ContractFinding]]) -> str:
    words = report.words
    one = len(report.asked) == 1
    head = ["level", *([] if one else ["call"]), "operation", "rule", "what, and what to do"]
    head += [f"{words.needed} → {words.provider}", "where"]
    rows = [
        "| "
        + " | ".join(
            [
                _SIGNS[finding.level] + (f" ({finding.was} by its rule)" if finding.was else ""),
                *([] if one else [cell(asked.title)]),
                cell(finding.operation) if finding.operation else WHOLE,
                cell(finding.rule),
                f"{prose(finding.what)}<br>Fix: {prose(finding.fix)}",
                _values(finding),
                f"{words.needed}: {cell(report.at_needed(finding.needed))}<br>"
                f"{words.provider}: {cell(report.at_provider(finding.provider))}",
            ]
        )
        + " |"
        for asked, finding in found[:_MOST]
    ]
    if len(found) > _MOST:
        rows.append(f"| {len(found) - _MOST} more" + " |" * len(head))
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *rows])


def _values(finding: ContractFinding) -> str:
    if finding.old is None and finding.new is None:
        return ""
    return " → ".join("nothing" if value is None else cell(value) for value in (finding.old, finding.new))
