"""A report as JSON for programs: its keys are a promise (tests/goldens/json-keys.json)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lockstep.core.contract.finding import ContractFinding, Place
from lockstep.core.contract.forms.report import Asked, Report, counts, whole


def findings_data(report: Report, asked: Asked) -> list[dict[str, Any]]:
    """The findings of one question."""
    return [finding_data(report, finding) for finding in asked.findings]


def finding_data(report: Report, finding: ContractFinding) -> dict[str, Any]:
    """One finding; both places with the revision that they were read from."""
    said = {"what": finding.what, "fix": finding.fix, "old": finding.old, "new": finding.new}
    return {
        "rule": finding.rule,
        "level": finding.level,
        "was": finding.was,
        "breaking": finding.level.is_breaking,
        "operation": whole(finding.operation) or None,
        "provider": _place(finding.provider, report.provider_at),
        "needed": _place(finding.needed, report.needed_at),
        **{name: None if text is None else whole(text) for name, text in said.items()},
    }


def summary_data(report: Report) -> dict[str, Any]:
    """What every report says: whether all is well, how much was found, what could not be read."""
    return {
        "ok": report.is_ok,
        "fail_on": report.fail_on,
        "counts": counts(finding for _, finding in report.findings),
        "problems": [{name: whole(text) for name, text in asdict(finding).items()} for finding in report.problems],
    }


def _place(place: Place, revision: str) -> dict[str, Any]:
    return {
        "revision": revision or None,
        "path": whole(place.path),
        "line": place.line,
        "pointer": whole(place.pointer),
    }
