"""What is said about contracts: text, Markdown, JSON and JUnit XML. Goldens are what people would review."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract_reports import CALLS, DIFF, FEWER, FINE, GONE, MORE, OCR, UNREAD, plain
from lockstep.core.contract.finding import Level
from lockstep.core.contract.forms.data import finding_data, summary_data
from lockstep.core.contract.forms.junit import report_junit
from lockstep.core.contract.forms.markdown import prose, report_markdown
from lockstep.core.contract.forms.report import Asked, Report, place_of
from lockstep.core.contract.forms.text import report_text

GOLDENS = Path(__file__).parents[1] / "goldens"
ODD = st.text(alphabet="a`|<>&\"'@#!*_[]()\\\n\r\t\x00\x1b\u202e\ufffe\uffff\ud800é/:", max_size=20)
# What the junit schemas in use agree on: element -> attributes that it must have, and that it may have.
SHAPE = {
    "testsuites": (set(), set()),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time"}, set()),
    "testcase": ({"name", "classname", "time"}, {"file"}),
    "failure": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "system-out": (set(), set()),
}
INSIDE = {
    "testsuites": {"testsuite"}, "testsuite": {"testcase"}, "testcase": {"failure", "error", "system-out"},
    "failure": set(), "error": set(), "system-out": set(),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("contracts.txt", lambda report: report_text(report, plain)),
        ("contracts.md", report_markdown),
        ("contracts.xml", report_junit),
    ],
)
def test_golden_report_is_the_one_that_was_reviewed(name: str, form: Callable[[Report], str]):
    said = f"{form(CALLS)}\n{form(DIFF)}\n{form(FINE)}"
    if os.environ.get("LOCKSTEP_GOLDEN") == "write":
        (GOLDENS / name).write_text(said, encoding="utf-8")

    assert (GOLDENS / name).read_text(encoding="utf-8") == said


def test_text_gives_levels_their_colors():
    said = report_text(CALLS, lambda text, color: f"<{color}>{text}</{color}>")

    assert "<red>ERR </red>" in said
    assert "<yellow>WARN</yellow>" in said
    assert "<dim>INFO</dim>" in said
    assert "<red>not ok</red>" in said
    assert "<green>ok</green>" in report_text(FINE, lambda text, color: f"<{color}>{text}</{color}>")


@pytest.mark.parametrize(
    ("fail_on", "found", "is_ok"),
    [
        (Level.ERR, (FEWER, MORE), True),
        (Level.ERR, (GONE,), False),
        (Level.WARN, (MORE,), True),
        (Level.WARN, (FEWER,), False),
        (Level.INFO, (), True),
        (Level.INFO, (MORE,), False),
    ],
)
def test_a_report_is_ok_if_nothing_weighs_what_was_said(fail_on: Level, found: tuple[object, ...], is_ok: bool):  # noqa: FBT001
    report = Report((Asked("a calls b", "b.yaml", "a.yaml", found),), (), fail_on)  # type: ignore[arg-type]

    assert report.is_ok is is_ok


def test_what_cannot_be_read_is_never_ok():
    assert not replace(FINE, problems=(UNREAD,), fail_on=Level.ERR).is_ok


def test_data_holds_both_places_and_where_they_were_read():
    data = finding_data(DIFF, FEWER)

    assert data["provider"] == {"revision": None, "path": OCR, "line": 41, "pointer": FEWER.provider.pointer}
    assert data["needed"]["revision"] == "v1.4.0"
    assert summary_data(CALLS)["counts"] == {"ERR": 1, "WARN": 1, "INFO": 1}
    assert summary_data(CALLS)["problems"][0]["where"] == UNREAD.where


@pytest.mark.parametrize(
    ("where", "place"), [("a.yaml:7", "a.yaml:7"), ("a.yaml", "a.yaml:1"), ("a:b", "a:b:1"), (":3", ":3:1")]
)
def test_a_place_is_read_back_from_words(where: str, place: str):
    assert str(place_of(where)) == place


def odd_report(odd: str) -> Report:
    """Every word of it is odd, the rule's own apart."""
    found = replace(FEWER, operation=odd, what=odd, fix=odd, old=odd, provider=replace(FEWER.provider, path=f"{odd}x"))
    asked = Asked(odd, f"{odd}x", odd, (found, replace(GONE, what=odd)))
    return Report((asked,), (replace(UNREAD, what=odd, where=f"{odd}:3"),), Level.ERR)


def parsed(report: Report) -> ET.Element:
    return ET.fromstring(report_junit(report).encode())  # noqa: S314 - our own words, and the test is that it parses


@given(ODD)
def test_junit_is_well_formed_and_of_the_shape_that_readers_know(odd: str):
    top = parsed(odd_report(odd))

    for element in top.iter():
        must, may = SHAPE[element.tag]
        assert must <= set(element.keys()) <= must | may
        assert {child.tag for child in element} <= INSIDE[element.tag]
    for suite in top:
        assert int(suite.get("tests", "")) == len(suite) > 0
        assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors", "")) == len(suite.findall("testcase/error"))
    assert [suite.get("name") for suite in top] == ["contracts", "contract files"]


def test_junit_has_a_case_for_each_call_and_for_each_rule_of_a_comparison():
    calls = parsed(CALLS)
    rules = parsed(DIFF)

    assert [case.get("name") for case in calls[0]] == ["gateway calls ocr", "gateway calls embedding"]
    assert [(case.get("name"), len(case.findall("failure"))) for case in rules[0]] == [
        ("POST /ocr: api-removed-without-deprecation", 1),
        ("GET /languages: request-property-enum-value-removed", 1),
        ("the whole contract: response-property-added", 0),
    ]
    assert calls[0][0].get("file") == f"bundles/documents/{OCR}"


@given(ODD)
def test_markdown_keeps_each_finding_in_its_row(odd: str):
    lines = report_markdown(odd_report(odd)).splitlines()

    rows = [line for line in lines if line.startswith("|") and not line.startswith("|-")]
    cells = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert cells == [4, 4, 7, 7, 7]  # the head and the row of what cannot be judged; the head and two findings
    assert all(line.startswith(("|", "## ", "`", "(empty)", "1 ERR")) or not line for line in lines)


def test_markdown_of_very_many_findings_says_how_many_more_there_are():
    found = tuple(replace(GONE, what=f"number {number}") for number in range(250))

    said = report_markdown(Report((Asked("a calls b", "b.yaml", "a.yaml", found),), (), Level.ERR))

    assert said.count("🔴 ERR") == 200
    assert "| 50 more |" in said
    assert "250 ERR" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("the answer 200 has `hits`, too.", "the answer 200 has `hits`, too."),
        ("says @team in #12 and !3", "says `@team` in `#12` and `!3`"),
        ("<img src=x> www.example.org", "`<img` `src=x>` `www.example.org`"),
        ("*loud* a_b snake_ | bar", "`*loud*` a_b `snake_` `\\|` bar"),
        ("an odd ` tick", "an odd ` tick`"),
    ],
)
def test_prose_shows_as_code_what_a_page_would_make_something_of(text: str, said: str):
    assert prose(text) == said
