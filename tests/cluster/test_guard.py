"""The guard on a real API server: what serves is not deleted, by anybody; everything else goes as it always did."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.running import Running
from operating import (
    TOP,
    Cluster,
    Object,
    documents,
    eventually,
    gitops_values,
    new_name,
    parsed,
    refusal,
    rendered,
)

GOLDENS = TOP / "tests" / "goldens"
CHART = TOP / "charts" / "gitops"
SERVES, OTHER = "summarizer-a7742d8be1", "summarizer-0123456789"
KINDS = ["ConfigMap", "Deployment", "Service", "NetworkPolicy"]


def instance(name: str) -> list[Object]:
    """The golden instance under a name."""
    return parsed((GOLDENS / "instance.yaml").read_text(encoding="utf-8").replace(SERVES, name))


[FRONT], [GATE] = documents(GOLDENS / "front.yaml"), documents(GOLDENS / "gate.yaml")


@dataclass(frozen=True)
class Guarded:
    """A namespace with its guard."""

    cluster: Cluster
    namespace: str

    def put(self, *given: Object) -> None:
        """Applies objects there."""
        self.cluster.apply(list(given), self.namespace)

    def delete(self, item: Object, **how: str) -> str:
        """Deletes one; the message of a refusal, or nothing."""
        kind = self.cluster.kind(item)
        return refusal(lambda: kind.delete(name=item["metadata"]["name"], namespace=self.namespace, **how))

    def serve(self) -> None:
        """Puts the golden front there, and waits until the guard has seen it."""
        self.put(FRONT)
        eventually(lambda: self.delete(FRONT, dry_run="All"), what="the guard is in force")

    def names(self, item: Object) -> set[str]:
        """Objects of the kind that are there and not being deleted."""
        found = self.cluster.kind(item).get(namespace=self.namespace).items
        return {one.metadata.name for one in found if not one.metadata.deletionTimestamp}


def guard_of(where: Cluster, namespace: str) -> list[Object]:
    """The namespace and its guard, as charts/gitops renders them for both agents."""
    only = [part for name in ("namespace", "guard") for part in ("--show-only", f"templates/{name}.yaml")]
    return rendered(where.program, CHART, *gitops_values("argocd", namespace), *only)


@pytest.fixture(scope="module")
def guarded(cluster: Running) -> Iterator[Guarded]:
    """A guarded namespace in which the golden front serves the golden instance, beside another instance and a gate."""
    found = Guarded(Cluster(cluster), new_name("guard"))
    made = guard_of(found.cluster, found.namespace)
    found.cluster.apply(made)
    found.serve()
    found.put(GATE, *instance(SERVES), *instance(OTHER))
    yield found
    for item in made:
        own = found.cluster.kind(item)
        own.delete(name=item["metadata"]["name"])


@pytest.mark.parametrize("kind", KINDS)
def test_delete_refuses_what_serves_with_its_name_its_release_and_a_fix(guarded: Guarded, kind: str) -> None:
    item = next(each for each in instance(SERVES) if each["kind"] == kind)

    said = guarded.delete(item)

    assert f"lockstep: {SERVES} serves (release 1.0.0); fix: move the front first" in said
    assert item["metadata"]["name"] in guarded.names(item)


@pytest.mark.parametrize("kind", KINDS)
def test_delete_of_many_at_once_refuses_what_serves(guarded: Guarded, kind: str) -> None:
    item = next(each for each in instance(SERVES) if each["kind"] == kind)

    said = refusal(
        lambda: guarded.cluster.kind(item).delete(namespace=guarded.namespace, label_selector="lockstep.dev/instance")
    )

    assert "serves (release 1.0.0)" in said
    assert item["metadata"]["name"] in guarded.names(item)


@pytest.mark.parametrize("kind", KINDS)
def test_delete_lets_go_what_does_not_serve(guarded: Guarded, kind: str) -> None:
    third = "summarizer-9876543210"
    guarded.put(*instance(third))
    item = next(each for each in instance(third) if each["kind"] == kind)

    said = guarded.delete(item)

    assert said == ""
    eventually(lambda: item["metadata"]["name"] not in guarded.names(item))


def test_delete_refuses_the_front(guarded: Guarded) -> None:
    said = guarded.delete(FRONT)

    assert "lockstep: this is the front" in said
    assert "front" in guarded.names(FRONT)


def test_delete_lets_a_gate_go(guarded: Guarded) -> None:
    assert guarded.delete(GATE) == ""


def test_scaling_and_patching_what_serves_is_not_deleting(guarded: Guarded) -> None:
    item = next(each for each in instance(SERVES) if each["kind"] == "Deployment")
    kind = guarded.cluster.kind(item)
    patches = ({"spec": {"replicas": 0}}, {"spec": {"replicas": 2}}, {"metadata": {"annotations": {"a": "b"}}})

    for body in patches:
        kind.patch(name=SERVES, namespace=guarded.namespace, body=body, content_type="application/merge-patch+json")

    assert kind.get(name=SERVES, namespace=guarded.namespace).spec.replicas == 2


def test_pods_of_what_serves_may_be_deleted(guarded: Guarded) -> None:
    template = copy.deepcopy(
        next(each for each in instance(SERVES) if each["kind"] == "Deployment")["spec"]["template"]
    )
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    pod["metadata"]["name"] = "by-hand"
    pod["spec"]["nodeSelector"] = {"kubernetes.io/hostname": "nowhere"}
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    eventually(lambda: "default" in guarded.names(account), what="pods have an account")
    guarded.put(pod)

    assert guarded.delete(pod) == ""


def test_what_served_may_go_once_the_front_has_moved_and_not_before(guarded: Guarded) -> None:
    guarded.put(*instance(OTHER))
    moved = copy.deepcopy(FRONT)
    moved["metadata"]["annotations"] |= {
        "lockstep.dev/serves": f"gateway-8c775d8ae5,{OTHER}",
        "lockstep.dev/release": "1.1.0",
    }
    old, new = (next(each for each in instance(name) if each["kind"] == "ConfigMap") for name in (SERVES, OTHER))
    assert "serves (release 1.0.0)" in guarded.delete(old)

    guarded.put(moved)

    eventually(lambda: not guarded.delete(old), 5, "the guard follows the front")
    assert "serves (release 1.1.0)" in guarded.delete(new)
    guarded.put(FRONT, *instance(SERVES))
    eventually(lambda: guarded.delete(old, dry_run="All"), 5, "the guard follows the front back")


@pytest.mark.parametrize("note", [{}, {"lockstep.dev/serves": ""}])
def test_a_front_that_does_not_say_what_serves_lets_nothing_go(guarded: Guarded, note: dict[str, str]) -> None:
    kind = guarded.cluster.kind(FRONT)
    silent = {"metadata": {"annotations": {"lockstep.dev/serves": None, **note}}}
    kind.patch(name="front", namespace=guarded.namespace, body=silent, content_type="application/merge-patch+json")
    item = next(each for each in instance(OTHER) if each["kind"] == "Service")
    guarded.put(item)

    try:
        eventually(lambda: guarded.delete(item, dry_run="All"), 5, "the guard fails closed")
    finally:
        guarded.put(FRONT)
    assert OTHER in guarded.names(item)
    eventually(lambda: not guarded.delete(item), 5, "the guard follows the front")


def test_before_there_is_a_front_everything_may_go(cluster: Running) -> None:
    found = Guarded(Cluster(cluster), new_name("guard"))
    made = guard_of(found.cluster, found.namespace)
    found.cluster.apply(made)
    found.put(*instance(SERVES))

    said = [found.delete(item) for item in instance(SERVES)]

    assert said == ["", "", "", ""]
    _removed(found, made)


def test_the_namespace_can_be_deleted_while_it_serves(cluster: Running) -> None:
    found = Guarded(Cluster(cluster), new_name("guard"))
    made = guard_of(found.cluster, found.namespace)
    found.cluster.apply(made)
    found.serve()
    found.put(*instance(SERVES))

    found.cluster.kind(made[0]).delete(name=found.namespace)

    eventually(lambda: not _namespaces(found), 60, "the namespace is gone")
    _removed(found, made[1:])


def test_other_namespaces_are_not_guarded(guarded: Guarded) -> None:
    item = next(each for each in instance(SERVES) if each["kind"] == "ConfigMap")
    guarded.cluster.apply([FRONT, item], "default")

    assert [
        refusal(lambda each=each: guarded.cluster.kind(each).delete(name=each["metadata"]["name"], namespace="default"))
        for each in (item, FRONT)
    ] == ["", ""]


def test_the_guard_has_no_warnings(guarded: Guarded) -> None:
    kind = guarded.cluster.client.resources.get(
        api_version="admissionregistration.k8s.io/v1", kind="ValidatingAdmissionPolicy"
    )

    def checked() -> Any:
        found = kind.get(name=f"lockstep-guard-{guarded.namespace}").to_dict()
        return found.get("status", {}).get("observedGeneration") and found

    status = eventually(checked, what="the policy was type-checked")["status"]
    assert not status.get("typeChecking", {}).get("expressionWarnings"), json.dumps(status, indent=1)


def _namespaces(found: Guarded) -> bool:
    every = found.cluster.client.resources.get(api_version="v1", kind="Namespace").get().items
    return any(one.metadata.name == found.namespace for one in every)


def _removed(found: Guarded, made: list[Object]) -> None:
    for item in made:
        found.cluster.kind(item).delete(name=item["metadata"]["name"])
