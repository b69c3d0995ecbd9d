"""doctor: whether settings around the bundle give what only settings can give.

1. what the bundle asks for, from lockstep.yaml;
2. the forge is asked for each list once; what it does not tell to us is kept as the reason why;
3. pure rules decide (core/doctor). Nothing is changed; the registry alone is written to, and only for a probe.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from lockstep.adapters import process
from lockstep.adapters.dvc_config import remotes_elsewhere
from lockstep.adapters.gitlab import Declined, Gitlab
from lockstep.core.doctor.check import UNASKED, Check, Outcome, Untold
from lockstep.core.doctor.images import IMMUTABLE, REACHED, immutable_check, probed_check
from lockstep.core.doctor.machine import Machine, machine_checks
from lockstep.core.doctor.owners import PLACES
from lockstep.core.doctor.pipeline import job_push_check, variable_checks, webhook_checks
from lockstep.core.doctor.refs import branch_checks, tag_check
from lockstep.core.doctor.reviews import environment_checks, merge_checks, owner_checks
from lockstep.core.doctor.subject import Subject, subject_of
from lockstep.core.errors import OutsideError, UsageError
from lockstep.core.forge import answers
from lockstep.core.forge.answers import parse_answer
from lockstep.core.forge.place import OWN_TOKEN
from lockstep.verbs.forge import Asking, open_gitlab
from lockstep.verbs.probe import probe_tags
from lockstep.verbs.stores import Stores
from lockstep.verbs.workspace import Workspace

_TOKEN = f"set {OWN_TOKEN} to a token of scope read_api, role Maintainer"
_WHY = {
    401: f": {_TOKEN}",
    403: f": {_TOKEN}",
    404: ": this GitLab or its tier has no such thing, or the token may not see it",
}
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Diagnosed:
    """What doctor found.

    Args:
        forge: The project and its host; empty if it was not asked.
        unasked: Why it was not; empty if it was.
        checks: Every check, in the order of docs/operating.md.
    """

    forge: str
    unasked: str
    checks: tuple[Check, ...]

    def of(self, outcome: Outcome) -> tuple[Check, ...]:
        """The checks that came to this."""
        return tuple(one for one in self.checks if one.outcome is outcome)


def diagnose(workspace: Workspace, asking: Asking, stores: Stores, *, probe: bool) -> Diagnosed:
    """What is set as the bundle needs it, what is not, and what could not be told.

    Args:
        workspace: Where.
        asking: How the forge is found and asked.
        stores: How the registry is asked.
        probe: Whether to write a tag twice to see if the registry keeps it.
    """
    subject = _subject(workspace)
    found = _gitlab(workspace, asking)
    project = found if isinstance(found, Untold) else _project(found)
    gitlab = None if isinstance(found, Untold) or isinstance(project, Untold) else found
    said = UNASKED if isinstance(project, Untold) else project
    checks = [
        *_forge_checks(workspace, subject, gitlab, said),
        *_registry_checks(subject, gitlab, said, stores if probe else None),
        *([_reached(subject, stores)] if subject.registry else []),
        *machine_checks(subject, _machine(workspace)),
    ]
    name = f"{gitlab.forge.name} of {gitlab.forge.host}" if gitlab else ""
    return Diagnosed(name, project.why if isinstance(project, Untold) else "", tuple(checks))


def _forge_checks(
    workspace: Workspace, subject: Subject, gitlab: Gitlab | None, project: answers.Project | Untold
) -> Iterator[Check]:
    yield from branch_checks(subject, _list(gitlab, answers.ProtectedBranch, "protected_branches"))
    yield tag_check(subject, _list(gitlab, answers.ProtectedTag, "protected_tags"))
    yield from owner_checks(subject, _owners(workspace))
    yield from environment_checks(subject, _list(gitlab, answers.ProtectedEnvironment, "protected_environments"))
    yield from merge_checks(project)
    yield from variable_checks(_list(gitlab, answers.Variable, "variables"))
    yield job_push_check(project)
    yield from webhook_checks(subject, _list(gitlab, answers.Webhook, "hooks"))


def _registry_checks(
    subject: Subject, gitlab: Gitlab | None, project: answers.Project | Untold, probing: Stores | None
) -> Iterator[Check]:
    if probing and subject.registry:
        yield _probed(subject, probing)
    else:
        rules = _list(gitlab, answers.TagRule, "registry/protection/tag/rules") if subject.registry else UNASKED
        yield immutable_check(subject, project, rules)


def _reached(subject: Subject, stores: Stores) -> Check:
    """Whether the registry answers, and takes our login."""
    name = f"{subject.registry}/{subject.entry}"
    try:
        stores.at(name).digest_of("none")
    except OutsideError as error:
        return replace(REACHED, where=name).found(error.what, error.fix)
    return replace(REACHED, where=name).fine(f"{subject.registry} answers, and takes this login for reading")


def _probed(subject: Subject, stores: Stores) -> Check:
    try:
        probed, left = probe_tags(stores, subject.registry)
    except OutsideError as error:
        return IMMUTABLE.untold(Untold(f"the probe could not write: {error.what}"), error.fix)
    return probed_check(subject, probed, left=left)


def _gitlab(workspace: Workspace, asking: Asking) -> Gitlab | Untold:
    """The forge, with a token that may read settings. A job's token may not: GitLab takes it for few endpoints."""
    try:
        gitlab = open_gitlab(workspace, asking)
    except UsageError as error:
        return Untold(f"{error.what}; {error.fix}")
    if gitlab.token is None or gitlab.token.variable != OWN_TOKEN:
        who = f"the token of {gitlab.token.variable} may not read settings" if gitlab.token else "there is no token"
        return Untold(f"{who}: {_TOKEN}")
    return gitlab


def _project(gitlab: Gitlab) -> answers.Project | Untold:
    return _told(lambda: parse_answer(answers.Project, gitlab.read("")))


def _list(gitlab: Gitlab | None, form: type[Answer], path: str) -> tuple[Answer, ...] | Untold:
    """Every item of a list of the project."""
    if gitlab is None:
        return UNASKED
    return _told(lambda: tuple(one for page in gitlab.bodies(path) for one in parse_answer(tuple[form, ...], page)))  # type: ignore[valid-type]


def _told(ask: Callable[[], Answer]) -> Answer | Untold:
    try:
        return ask()
    except Declined as error:
        return Untold(f"{error.what}{_WHY.get(error.status, '')}")
    except OutsideError as error:
        return Untold(f"{error.what}; {error.fix}")
    except ValueError as error:
        return Untold(f"GitLab's answer cannot be understood: {error}")


def _owners(workspace: Workspace) -> str | None:
    """The text of CODEOWNERS on the branch of releases, from the repository's top; None if there is none."""
    repository = replace(workspace.repository, prefix="")
    found = repository.tree(workspace.state.commit).read(PLACES)
    return next((found[place].decode(errors="replace") for place in PLACES if place in found), None)


def _subject(workspace: Workspace) -> Subject:
    return subject_of(workspace.bundle, workspace.repository.prefix, remotes_elsewhere(workspace.folder))


def _machine(workspace: Workspace) -> Machine:
    git = process.run(["git", "--version"]).stdout.decode(errors="replace").strip()
    return Machine(workspace.repository.is_shallow, git, shutil.which("dvc") or "")
