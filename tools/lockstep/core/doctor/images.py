"""Whether the registry keeps tags of releases as they are.

Lockstep writes each of its tags once and never believes one: pods pull by digest, and `verify --registry` finds a tag
that was moved. But a registry's collector keeps what a tag names, so a tag that was moved or deleted may cost the
image that a rollback needs.
"""

from __future__ import annotations

import re
from enum import StrEnum

from lockstep.core.doctor.check import Check, Untold
from lockstep.core.doctor.subject import Subject
from lockstep.core.forge.answers import Project, TagRule

IMMUTABLE = Check(
    rule="doctor/immutable",
    where="the registry: immutable tags",
    means="a tag `release-…` that is moved or deleted lets the registry collect the image that a rollback needs; "
    "`lockstep verify --registry` finds it afterwards",
)
REACHED = Check(
    rule="doctor/registry",
    where="the registry",
    means="`lockstep push` and `release` cannot bring images there from this machine",
)
_PROBE = "ask the registry itself: lockstep doctor --probe (writes one tag twice, and takes it away)"


class Probed(StrEnum):
    """What became of a tag that was written twice."""

    KEPT = "kept"
    MOVED = "moved"


def immutable_check(subject: Subject, project: Project | Untold, told: tuple[TagRule, ...] | Untold) -> Check:
    """Whether a GitLab's own registry keeps tags, by its rules; any other registry must be probed."""
    if not subject.registry:
        return IMMUTABLE.fine("there is no registry: images stay in .lockstep/store")
    if isinstance(project, Untold):
        return IMMUTABLE.untold(project, _PROBE)
    prefix = project.container_registry_image_prefix or ""
    if not prefix or not f"{subject.registry}/".startswith(f"{prefix}/"):
        return IMMUTABLE.untold(Untold(f"{subject.registry} has no API that says so"), _PROBE)
    if isinstance(told, Untold):
        return IMMUTABLE.untold(Untold(f"{told.why} (GitLab 18.7 and later list their rules)"), _PROBE)
    return _ruled(subject, told)


def _ruled(subject: Subject, rules: tuple[TagRule, ...]) -> Check:
    is_kept, is_limited = (
        _covered(subject, [one for one in rules if one.is_immutable is way]) for way in (True, False)
    )
    said = (
        "a rule makes tags of releases immutable"
        if is_kept
        else "a rule lets few roles move or delete tags of releases"
    )
    fix = (
        "add a rule for tags that match `^(release|copier)-` under Settings > Packages and registries > Container "
        "registry: immutable (Ultimate; `gc --registry --delete` can then delete nothing there), else protected"
    )
    return IMMUTABLE.judged(said, "" if is_kept or is_limited else "no rule covers the tags of releases", fix)


def probed_check(subject: Subject, probed: Probed, *, left: str) -> Check:
    """What a probe says. `left`: what could not be taken away; empty if nothing was left."""
    rest = f"; {left} could not be deleted and stays" if left else ""
    fix = f"make tags that match `release-*` immutable in the settings of {subject.registry.partition('/')[0]}"
    if probed is Probed.KEPT:
        return IMMUTABLE.fine(f"a tag that was written refused to be moved{rest}")
    return IMMUTABLE.found(f"a tag that was written could be moved to another image{rest}", fix)


def _covered(subject: Subject, rules: list[TagRule]) -> bool:
    """Whether each tag of a release matches a rule. Source: user/packages/container_registry/protected_container_tags:
    patterns are RE2 and match anywhere in a tag; one that cannot be read covers nothing.
    """
    return bool(rules) and all(any(_matches(one.tag_name_pattern, tag) for one in rules) for tag in subject.image_tags)


def _matches(pattern: str, tag: str) -> bool:
    try:
        return re.search(pattern, tag) is not None
    except re.error:
        return False
