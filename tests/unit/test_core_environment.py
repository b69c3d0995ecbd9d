"""The edits of an environment as functions of values: what each adds, what it leaves alone, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core.bindings import Bindings, WeightsBy
from lockstep.core.component import Autoscale
from lockstep.core.document import parse_objects
from lockstep.core.edits import Edit, apply, edits, promote, retire, stage
from lockstep.core.environment import Environment, Files, format_environment, parse_environment
from lockstep.core.errors import Refused
from lockstep.core.instance import Instance
from lockstep.core.names import EnvironmentName, ImageRef
from lockstep.core.release import PinnedWeights
from lockstep.core.version import Version
from unit.test_core_compose import composed, ids
from unit.test_core_release import release_of, sha, weights

GOLDENS = Path(__file__).parents[1] / "goldens"
STAGING = EnvironmentName("staging")
CHART = {"Chart.yaml": b"name: environment\n", "templates/manifests.yaml": b"{{ x }}\n", "values.yaml": b"part: all\n"}
EMPTY = Environment(STAGING)
FIRST = composed(release_of("1.0.0"))
SECOND = composed(release_of("1.1.0", summarizer={"prompts": {"summary.prompt": "Other.\n"}}))
STAGED = stage(EMPTY, FIRST, CHART)
SERVING = promote(STAGED, FIRST)
BOTH = stage(SERVING, SECOND, CHART)
MOVED = promote(BOTH, SECOND)
files_of = st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=3))


def _folders(old: Environment, new: Environment) -> set[str]:
    return {edit.path.partition("/")[0] for edit in edits(format_environment(old), format_environment(new))}


@pytest.mark.parametrize("environment", [EMPTY, STAGED, SERVING, BOTH, MOVED, retire(MOVED, ())])
def test_parse_environment_is_the_inverse_of_format_environment(environment: Environment) -> None:
    files = format_environment(environment)

    again = parse_environment(STAGING, files)

    assert again == environment
    assert format_environment(again) == files


@given(files_of, files_of)
def test_edits_turn_the_old_files_into_the_new_ones(old: Files, new: Files) -> None:
    changes = edits(old, new)

    assert apply(old, changes) == new
    assert apply(new, [Edit(edit.path, edit.new, edit.old) for edit in changes]) == old
    assert [edit.path for edit in changes] == sorted(path for path in {*old, *new} if old.get(path) != new.get(path))


@given(files_of)
def test_edits_of_equal_files_are_none(files: Files) -> None:
    assert edits(files, dict(files)) == ()


def test_stage_twice_is_stage_once() -> None:
    assert stage(STAGED, FIRST, CHART) == STAGED
    assert stage(MOVED, FIRST, CHART) == MOVED


def test_stage_adds_instances_and_the_chart_and_never_the_front_or_a_gate() -> None:
    assert set(STAGED.instances) == set(FIRST.instances)
    assert (STAGED.front, STAGED.gates) == (None, {})
    assert _folders(SERVING, BOTH) == {"instances"}
    assert all(edit.old is None for edit in edits(format_environment(SERVING), format_environment(BOTH)))


def test_two_staged_releases_share_what_did_not_change() -> None:
    shared = set(FIRST.instances) & set(SECOND.instances)

    assert {name.component for name in shared} == {"llm", "ocr"}
    assert len(BOTH.instances) == len(FIRST.instances) + 2
    assert BOTH.roots == tuple(sorted([FIRST.root, SECOND.root]))


def test_the_order_of_two_stages_changes_nothing() -> None:
    assert stage(stage(EMPTY, SECOND, CHART), FIRST, CHART) == stage(STAGED, SECOND, CHART)


def test_stage_takes_the_new_chart_but_never_what_people_edit() -> None:
    edited = replace(
        SERVING, chart={**SERVING.chart, "bindings.yaml": b"components: {}\n", "hold.yaml": b"reason: x\n"}
    )
    chart = {
        "Chart.yaml": b"name: other\n",
        "values.yaml": b"part: front\n",
        "bindings.yaml": b"registry: evil\n",
        "hold.yaml": b"",
    }

    staged = stage(edited, SECOND, chart)

    assert staged.chart["values.yaml"] == b"part: front\n"
    assert [staged.chart[path] for path in ("Chart.yaml", "bindings.yaml", "hold.yaml")] == [
        edited.chart[path] for path in ("Chart.yaml", "bindings.yaml", "hold.yaml")
    ]


def test_stage_refuses_other_content_under_the_same_name() -> None:
    name = FIRST.root
    other = next(item for item in FIRST.instances.values() if item.id != name)
    forged = replace(STAGED, instances={**STAGED.instances, name: Instance(name, other.digest, other.objects)})

    with pytest.raises(Refused) as caught:
        stage(forged, FIRST, CHART)

    (finding,) = caught.value.findings
    assert finding.rule == "instance/id"
    assert FIRST.instances[name].digest in finding.what
    assert other.digest in finding.what


def test_stage_keeps_the_replicas_that_are_there() -> None:
    name = ids(FIRST)["llm"]
    scaled = parse_environment(
        STAGING,
        {
            path: data.replace(b"replicas: 1", b"replicas: 5") if name in path else data
            for path, data in format_environment(STAGED).items()
        },
    )

    assert stage(scaled, FIRST, CHART).instances[name].replicas == 5


def test_promote_touches_the_gate_the_front_and_the_charts_version_only() -> None:
    assert _folders(BOTH, MOVED) == {"front", "gates", "Chart.yaml"}
    assert MOVED.front is not None
    assert (MOVED.front.root, MOVED.front.release) == (SECOND.root, Version("1.1.0"))
    assert set(MOVED.gates) == {FIRST.root, SECOND.root}
    assert b'appVersion: "1.1.0"' in MOVED.chart["Chart.yaml"]
    assert MOVED.instances == BOTH.instances


def test_stage_and_promote_edit_no_file_in_common() -> None:
    staged = {edit.path for edit in edits(format_environment(SERVING), format_environment(BOTH))}
    promoted = {edit.path for edit in edits(format_environment(BOTH), format_environment(MOVED))}

    assert not staged & promoted


def test_promote_again_of_a_root_whose_gate_is_there_asks_nothing_anew() -> None:
    back = promote(MOVED, FIRST)

    assert _folders(MOVED, back) == {"front", "gates", "Chart.yaml"}
    assert back.front == SERVING.front
    assert {root: gate.in_wave(0) for root, gate in back.gates.items()} == {
        root: gate.in_wave(0) for root, gate in MOVED.gates.items()
    }


def test_the_gate_of_the_root_that_is_named_lies_beside_the_front_and_before_it() -> None:
    """So a revert brings it back also after its root was retired, and no gate that failed holds a later promote."""
    for moved in (SERVING, MOVED, promote(MOVED, FIRST)):
        files = format_environment(moved)
        others = [files[path] for path in files if path.startswith("gates/")]

        assert moved.front is not None
        assert f"gate-{moved.front.root}".encode() in files["front/gate.yaml"]
        assert b'sync-wave: "1"' in files["front/gate.yaml"]
        assert b'sync-wave: "2"' in files["front/front.yaml"]
        assert all(b'sync-wave: "3"' in data for data in others)
        assert len(others) == len(moved.gates) - 1


def test_the_reverse_of_a_promote_gives_what_was_before_also_after_a_later_stage() -> None:
    """What `git revert` does: the promote's own edits, the other way round, on whatever came since."""
    reverse = [
        Edit(edit.path, edit.new, edit.old) for edit in edits(format_environment(BOTH), format_environment(MOVED))
    ]
    third = composed(release_of("1.2.0", ocr={"grace": 9}))
    later = format_environment(stage(MOVED, third, CHART))

    assert apply(format_environment(MOVED), reverse) == format_environment(BOTH)
    assert all(later[edit.path] == edit.old for edit in reverse)
    assert apply(later, reverse) == format_environment(stage(BOTH, third, CHART))


