"""What contracts say of a release, as people read it: in a terminal, and as Markdown beside a merge request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from lockstep.core.contract.edges import Edge
from lockstep.core.contract.finding import ContractFinding
from lockstep.core.contract.weigh import ContractChange, Judged, finding_text
from lockstep.core.notes_markdown import code, reindex_text

DOUBT = "its weights changed, and its contract says that it embeds as before: if its vectors differ, say so there"
_MOST = 20  # findings of one contract or call that are listed


def judged_lines(judged: Judged) -> list[str]:
    """Calls, contracts that changed and indexes to be built anew, as lines of text; none where nothing is said."""
    lines = [f"calls:   {calls_counted(judged)}"] if judged.edges else []
    for edge in judged.unfit:
        lines += [f"! {edge.caller} -> {edge.callee} {edge.state}", *_listed(_heavy(edge))]
    for change in judged.changed:
        lines += [f"contract of {change.component}: {change_said(change)}", *_listed(change.findings)]
    lines += [f"! {one.component}: {one.sentence}" for one in judged.reindexes]
    return [*lines, *(f"! {name}: {DOUBT}" for name in judged.doubts)]


def warning_lines(judged: Judged) -> Iterator[str]:
    """What does not keep a release from being made, and must be known: calls that may not fit, and reindexes."""
    for edge in judged.unfit:
        for one in _heavy(edge):
            yield f"warning: {edge.caller} calls {edge.callee}: {finding_text(one)} at {one.provider}"
    for moved in judged.reindexes:
        yield f"warning: {moved.component}: {moved.sentence}; docs/contracts.md#reindex says how"
    for name in judged.doubts:
        yield f"warning: {name}: {DOUBT}"


def calls_counted(judged: Judged) -> str:
    """How many calls fit: `4 fit`, `3 of 4 fit`."""
    unfit = len(judged.unfit)
    return f"{len(judged.edges) - unfit} of {len(judged.edges)} fit" if unfit else f"{len(judged.edges)} fit"


def change_said(change: ContractChange) -> str:
    """What the change of a contract is, in words."""
    if change.unread:
        return f"it cannot be compared with what it was: {change.unread}"
    kind = {"major": "it breaks what it promised", "minor": "it means something else", "patch": "only words changed"}
    seen = f", which the outside sees: {change.bump}" if change.is_entry else ""
    return f"{kind[change.bump]}{seen}"


def _heavy(edge: Edge) -> tuple[ContractFinding, ...]:
    return tuple(one for one in edge.findings if one.level.is_breaking)


def _listed(findings: Iterable[ContractFinding]) -> Iterator[str]:
    findings = tuple(findings)
    for one in findings[:_MOST]:
        yield f"    {finding_text(one)}"
        yield f"        {one.provider}, needed at {one.needed}; fix: {one.fix}"
    if len(findings) > _MOST:
        yield f"    and {len(findings) - _MOST} more: lockstep contracts check"


def judged_markdown(judged: Judged) -> list[str]:
    """The same as parts of a Markdown page; no part where everything is as it was and fits."""
    parts = [reindex_text(one) for one in judged.reindexes]
    parts += [f"`{name}`: {DOUBT}." for name in judged.doubts]
    for edge in judged.unfit:
        parts.append(f"**`{edge.caller}` calls `{edge.callee}`, and that {edge.state}:**")
        parts.append("\n".join(_bullets(_heavy(edge))))
    for change in judged.changed:
        said = f"Contract of `{change.component}`: {code(change.unread) if change.unread else change_said(change)}"
        parts.append("\n".join([f"{said}.", "", *_bullets(change.findings)]).rstrip())
    return [*parts, f"Calls: {calls_counted(judged)}."] if judged.edges else parts


def _bullets(findings: Iterable[ContractFinding]) -> Iterator[str]:
    findings = tuple(findings)
    for one in findings[:_MOST]:
        yield f"- {code(finding_text(one))}, {code(str(one.provider))}, needed at {code(str(one.needed))}"
    if len(findings) > _MOST:
        yield f"- and {len(findings) - _MOST} more"


def judged_data(judged: Judged) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "calls": [{**asdict(edge), "state": str(edge.state)} for edge in judged.edges],
        "changed": [asdict(change) for change in judged.changed],
        "doubts": list(judged.doubts),
        "reindexes": [one.model_dump(mode="json") for one in judged.reindexes],
    }
