"""Who may push to the branch of releases, and who may make their tags.

Source: GitLab's documentation, user/project/repository/branches/protected ("When a branch matches multiple rules": the
most permissive one counts, and code owners are asked if any rule says so) and user/project/protected_tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from lockstep.core.doctor.check import Check, Untold
from lockstep.core.doctor.subject import Subject
from lockstep.core.forge.answers import AccessLevel, ProtectedBranch, ProtectedTag

_ROLES = {0: "no one", 30: "developers", 40: "maintainers", 60: "administrators"}
_BRANCHES, _TAGS = "Settings > Repository > Protected branches", "Settings > Repository > Protected tags"

PROTECTED = Check(
    rule="doctor/branch",
    where=_BRANCHES,
    means="without it every developer may push to the branch where releases live, rewrite it, or delete it",
)
FORCE = Check(
    rule="doctor/force",
    where=_BRANCHES,
    means="a forced push takes releases out of Git; a version would no longer mean one thing for ever",
)
PUSH = Check(
    rule="doctor/push",
    where=_BRANCHES,
    means="who may push to the branch may promote to production without a review",
)
APPROVAL = Check(
    rule="doctor/approval",
    where=f"{_BRANCHES} > Code owner approval (Premium)",
    means="a merge request that changes what serves needs nobody's approval",
)
TAGS = Check(
    rule="doctor/tags",
    where=_TAGS,
    means="a tag starts a release; who may make, move or delete one decides what is released, and from which commit",
)

Rule = TypeVar("Rule", ProtectedBranch, ProtectedTag)


def branch_checks(subject: Subject, told: tuple[ProtectedBranch, ...] | Untold) -> Iterator[Check]:
    """Whether the branch of releases is protected, and against whom."""
    if isinstance(told, Untold):
        yield from (check.untold(told) for check in (PROTECTED, FORCE, PUSH, APPROVAL))
        return
    name, rules = subject.branch, _matching(told, subject.branch)
    protect = f"protect `{name}`; API: POST protected_branches, name={name}&push_access_level=40&merge_access_level=40"
    if not rules:
        yield PROTECTED.found(f"no rule protects `{name}`", protect)
        return
    yield PROTECTED.fine(f"`{name}` is protected by the rule " + _listed(f"`{rule.name}`" for rule in rules))
    forced = _listed(f"`{rule.name}`" for rule in rules if rule.allow_force_push)
    off = f"turn off `Allowed to force push`; API: PATCH protected_branches/{name}, allow_force_push=false"
    yield FORCE.judged(
        "nobody may force a push", f"the rule {forced} lets who may push force it" if forced else "", off
    )
    yield _push(name, [level for rule in rules for level in rule.push_access_levels])
    yield _approval(name, [rule.code_owner_approval_required for rule in rules])


def tag_check(subject: Subject, told: tuple[ProtectedTag, ...] | Untold) -> Check:
    """Whether tags of releases are protected, all of them, and against whom."""
    if isinstance(told, Untold):
        return TAGS.untold(told)
    wanted = f"{subject.tag_prefix}*"
    fix = f"protect `{wanted}`, allowed to create: maintainers; API: POST protected_tags, name={wanted}"
    open_to_all = [tag for tag in subject.git_tags if not _matching(told, tag)]
    if open_to_all:
        return TAGS.found(f"no rule protects a tag such as `{open_to_all[0]}`", fix + "&create_access_level=40")
    levels = [level for tag in subject.git_tags for rule in _matching(told, tag) for level in rule.create_access_levels]
    wrong = "every developer may create them" if any(level.is_for_developers for level in levels) else ""
    return TAGS.judged(f"`{wanted}` may be created by {_who(levels)}", wrong, fix + "&create_access_level=40")


def _push(name: str, levels: list[AccessLevel]) -> Check:
    wrong = f"every developer may push to `{name}`" if any(level.is_for_developers for level in levels) else ""
    fix = (
        "let maintainers push, or (better) no one but the deploy key or the user that CI pushes with; "
        f"API: PATCH protected_branches/{name}, allowed_to_push"
    )
    said = f"{_who(levels)} may push"
    return PUSH.judged(
        said if _who(levels) != "no one" else "no one may push: releases go by merge request", wrong, fix
    )


def _approval(name: str, required: list[bool | None]) -> Check:
    if any(required):
        return APPROVAL.fine("code owners must approve")
    if all(one is None for one in required):
        return APPROVAL.untold(Untold("this GitLab does not say: it is a setting of Premium and Ultimate"))
    fix = (
        f"turn on `Code owner approval`; API: PATCH protected_branches/{name}, code_owner_approval_required=true "
        "(GitLab Free has no such setting: there, let maintainers alone merge)"
    )
    return APPROVAL.found("code owners need not approve", fix)


def _matching(rules: Iterable[Rule], name: str) -> list[Rule]:
    """The rules for a branch or tag; `*` stands for any characters, also for `/`."""
    return [one for one in rules if re.fullmatch(".*".join(map(re.escape, one.name.split("*"))), name, re.DOTALL)]


def _who(levels: Iterable[AccessLevel]) -> str:
    names = {
        _ROLES.get(level.access_level or 0, f"role {level.access_level}")
        if level.is_role
        else "a deploy key"
        if level.deploy_key_id
        else f"user {level.user_id}"
        if level.user_id
        else f"group {level.group_id}"
        for level in levels
    }
    return _listed(sorted(names - {"no one"})) or "no one"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