def test_retire_deletes_what_no_kept_root_reaches_and_never_what_serves() -> None:
    gone = retire(MOVED, ())

    assert set(gone.instances) == set(SECOND.instances)
    assert set(gone.gates) == {SECOND.root}
    assert (gone.front, gone.chart) == (MOVED.front, MOVED.chart)


def test_retire_keeps_the_whole_closure_of_kept_roots() -> None:
    assert retire(MOVED, [FIRST.root]) == MOVED
    assert retire(MOVED, [SECOND.root]) == retire(MOVED, ())


def test_retire_before_the_first_promote_keeps_the_roots_that_it_is_told() -> None:
    staged = stage(STAGED, SECOND, CHART)

    assert set(retire(staged, [FIRST.root]).instances) == set(FIRST.instances)
    assert retire(staged, ()).instances == {}


def test_a_retired_callee_is_missing_from_the_closure_by_name() -> None:
    name = ids(FIRST)["llm"]
    without = replace(SERVING, instances={key: item for key, item in SERVING.instances.items() if key != name})

    assert without.missing(FIRST.root) == (name,)
    assert SERVING.missing(FIRST.root) == ()
    assert name in without.closure(FIRST.root)


@pytest.mark.parametrize("path", ["instances/llm.yaml", "instances/llm-xyz.yaml", "gates/llm.yaml"])
def test_a_file_that_is_not_named_by_an_id_is_refused(path: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_environment(STAGING, {path: b"a: 1\n"})

    assert caught.value.findings[0].where == f"releases/staging/{path}"


@pytest.mark.parametrize(
    ("old", "new"), [(b"lockstep.dev/serves", b"lockstep.dev/servant"), (b"1.0.0", b"one"), (b"selector", b"s")]
)
def test_a_front_that_names_no_root_release_or_set_is_refused(old: bytes, new: bytes) -> None:
    files = format_environment(SERVING)

    with pytest.raises(Refused) as caught:
        parse_environment(STAGING, {**files, "front/front.yaml": files["front/front.yaml"].replace(old, new)})

    assert caught.value.findings[0].rule == "front/field"


def _golden_files() -> dict[str, bytes]:
    instance = FIRST.instances[ids(FIRST)["summarizer"]]
    autoscaled = composed(release_of(llm={"autoscale": Autoscale(max=4, cpu=80)})).instances[ids(FIRST)["llm"]]
    by_copy = composed(
        release_of(**{name: {"weights": weights(name, copier=True)} for name in ("ocr", "llm")}),
        Bindings(weights=WeightsBy.COPY),
    )
    theirs = ImageRef(f"registry.example.org/models/ocr@{sha(8)}")
    named = composed(release_of(ocr={"weights": PinnedWeights(reference=theirs, files=(), path="models/ocr")}))
    return {
        "instance.yaml": instance.file(),
        "autoscaled.yaml": autoscaled.file(),
        "copied.yaml": by_copy.instances[ids(by_copy)["ocr"]].file(),
        "weights-image.yaml": named.instances[ids(named)["ocr"]].file(),
        "gate.yaml": FIRST.gate.file(),
        "front.yaml": FIRST.front.file(),
    }


@pytest.mark.parametrize(
    "name", ["instance.yaml", "autoscaled.yaml", "copied.yaml", "weights-image.yaml", "gate.yaml", "front.yaml"]
)
def test_golden_the_rendered_objects_are_those_that_were_reviewed(name: str) -> None:
    """A difference renames instances at everybody's next release: rewrite with `make golden`, and say so."""
    data = _golden_files()[name]
    if os.environ.get("LOCKSTEP_GOLDEN") == "write":
        GOLDENS.mkdir(exist_ok=True)
        (GOLDENS / name).write_bytes(data)

    assert (GOLDENS / name).read_bytes() == data
    assert parse_objects(data.decode(), name)


def test_golden_files_are_the_same_under_any_hash_seed() -> None:
    program = (
        "import sys; sys.path[:0] = ['tools', 'tests']\n"
        "from unit.test_core_environment import MOVED, format_environment\n"
        "from lockstep.core.names import digest_of\n"
        "print(digest_of(repr(sorted(format_environment(MOVED).items())).encode()))"
    )
    here = Path(__file__).parents[2]

    found = {
        subprocess.check_output([sys.executable, "-c", program], cwd=here, env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    }

    assert len(found) == 1
