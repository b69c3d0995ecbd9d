"""What Flux is told: a function of the environment alone, and a commit that moves the pointer moves it once."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core.bundle import Bundle, parse_bundle
from lockstep.core.document import parse_canonical
from lockstep.core.edits import Edit, apply, edits, promote, retire, stage
from lockstep.core.environment import Environment, Files, format_environment, parse_environment
from lockstep.core.flux import flux_files, overlaid
from unit.test_core_environment import BOTH, CHART, EMPTY, FIRST, MOVED, SECOND, SERVING, STAGED, STAGING

_TEXT = "name: documents\nentry: gateway\nenvironments: {staging: {agent: %s}}\n"
POLICIES = {**CHART, "policies/default-deny.yaml": b"kind: NetworkPolicy\n"}
STATES = [EMPTY, STAGED, SERVING, BOTH, MOVED, retire(MOVED, ())]


def bundle(agent: str = "flux", more: str = "") -> Bundle:
    return parse_bundle((_TEXT % agent).replace("agent:", f"{more}agent:"), "lockstep.yaml")


def told(environment: Environment) -> Files:
    return format_environment(overlaid(environment, bundle(), ""))


def objects(environment: Environment, prefix: str = "") -> dict[str, Any]:
    found = flux_files(environment, bundle(), prefix)
    own = (path for path in found if path.startswith("flux/objects/") and not path.endswith("kustomization.yaml"))
    items = [yaml.safe_load(found[path]) for path in own]
    return {item["metadata"]["name"]: item for item in items}


def test_only_an_environment_of_flux_is_told_anything() -> None:
    assert flux_files(MOVED, bundle("argocd"), "") == {}
    assert flux_files(MOVED, bundle("none"), "") == {}
    assert flux_files(EMPTY, bundle(), "") == {}


def test_argocd_is_the_agent_and_the_environments_name_the_namespace_unless_said() -> None:
    plain = parse_bundle("name: a\nentry: b\nenvironments: {staging: {}}\n", "lockstep.yaml")

    assert plain.environments[STAGING].agent == "argocd"
    assert plain.namespace_of(STAGING) == "staging"
    assert bundle(more="namespace: documents-staging, ").namespace_of(STAGING) == "documents-staging"


def test_each_state_has_its_kustomizations() -> None:
    with_policies = replace(MOVED, chart={**MOVED.chart, **POLICIES})

    assert sorted(objects(STAGED)) == ["instances"]
    assert sorted(objects(SERVING)) == sorted(["instances", "front", f"root-{FIRST.root}"])
    assert sorted(objects(with_policies)) == sorted(["front", "instances", f"root-{FIRST.root}", f"root-{SECOND.root}"])
    listed = flux_files(with_policies, bundle(), "")["flux/objects/policies/kustomization.yaml"]
    assert b'- "../../../policies/default-deny.yaml"' in listed
    assert "flux/objects/policies/kustomization.yaml" not in flux_files(MOVED, bundle(), "")


def test_the_front_waits_for_the_first_answer_of_its_own_root_and_nobody_waits_for_anything_else() -> None:
    found = objects(MOVED)

    (wait,) = found["front"]["spec"]["dependsOn"]
    assert wait["name"] == f"root-{SECOND.root}"
    assert "lastAppliedRevision" in wait["readyExpr"]
    assert [name for name, item in found.items() if item["spec"].get("dependsOn")] == ["front"]
    assert sorted(name for name, item in found.items() if item["spec"]["wait"]) == sorted(
        f"root-{root}" for root in (FIRST.root, SECOND.root)
    )


def test_what_serves_outlives_its_kustomization_and_a_proof_does_not() -> None:
    found = objects(MOVED)

    assert {name: item["spec"].get("deletionPolicy") for name, item in found.items()} == {
        "instances": "Orphan", "front": "Orphan", f"root-{FIRST.root}": None, f"root-{SECOND.root}": None,
    }  # fmt: skip
    assert {name: item["spec"]["prune"] for name, item in found.items() if "root" not in name} == {
        "instances": True, "front": False,
    }  # fmt: skip
    assert all(item["spec"]["prune"] for name, item in found.items() if "root" in name)


def test_a_root_is_waited_for_longer_than_its_gate_may_take() -> None:
    deadline = FIRST.gate.objects[0]["spec"]["activeDeadlineSeconds"]

    assert objects(SERVING)[f"root-{FIRST.root}"]["spec"]["timeout"] == f"{deadline + 30}s"


@pytest.mark.parametrize("environment", STATES)
@pytest.mark.parametrize("prefix", ["", "teams/documents/"])
def test_every_path_that_is_named_is_there(environment: Environment, prefix: str) -> None:
    files = {**format_environment(environment), **flux_files(environment, bundle(), prefix)}
    folder = f"./{prefix}releases/staging/"

    for item in objects(environment, prefix).values():
        path = item["spec"]["path"].removeprefix(folder)
        assert item["spec"]["path"].startswith(folder)
        assert any(name.startswith(f"{path}/") for name in files), path
    for path, data in files.items():
        if path.endswith("kustomization.yaml"):
            (resource,) = parse_canonical(data.decode(), path).data["resources"]
            assert posixpath.normpath(posixpath.join(posixpath.dirname(path), resource)) in files


def test_everything_lives_in_the_environments_namespace_under_its_own_account() -> None:
    found = flux_files(MOVED, bundle(more="namespace: elsewhere, "), "")

    for path, data in found.items():
        if path.startswith("flux/objects/"):
            item = yaml.safe_load(data)
            assert (item["metadata"]["namespace"], item["spec"]["targetNamespace"]) == ("elsewhere", "elsewhere")
            assert item["spec"]["serviceAccountName"] == "lockstep"
            assert item["spec"]["sourceRef"] == {"kind": "GitRepository", "name": "documents"}


def test_stage_and_promote_share_no_file() -> None:
    staged = {edit.path for edit in edits(told(SERVING), told(BOTH))}
    promoted = {edit.path for edit in edits(told(BOTH), told(MOVED))}

    assert {path.partition("/")[0] for path in staged} == {"instances"}
    assert not staged & promoted
    assert {path for path in promoted if path.startswith("flux/")} == {
        f"flux/objects/root-{FIRST.root}.yaml", f"flux/gates/{FIRST.root}/kustomization.yaml",
        f"flux/gate/{FIRST.root}/kustomization.yaml", f"flux/gate/{SECOND.root}/kustomization.yaml",
        "flux/objects/gate.yaml",
        f"flux/front/{FIRST.root}/kustomization.yaml", f"flux/front/{SECOND.root}/kustomization.yaml",
        "flux/objects/front.yaml",
    }  # fmt: skip


def test_a_commit_that_moves_the_pointer_takes_the_folder_of_the_old_one_away() -> None:
    before, after = objects(BOTH)["front"]["spec"]["path"], objects(MOVED)["front"]["spec"]["path"]

    assert before != after
    assert not any(f"./releases/staging/{path}".startswith(before) for path in told(MOVED))


def test_the_reverse_of_a_promote_restores_what_flux_was_told_also_after_a_later_stage() -> None:
    reverse = [Edit(edit.path, edit.new, edit.old) for edit in edits(told(BOTH), told(MOVED))]
    later = told(retire(MOVED, [FIRST.root]))

    assert apply(told(MOVED), reverse) == told(BOTH)
    assert apply(later, reverse) == told(BOTH)


def test_retire_takes_the_proof_of_a_root_away_with_it() -> None:
    gone = {edit.path for edit in edits(told(MOVED), told(retire(MOVED, ()))) if edit.new is None}

    assert f"flux/objects/root-{FIRST.root}.yaml" in gone
    assert f"flux/gates/{FIRST.root}/kustomization.yaml" in gone


@pytest.mark.parametrize("environment", STATES)
def test_it_is_a_function_of_the_environment_alone(environment: Environment) -> None:
    stray = replace(environment, chart={**environment.chart, "flux/objects/stray.yaml": b"a: 1\n"})
    once = overlaid(environment, bundle(), "")

    assert overlaid(once, bundle(), "") == once
    assert environment == EMPTY or overlaid(stray, bundle(), "") == once
    assert parse_environment(STAGING, format_environment(once)) == once
    assert overlaid(once, bundle("argocd"), "") == environment


@given(st.permutations([("stage", 1), ("stage", 2)]))
def test_the_way_to_a_state_does_not_matter(order: list[tuple[str, int]]) -> None:
    state = EMPTY
    for _, number in order:
        state = overlaid(stage(state, (FIRST, SECOND)[number - 1], CHART), bundle(), "")

    assert format_environment(overlaid(promote(state, FIRST), bundle(), "")) == told(
        promote(stage(stage(EMPTY, FIRST, CHART), SECOND, CHART), FIRST)
    )
