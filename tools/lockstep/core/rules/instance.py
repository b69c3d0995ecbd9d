"""Steps 8 and 10: each instance is what its name says, talks only to its callees, and comes from a release."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lockstep.core.environment import INSTANCE, Environment
from lockstep.core.errors import Finding
from lockstep.core.fields import at
from lockstep.core.instance import AUTOSCALER, Instance, has_own_name
from lockstep.core.names import ImageRef, without_host
from lockstep.core.release import Pinned
from lockstep.core.render import Object
from lockstep.core.rules.facts import Facts
from lockstep.core.rules.pod import pod_findings

ANYONE = "anyone"


def instance_findings(item: Instance, environment: Environment, facts: Facts) -> Iterator[Finding]:
    """Steps 8 and 10 for one instance."""
    where = f"releases/{environment.name}/instances/{item.id}.yaml"
    restore = f"restore it from Git: git log -- {where}"
    if not has_own_name(item):
        what = (
            f"its content has the digest {item.digest}, so its name would be {item.id.component}-{item.digest.hex[:10]}"
        )
        yield Finding("instance/id", where, what, restore, item.id.component)
    for callee in item.callees:
        if callee not in environment.instances:
            what = f"it calls {callee}, which is not in {environment.name}"
            fix = f"restore it from Git, or stage its release again: lockstep stage {environment.name} VERSION"
            yield Finding("instance/callee", where, what, fix, item.id.component)
    yield from (
        Finding("instance/address", where, what, restore, item.id.component) for what in _address_problems(item)
    )
    yield from (
        Finding("instance/autoscale", where, what, restore, item.id.component) for what in _autoscale_problems(item)
    )
    yield from _edge_findings(item, environment, where)
    yield from pod_findings(item.objects, where, item.id.component)
    yield from _origin_findings(item, facts, where)


def _address_problems(item: Instance) -> Iterator[str]:
    """One Deployment and one Service have the instance's name, and that Service leads to its pods alone."""
    labels = {INSTANCE: item.id}
    for kind in ("Deployment", "Service"):
        names = [at(one, "metadata", "name") for one in item.objects if one.get("kind") == kind]
        if names != [item.id]:
            yield f"it has the {kind}s {', '.join(map(str, names)) or '(none)'} instead of one named {item.id}"
    for one in item.objects:
        if one.get("kind") == "Service" and at(one, "spec", "selector") != labels:
            target = at(one, "spec", "selector")
            yield f"the Service {at(one, 'metadata', 'name')} leads to {target}, not to {item.id} alone"
        if one.get("kind") == "Deployment" and at(one, "spec", "template", "metadata", "labels", INSTANCE) != item.id:
            yield f"its pods do not have the label {INSTANCE}: {item.id}"


def _autoscale_problems(item: Instance) -> Iterator[str]:
    """An autoscaler is of this instance's Deployment, and adds pods only."""
    for one in item.objects:
        if one.get("kind") == AUTOSCALER:
            target = at(one, "spec", "scaleTargetRef")
            if (at(target, "kind"), at(target, "name")) != ("Deployment", item.id):
                yield f"its autoscaler is of {at(target, 'kind')} {at(target, 'name')}, not of its own Deployment"
            if at(one, "spec", "behavior", "scaleDown", "selectPolicy") != "Disabled":
                yield "its autoscaler may take pods away"


def _edge_findings(item: Instance, environment: Environment, where: str) -> Iterator[Finding]:
    """NetworkPolicies admit the instance to its callees; outside traffic only to what nobody calls."""
    found = sorted(edge for one in item.objects if one.get("kind") == "NetworkPolicy" for edge in _edges(one))
    wanted = sorted((str(callee), str(item.id)) for callee in item.callees)
    opened = sorted([*wanted, (str(item.id), ANYONE)])
    if found == wanted or (found == opened and item.id in environment.roots):
        return
    extra = [f"{admitted} to {selected}" for selected, admitted in found if (selected, admitted) not in wanted]
    lacking = [f"{admitted} to {selected}" for selected, admitted in wanted if (selected, admitted) not in found]
    both = (", ".join(extra) or "nothing", ", ".join(lacking) or "nothing")
    what = f"its NetworkPolicies admit {both[0]} beside its calls, and lack {both[1]}"
    yield Finding("instance/edges", where, what, f"restore it from Git: git log -- {where}", item.id.component)


def _edges(policy: Object) -> Iterator[tuple[str, str]]:
    """(who is called, who may call) for every rule of a policy; `other` for a form that we do not render."""
    selected = _named(at(policy, "spec", "podSelector"))
    rules = at(policy, "spec", "ingress")
    if at(policy, "spec", "policyTypes") != ["Ingress"] or not isinstance(rules, list) or not rules:
        yield selected, "other"
        return
    for rule in rules:
        peers = at(rule, "from")
        for peer in peers if isinstance(peers, list) and peers else [{ANYONE: peers}]:
            yield selected, _peer(peer)


def _peer(peer: Any) -> str:
    if not isinstance(peer, Mapping) or set(peer) not in ({"podSelector"}, {ANYONE}):
        return "other"
    return _named(peer["podSelector"]) if "podSelector" in peer else "other" if peer[ANYONE] else ANYONE


def _named(selector: Any) -> str:
    labels = at(selector, "matchLabels")
    only = isinstance(selector, dict) and set(selector) == {"matchLabels"} and isinstance(labels, dict)
    return str(labels[INSTANCE]) if only and set(labels) == {INSTANCE} else "other"


def _origin_findings(item: Instance, facts: Facts, where: str) -> Iterator[Finding]:
    """Step 10: some release pins what it runs, so somebody can say where it comes from."""
    name = item.id.component
    problems = [
        unlike(item, release.components[name]) for release in facts.known.values() if name in release.components
    ]
    if not problems or all(problems):
        what = f"no release here pins what it is: {problems[-1] if problems else f'none has a component {name}'}"
        yield Finding("instance/unreleased", where, what, "restore the release from Git, or retire the instance", name)


def unlike(item: Instance, pinned: Pinned) -> str:
    """How an instance differs by images and prompts from what a release pins for it; empty if it does not."""
    ways = references_of(pinned)
    if not any(_are(item.images, wanted) for wanted in ways):
        wanted = " or ".join(", ".join(way) or "none" for way in ways)
        return f"it runs {', '.join(item.images) or 'no image'} instead of {wanted}"
    found = [at(one, "data") for one in item.objects if at(one, "metadata", "name") == f"{item.id}-prompts"]
    return "" if found == ([dict(pinned.prompts)] if pinned.prompts else []) else "it has other prompts"


def is_one_of(image: str, references: Iterable[ImageRef]) -> bool:
    """Whether a pod's image is one of these. Ours stand under a registry that the environment chooses; a third-party
    one may have moved to another host since it was staged: ids leave hosts out, and its digest says what it is.
    """
    return any(without_host(image) == without_host(one) or image.endswith(f"/{one}") for one in references)


def _are(images: tuple[str, ...], wanted: tuple[ImageRef, ...]) -> bool:
    return len(images) == len(wanted) and all(is_one_of(image, wanted) for image in images)


def references_of(pinned: Pinned) -> tuple[tuple[ImageRef, ...], ...]:
    """The images that a release pins for a component, one tuple for each way to run it: its own image and that of its
    weights, or its own and the copier.
    """
    weights = pinned.weights
    ways = (weights, weights.copier if weights else None)
    own = (pinned.image.reference,) if pinned.image else ()
    return tuple(tuple(dict.fromkeys((*own, part.reference))) for part in ways if part) or (own,)
