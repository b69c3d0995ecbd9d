"""SARIF 2.1.0: the parts of its published schema that a report uses, written out by hand."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given

from contract_reports import CALLS, DIFF, FEWER, FINE, GONE, OCR, USE
from lockstep.core.contract.forms.report import Asked, Report
from lockstep.core.contract.forms.sarif import report_sarif
from unit.test_contract_forms import ODD, odd_report

GOLDEN = Path(__file__).parents[1] / "goldens" / "contracts.sarif"
LEVELS = {"none", "note", "warning", "error"}
# Object -> what it must have and what it may have, of what the schema of SARIF 2.1.0 allows there.
OBJECTS = {
    "log": ({"version", "runs"}, {"$schema"}),
    "run": ({"tool"}, {"results", "originalUriBaseIds", "columnKind"}),
    "tool": ({"driver"}, set()),
    "driver": ({"name"}, {"version", "rules"}),
    "rule": ({"id"}, {"shortDescription", "defaultConfiguration"}),
    "result": (
        {"message"},
        {"ruleId", "ruleIndex", "level", "locations", "relatedLocations", "partialFingerprints", "properties"},
    ),
    "location": (set(), {"id", "physicalLocation", "logicalLocations", "message", "properties"}),
    "physical": (set(), {"artifactLocation", "region"}),
}
URI = re.compile(r"(?:file:///)?(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+")


def has(kind: str, value: dict[str, Any]) -> None:
    must, may = OBJECTS[kind]
    assert must <= value.keys() <= must | may, f"{kind}: {sorted(value)}"


def check(text: str) -> list[dict[str, Any]]:
    """The results, once every object has the form that the schema gives it."""
    log = json.loads(text)
    has("log", log)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    has("run", run)
    has("tool", run["tool"])
    has("driver", run["tool"]["driver"])
    assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}
    rules = run["tool"]["driver"]["rules"]
    for rule in rules:
        has("rule", rule)
        assert rule["defaultConfiguration"]["level"] in LEVELS
        assert rule["shortDescription"]["text"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        has("result", result)
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in LEVELS
        assert isinstance(result["message"]["text"], str)
        assert all(isinstance(one, str) for one in result["partialFingerprints"].values())
        for place in locations(result):
            assert place["region"]["startLine"] >= 1
            assert URI.fullmatch(place["artifactLocation"]["uri"])
            base = place["artifactLocation"].get("uriBaseId")
            assert base is None or base in run["originalUriBaseIds"]
    return list(run["results"])


def locations(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for place in (*result["locations"], *result.get("relatedLocations", ())):
        has("location", place)
        has("physical", place["physicalLocation"])
        yield place["physicalLocation"]


def fingerprints(report: Report) -> list[str]:
    return [one["partialFingerprints"]["lockstepContract/v1"] for one in check(report_sarif(report, "1"))]


def test_golden_sarif_is_the_one_that_was_reviewed():
    said = report_sarif(CALLS, "1.0.0")
    if os.environ.get("LOCKSTEP_GOLDEN") == "write":
        GOLDEN.write_text(said, encoding="utf-8")

    assert GOLDEN.read_text(encoding="utf-8") == said


def test_sarif_has_the_form_of_its_schema():
    results = check(report_sarif(CALLS, "1.0.0"))

    assert [one["level"] for one in results] == ["error", "warning", "note", "error"]
    assert check(report_sarif(FINE, "1.0.0")) == []


@given(ODD)
def test_sarif_of_odd_words_has_the_form_of_its_schema(odd: str):
    assert len(check(report_sarif(odd_report(odd), odd))) == 3


def test_sarif_points_at_the_provider_and_relates_what_is_needed():
    result = check(report_sarif(CALLS, "1.0.0"))[1]

    physical, related = locations(result)
    assert physical["artifactLocation"] == {"uri": f"bundles/documents/{OCR}", "uriBaseId": "SRCROOT"}
    assert physical["region"] == {"startLine": 41}
    assert related["artifactLocation"]["uri"] == f"bundles/documents/{USE}"
    assert related["region"] == {"startLine": 30}


def test_sarif_says_which_revision_a_file_was_read_from():
    result = check(report_sarif(DIFF, "1.0.0"))[0]

    assert "properties" not in result["locations"][0]
    assert result["relatedLocations"][0]["properties"] == {"revision": "v1.4.0"}


def test_sarif_fingerprints_stay_when_lines_move_and_tell_findings_apart():
    moved = replace(FEWER, provider=replace(FEWER.provider, line=99), needed=replace(FEWER.needed, line=1))
    other = replace(FEWER, new='["exact"]')

    def report(*findings: Any) -> Report:
        return Report((Asked("a calls b", "b", "a", findings),), (), CALLS.fail_on)

    assert fingerprints(report(GONE, FEWER)) == fingerprints(report(GONE, moved))
    assert len(set(fingerprints(report(FEWER, other, moved)))) == 3, "what is alike is numbered"
    assert fingerprints(report(FEWER)) != fingerprints(report(other))
