"""The swap: what goes to standby, what comes up, and that taking it back is a swap."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockstep.core.component import Autoscale
from lockstep.core.edits import Edit, apply, edits, promote, retire, stage
from lockstep.core.environment import format_environment, parse_environment
from lockstep.core.errors import Refused
from lockstep.core.instance import has_own_name
from lockstep.core.names import ComponentName
from lockstep.core.swap import (
    Swap,
    deadline_of,
    refuse_short_gate,
    scaled,
    staged_for,
    standby_findings,
    swap_back,
    swap_of,
    swapped,
)  # fmt: skip
from unit.test_core_compose import composed, ids
from unit.test_core_environment import CHART, FIRST, SECOND, SERVING, STAGING
from unit.test_core_release import release_of

SUMMARIZER = ComponentName("summarizer")
OLD, NEW = ids(FIRST)["summarizer"], ids(SECOND)["summarizer"]
SWAP = swap_of(SERVING, SECOND, [SUMMARIZER])
STAGED = staged_for(stage(SERVING, SECOND, CHART), SWAP)
MOVED = swapped(promote(STAGED, SECOND), SWAP)


def replicas(environment: object) -> dict[str, int]:
    return {name: item.replicas for name, item in environment.instances.items()}  # type: ignore[attr-defined]


def test_what_is_swapped_waits_in_standby_and_so_does_what_calls_it() -> None:
    assert Swap((OLD,), {NEW: 1, SECOND.root: 1}) == SWAP
    assert replicas(STAGED) == {**dict.fromkeys(SERVING.instances, 1), NEW: 0, SECOND.root: 0}


def test_standby_leaves_names_as_they_are() -> None:
    assert all(has_own_name(item) for item in STAGED.instances.values())
    assert parse_environment(STAGING, format_environment(STAGED)) == STAGED


def test_an_autoscaler_rests_in_standby_and_decides_alone_afterwards() -> None:
    whole = composed(release_of(summarizer={"autoscale": Autoscale(max=4, cpu=80), "replicas": 2}))
    item = whole.instances[OLD]

    resting, back = scaled(item, 0), scaled(scaled(item, 0), 2)

    assert (resting.replicas, has_own_name(resting)) == (0, True)
    assert [one["spec"]["replicas"] for one in resting.objects if one["kind"] == "Deployment"] == [0]
    assert back == item


def test_a_swap_puts_the_old_one_to_standby_brings_the_new_one_up_and_moves_the_front() -> None:
    assert replicas(MOVED) == {**dict.fromkeys(STAGED.instances, 1), OLD: 0}
    assert MOVED.front == promote(STAGED, SECOND).front


def test_a_revert_of_a_swap_is_a_swap() -> None:
    changes = edits(format_environment(STAGED), format_environment(MOVED))
    reverse = [Edit(edit.path, edit.new, edit.old) for edit in changes]

    again = parse_environment(STAGING, apply(format_environment(MOVED), reverse))

    assert again == STAGED


def test_going_back_knows_what_to_bring_up_and_what_makes_room() -> None:
    assert swap_back(MOVED, SERVING, FIRST.root) == Swap((NEW,), {OLD: 1})
    assert swap_back(MOVED, STAGED, FIRST.root) == Swap((NEW,), {OLD: 1})


def test_going_back_without_a_swap_changes_no_number() -> None:
    plain = promote(stage(SERVING, SECOND, CHART), SECOND)

    assert swap_back(plain, SERVING, FIRST.root) == Swap()
    assert swapped(plain, Swap()) == plain


def test_a_plain_promote_of_what_is_in_standby_is_refused_with_the_command() -> None:
    found = list(standby_findings(STAGED, SECOND))

    assert sorted(one.component for one in found) == ["gateway", "summarizer"]
    assert all(one.fix.startswith("lockstep promote staging 1.1.0 --swap") for one in found)
    assert list(standby_findings(SERVING, SECOND)) == []


@pytest.mark.parametrize(("component", "words"), [("ocr", "serves already"), ("nobody", "runs no `nobody`")])
def test_only_what_differs_can_be_swapped(component: str, words: str) -> None:
    with pytest.raises(Refused) as caught:
        swap_of(SERVING, SECOND, [ComponentName(component)])

    assert words in caught.value.findings[0].what


def test_nothing_can_be_swapped_where_nothing_serves() -> None:
    with pytest.raises(Refused) as caught:
        swap_of(replace(STAGED, front=None), SECOND, [SUMMARIZER])

    assert "no summarizer serves" in caught.value.findings[0].what


def test_no_component_is_no_swap() -> None:
    assert swap_of(SERVING, SECOND, []) == Swap()


def test_a_gate_must_wait_longer_than_what_comes_up_took_to_start() -> None:
    deadline = deadline_of(SECOND.gate)
    refuse_short_gate(SECOND.gate, deadline - 1)

    with pytest.raises(Refused) as caught:
        refuse_short_gate(SECOND.gate, deadline)

    assert caught.value.findings[0].rule == "swap/deadline"


def test_retire_takes_a_standby_with_its_root() -> None:
    assert OLD not in retire(MOVED, ()).instances


def test_a_later_stage_leaves_standby_as_it_is() -> None:
    third = composed(release_of("1.2.0", ocr={"grace": 9}))

    assert stage(MOVED, third, CHART).instances[OLD].replicas == 0
