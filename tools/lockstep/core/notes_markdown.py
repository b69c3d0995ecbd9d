"""Notes as Markdown. What releases hold (prompts, values, names of files) is data: no text can end its block, begin
another one, or name a person.

Source: CommonMark 0.31.2, sections 4.5 (fenced code blocks), 6.1 (code spans); GitHub Flavored
Markdown 0.29, section 4.10 (tables).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count

from lockstep.core.changelog import ReleaseNotes
from lockstep.core.contract.reindex import Reindex
from lockstep.core.names import ComponentName
from lockstep.core.notes import ComponentNotes, Fact, Notes, PromptText, State
from lockstep.core.notes_text import counted, summary
from lockstep.core.shown import visible

HEADER = "<!-- written by lockstep; do not edit, run: lockstep changelog --write -->"
_RUN = re.compile("`+")


def changelog_markdown(bundle: ComponentName, log: Iterable[ReleaseNotes]) -> str:
    """CHANGELOG.md, or that of one component."""
    parts = [HEADER, f"# Changelog of {bundle}", *(part for one in log for part in _release(one))]
    return "\n\n".join(parts) + "\n"


def release_markdown(release: ReleaseNotes) -> str:
    """The notes of one release."""
    return "\n\n".join(_release(release)) + "\n"


def notes_markdown(notes: Notes) -> str:
    """What differs between two releases."""
    return "\n\n".join([f"## {notes.old} → {notes.new}", *_notes(notes)]) + "\n"


def code(text: str) -> str:
    """Text as code within a line: a span whose ends are a run of backticks of a length that the text does not have."""
    seen = visible(text).replace("\t", " ")
    if not seen.strip():
        return "(empty)"
    runs = {len(run) for run in _RUN.findall(seen)}
    end = "`" * next(length for length in count(1) if length not in runs)
    return f"{end} {seen} {end}" if runs else f"{end}{seen}{end}"


def cell(text: str) -> str:
    """Text as code within a cell of a table: there a bar is escaped, also within code. One after a backslash cannot be
    (readers of tables disagree about what is escaped then), and is shown by its number.
    """
    return code(text.replace("\\|", "\\<U+007C>")).replace("|", "\\|")


def fenced(lines: Iterable[str], language: str) -> str:
    """Lines as a code block. Its fence is longer than every run of backticks in it, so that none of them ends it."""
    lines = tuple(lines)
    fence = "`" * max([3, *(len(run) + 1 for line in lines for run in _RUN.findall(line))])
    return "\n".join([f"{fence}{language}", *lines, fence])


def reindex_text(one: Reindex) -> str:
    """That an embedding changed, what follows, and for whom."""
    readers = ", ".join(f"`{name}`" for name in one.affected)
    follows = f" {readers} must read a new index." if readers else ""
    return f"**Reindex needed:** the embedding of `{one.component}` changed ({code(one.change)}).{follows}"


def _release(release: ReleaseNotes) -> list[str]:
    date = f" ({release.date})" if release.date else ""
    said = counted(release)
    return [f"## {release.version}{date}", f"{said[0].upper()}{said[1:]}.", *_notes(release.notes)]


def _notes(notes: Notes) -> list[str]:
    parts = [reindex_text(one) for one in notes.reindexes]
    parts += [_table(notes.facts)] if notes.facts else []
    for one in notes.components:
        if one.state is not State.FOLLOWS:
            parts += _component(one)
    follows = [one for one in notes.components if one.state is State.FOLLOWS]
    if follows:
        lines = [f"- `{one.component}` {summary(one)}" for one in follows]
        parts += ["### What follows from that", "\n".join(lines)]
    if notes.components and notes.same:
        parts.append("As before: " + ", ".join(f"`{name}`" for name in notes.same) + ".")
    return parts or ["Nothing differs."]


def _component(one: ComponentNotes) -> list[str]:
    parts = [f"### {one.component}: {summary(one)}"]
    parts += [_table(one.facts)] if one.facts else []
    for prompt in one.prompts:
        parts += [f"Prompt {code(prompt.name)}:", _prompt(prompt)]
    return parts


def _prompt(prompt: PromptText) -> str:
    return fenced(prompt.lines, "diff") if prompt.lines else "(empty)"


def _table(facts: Iterable[Fact]) -> str:
    rows = ["| what | before | now |", "|---|---|---|"]
    for fact in facts:
        what = " ".join([fact.what, *([cell(fact.name)] if fact.name else [])])
        rows.append(f"| {what} | {_side(fact.old)} | {_side(fact.new)} |")
    return "\n".join(rows)


def _side(text: str | None) -> str:
    return "" if text is None else cell(text)
