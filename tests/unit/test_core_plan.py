"""What changed, why, what that requires, and which versions are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core.contract.weigh import Judged
from lockstep.core.inputs import Change, Comparison, Input, InputKind, compare
from lockstep.core.names import ComponentName, GitOid
from lockstep.core.plan import Candidate, Plan, plan, version_findings
from lockstep.core.version import Bump, Version

GATEWAY, SUMMARIZER, LLM, OCR = map(ComponentName, ("gateway", "summarizer", "llm", "ocr"))
UNJUDGED = Judged()
CALLS = {GATEWAY: (OCR, SUMMARIZER), SUMMARIZER: (LLM,), LLM: (), OCR: ()}
OWN = (InputKind.CODE, InputKind.RUNTIME, InputKind.WEIGHTS, InputKind.PROMPT, InputKind.CONFIG, InputKind.CONTRACT)


def _input(kind: InputKind, path: str, digit: int) -> Input:
    return Input(kind=kind, path=path, oid=GitOid(f"{digit:040x}"))


def _inputs(**digits: int) -> dict[ComponentName, tuple[Input, ...]]:
    return {
        ComponentName(name): (_input(InputKind.CODE, f"components/{name}/src", digit),)
        for name, digit in digits.items()
    }


BEFORE = _inputs(gateway=1, summarizer=1, llm=1, ocr=1)
inputs_of = st.dictionaries(
    st.sampled_from([GATEWAY, SUMMARIZER, LLM, OCR]),
    st.dictionaries(st.tuples(st.sampled_from(OWN), st.sampled_from("abc")), st.integers(0, 2), max_size=4).map(
        lambda found: tuple(_input(kind, path, digit) for (kind, path), digit in found.items())
    ),
)


def _told(comparison: Comparison) -> list[tuple[str, str, str, str | None]]:
    return [(change.component, change.kind, change.path, change.because) for change in comparison.changes]


@given(inputs_of)
def test_compare_finds_nothing_between_equal_inputs(inputs: dict[ComponentName, tuple[Input, ...]]) -> None:
    assert compare(inputs, dict(inputs), CALLS).changes == ()


@given(inputs_of, inputs_of)
def test_compare_ignores_the_order_of_components_inputs_and_calls(
    old: dict[ComponentName, tuple[Input, ...]], new: dict[ComponentName, tuple[Input, ...]]
) -> None:
    def backwards(inputs: Mapping[ComponentName, tuple[Input, ...]]) -> dict[ComponentName, tuple[Input, ...]]:
        return {name: inputs[name][::-1] for name in reversed(list(inputs))}

    calls = {name: CALLS[name][::-1] for name in reversed(list(CALLS))}

    assert compare(backwards(old), backwards(new), calls) == compare(old, new, CALLS)


@given(inputs_of, inputs_of)
def test_compare_names_every_component_whose_inputs_differ_and_their_callers_only(
    old: dict[ComponentName, tuple[Input, ...]], new: dict[ComponentName, tuple[Input, ...]]
) -> None:
    direct = {name for name in {*old, *new} if name not in old or name not in new or set(old[name]) != set(new[name])}
    callers = {GATEWAY} if direct & {OCR, SUMMARIZER, LLM} else set()
    callers |= {SUMMARIZER} if LLM in direct else set()

    found = compare(old, new, CALLS)

    assert {change.component for change in found.changes} == direct | callers
    assert set(found.of(InputKind.CALLEE)) == callers - direct


def test_a_change_climbs_the_calls_and_names_where_it_began() -> None:
    found = compare(BEFORE, {**BEFORE, **_inputs(llm=2)}, CALLS)

    assert _told(found) == [
        ("gateway", "callee", "summarizer", "llm"),
        ("llm", "code", "components/llm/src", None),
        ("summarizer", "callee", "llm", "llm"),
    ]
    assert (found.changes[1].old, found.changes[1].new) == (GitOid(f"{1:040x}"), GitOid(f"{2:040x}"))


def test_a_component_that_nobody_calls_changes_alone() -> None:
    found = compare(BEFORE, {**BEFORE, **_inputs(gateway=2)}, CALLS)

    assert _told(found) == [("gateway", "code", "components/gateway/src", None)]


def test_added_and_removed_components_change_their_callers() -> None:
    without = {name: inputs for name, inputs in BEFORE.items() if name != OCR}

    assert _told(compare(without, BEFORE, CALLS)) == [("gateway", "callee", "ocr", "ocr"), ("ocr", "added", "", None)]
    assert _told(compare(BEFORE, without, {**CALLS, GATEWAY: (SUMMARIZER,)})) == [("ocr", "removed", "", None)]


def test_an_input_that_comes_or_goes_has_no_old_or_new_id() -> None:
    more = {**BEFORE, OCR: (*BEFORE[OCR], _input(InputKind.PROMPT, "p", 1))}

    came = compare(BEFORE, more, CALLS).changes[1]
    went = compare(more, BEFORE, CALLS).changes[1]

    assert (came.old, came.new, went.old, went.new) == (None, GitOid(f"{1:040x}"), GitOid(f"{1:040x}"), None)


def _plan_of(
    *changes: Change, base: str | None = "1.4.0", prompts: Bump = Bump.PATCH, judged: Judged = UNJUDGED
) -> Plan:
    return plan(
        Version(base) if base else None,
        Comparison(changes=changes),
        judged,
        {},
        {SUMMARIZER: prompts},
    )


@pytest.mark.parametrize(
    ("component", "kind", "path", "bump"),
    [
        (OCR, InputKind.CODE, "src", Bump.PATCH),
        (OCR, InputKind.WEIGHTS, "weights.lock", Bump.MINOR),
        (OCR, InputKind.ADDED, "", Bump.MINOR),
        (OCR, InputKind.REMOVED, "", Bump.MINOR),
        (OCR, InputKind.CONTRACT, "components/ocr/contract/openapi.yaml", Bump.PATCH),
        (GATEWAY, InputKind.CONTRACT, "components/gateway/contract/openapi.yaml", Bump.PATCH),
        (GATEWAY, InputKind.CALLEE, "ocr", Bump.PATCH),
        (SUMMARIZER, InputKind.PROMPT, "p", Bump.PATCH),
        (GATEWAY, InputKind.CHART, "charts/objects", Bump.PATCH),
    ],
)
def test_plan_requires_the_bump_that_a_change_is_worth(
    component: ComponentName, kind: InputKind, path: str, bump: Bump
) -> None:
    assert _plan_of(Change(component=component, kind=kind, path=path)).bump is bump


@pytest.mark.parametrize("moved", [Bump.MINOR, Bump.MAJOR])
def test_plan_requires_minor_when_a_prompts_own_version_says_so(moved: Bump) -> None:
    assert _plan_of(Change(component=SUMMARIZER, kind=InputKind.PROMPT), prompts=moved).bump is Bump.MINOR


def test_plan_says_the_largest_reason_first_and_a_cause_before_what_follows_from_it() -> None:
    made = _plan_of(
        Change(component=GATEWAY, kind=InputKind.CALLEE, path="ocr"),
        Change(component=SUMMARIZER, kind=InputKind.CODE),
        Change(component=OCR, kind=InputKind.WEIGHTS),
    )

    assert [reason.component for reason in made.reasons] == [OCR, SUMMARIZER, GATEWAY]
    assert made.smallest_version == Version("1.5.0")


def test_plan_builds_only_new_components_and_changed_runtimes() -> None:
    made = _plan_of(
        Change(component=OCR, kind=InputKind.RUNTIME),
        Change(component=LLM, kind=InputKind.ADDED),
        Change(component=SUMMARIZER, kind=InputKind.PROMPT),
    )

    assert made.builds == (LLM, OCR)


def test_the_first_release_may_have_any_version() -> None:
    made = _plan_of(Change(component=OCR, kind=InputKind.ADDED), base=None)

    assert made.smallest_version == Version("0.1.0")
    assert [version_findings(_candidate(text, taken=()), made) for text in ("0.0.1", "0.1.0-rc.1", "7.0.0")] == [()] * 3


def _candidate(version: str, taken: tuple[str, ...] = ("1.4.0",), unchanged_since: str | None = None) -> Candidate:
    same = Version(unchanged_since) if unchanged_since else None
    return Candidate(Version(version), tuple(map(Version, taken)), on_line=True, lines=("main",), unchanged_since=same)


MINOR = _plan_of(Change(component=OCR, kind=InputKind.WEIGHTS))
PATCH = _plan_of(Change(component=OCR, kind=InputKind.CODE))
NOTHING = _plan_of()


def _rules(candidate: Candidate, made: Plan) -> list[str]:
    return [finding.rule for finding in version_findings(candidate, made)]


@pytest.mark.parametrize(
    ("version", "made"),
    [
        ("1.5.0", MINOR),
        ("1.5.0-rc.1", MINOR),
        ("1.6.0", MINOR),
        ("2.0.0", MINOR),
        ("1.4.1", PATCH),
        ("1.4.1-rc.1", PATCH),
        ("1.5.0", PATCH),
        ("1.5.0-rc.1", PATCH),
    ],
)
def test_a_version_that_is_large_enough_is_allowed(version: str, made: Plan) -> None:
    assert _rules(_candidate(version), made) == []


@pytest.mark.parametrize(
    ("version", "made"),
    [
        ("1.4.1", MINOR),
        ("1.4.9", MINOR),
        ("1.3.9", PATCH),
        ("1.4.0-rc.2", PATCH),
        ("1.4.1-rc.1", MINOR),
        ("0.9.0", MINOR),
    ],
)
def test_a_version_that_is_too_small_is_refused(version: str, made: Plan) -> None:
    (finding,) = version_findings(_candidate(version), made)

    assert finding.rule == "version/bump"
    assert str(made.smallest_version) in finding.fix
    assert "ocr" in finding.what


def test_a_version_that_exists_is_refused_and_a_free_one_is_named() -> None:
    (finding,) = version_findings(_candidate("1.4.1", taken=("1.4.0", "1.4.1", "1.4.2")), PATCH)

    assert finding.rule == "version/exists"
    assert "1.4.3" in finding.fix


def test_a_commit_on_no_line_is_refused() -> None:
    aside = dataclasses.replace(_candidate("1.4.1"), on_line=False)

    assert _rules(aside, PATCH) == ["version/line"]


def test_nothing_changed_is_refused() -> None:
    assert _rules(_candidate("1.5.0", unchanged_since="1.4.0"), NOTHING) == ["version/unchanged"]


def test_the_final_of_an_unchanged_prerelease_is_allowed() -> None:
    taken = ("1.4.0", "1.5.0-rc.1")

    assert _rules(_candidate("1.5.0", taken, unchanged_since="1.5.0-rc.1"), MINOR) == []
    assert _rules(_candidate("1.6.0", taken, unchanged_since="1.5.0-rc.1"), MINOR) == ["version/unchanged"]


def test_a_bundle_may_begin_with_prereleases() -> None:
    """Where only pre-releases exist, the next candidate and the final are those of the same version."""
    changed = _plan_of(Change(component=OCR, kind=InputKind.WEIGHTS), base="0.1.0-rc.1")

    assert changed.smallest_version == Version("0.1.0")
    assert _rules(_candidate("0.1.0-rc.2", ("0.1.0-rc.1",)), changed) == []
    assert _rules(_candidate("0.1.0", ("0.1.0-rc.1",)), changed) == []
    assert _rules(_candidate("0.1.0", ("0.1.0-rc.1",), "0.1.0-rc.1"), _plan_of(base="0.1.0-rc.1")) == []


def test_a_hotfix_is_measured_from_its_own_base() -> None:
    """1.4.1 after 1.6.0: the base is 1.4.0, and what came later does not matter."""
    assert _rules(_candidate("1.4.1", ("1.4.0", "1.5.0", "1.6.0")), PATCH) == []


def test_every_refusal_is_said_at_once() -> None:
    bad = dataclasses.replace(_candidate("1.4.0", unchanged_since="1.4.0"), on_line=False)

    assert _rules(bad, NOTHING) == ["version/exists", "version/line", "version/unchanged"]
