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
from lockstep.core.forge.place import OWN_TOKEN, beside
from lockstep.verbs.forge.opening import Asking, open_gitlab
from lockstep.verbs.forge.probe import probe_tags
from lockstep.verbs.images.stores import Stores
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


@dataclass(frozen=True)
class Place:
    """A project of a GitLab, or why it is not asked.

    Args:
        gitlab: How it is asked; None if it is not.
        project: What it says of itself, or why it says nothing.
    """

    gitlab: Gitlab | None
    project: answers.Project | Untold

    def every(self, form: type[Answer], path: str) -> tuple[Answer, ...] | Untold:
        """Every item of one of its lists."""
        gitlab = self.gitlab
        if gitlab is None:
            return self.project if isinstance(self.project, Untold) else UNASKED
        items: type[tuple[Answer, ...]] = tuple[form, ...]  # type: ignore[valid-type]
        return _told(lambda: tuple(one for body in gitlab.bodies(path) for one in parse_answer(items, body)))


def diagnose(workspace: Workspace, asking: Asking, stores: Stores, *, probe: bool) -> Diagnosed:
    """What is set as the bundle needs it, what is not, and what could not be told.

    Args:
        workspace: Where.
        asking: How the forge is found and asked.
        stores: How the registry is asked.
        probe: Whether to write a tag twice to see if the registry keeps it.
    """
    subject = _subject(workspace)
    here, why = _here(workspace, asking)
    checks = [
        *_forge_checks(workspace, subject, here, _there(workspace, here)),
        *_registry_checks(subject, here, stores if probe else None),
        *([_reached(subject, stores)] if subject.registry else []),
        *machine_checks(subject, _machine(workspace)),
    ]
    name = f"{here.gitlab.forge.name} of {here.gitlab.forge.host}" if here.gitlab else ""
    return Diagnosed(name, why, tuple(checks))


def _forge_checks(workspace: Workspace, subject: Subject, here: Place, there: Place) -> Iterator[Check]:
    """Of the project whose pipelines run (here), and of the one where releases live (there); mostly they are one."""
    yield from branch_checks(subject, there.every(answers.ProtectedBranch, "protected_branches"))
    yield tag_check(subject, here.every(answers.ProtectedTag, "protected_tags"))
    yield from owner_checks(subject, _owners(workspace))
    yield from environment_checks(subject, here.every(answers.ProtectedEnvironment, "protected_environments"))
    yield from merge_checks(there.project)
    yield from variable_checks(here.every(answers.Variable, "variables"))
    yield job_push_check(there.project)
    yield from webhook_checks(subject, there.every(answers.Webhook, "hooks"))


def _registry_checks(subject: Subject, here: Place, probing: Stores | None) -> Iterator[Check]:
    if probing and subject.registry:
        yield _probed(subject, probing)
    else:
        rules = here.every(answers.TagRule, "registry/protection/tag/rules") if subject.registry else UNASKED
        yield immutable_check(subject, here.project, rules)


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


def _here(workspace: Workspace, asking: Asking) -> tuple[Place, str]:
    """The project of this repository; and why it is not asked, which is said once. A job's token may not read
    settings: GitLab takes it for few endpoints.
    """
    try:
        gitlab = open_gitlab(workspace, asking)
    except UsageError as error:
        return Place(None, UNASKED), f"{error.what}; {error.fix}"
    if gitlab.token is None or gitlab.token.variable != OWN_TOKEN:
        who = f"the token of {gitlab.token.variable} may not read settings" if gitlab.token else "there is no token"
        return Place(None, UNASKED), f"{who}: {_TOKEN}"
    project = _project(gitlab)
    return (Place(None, UNASKED), project.why) if isinstance(project, Untold) else (Place(gitlab, project), "")


def _there(workspace: Workspace, here: Place) -> Place:
    """The project where releases live, if elsewhere; asked with the same token, so in the same GitLab only."""
    address = workspace.bundle.state.repository
    if not address or here.gitlab is None:
        return here
    try:
        forge = beside(here.gitlab.forge, address)
    except ValueError as error:
        return Place(None, Untold(f"releases live in {address}: {error}"))
    if forge is None:
        what = f"releases live in {address}, not in {here.gitlab.forge.host}: there is no token for it"
        return Place(None, Untold(what))
    gitlab = replace(here.gitlab, forge=forge)
    project = _project(gitlab)
    return Place(None if isinstance(project, Untold) else gitlab, project)


def _project(gitlab: Gitlab) -> answers.Project | Untold:
    return _told(lambda: parse_answer(answers.Project, gitlab.read("")))


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
