"""Whether this machine can do what Lockstep asks of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lockstep.core.doctor.check import Check
from lockstep.core.doctor.subject import Subject

_OLDEST = (2, 30)  # before it, `git rev-parse` takes --end-of-options for a revision (its release notes)
_VERSION = re.compile(r"git version (\d+)\.(\d+)\S*")

CLONE = Check(
    rule="doctor/clone",
    where="this clone",
    means="a release's base, days and times come from the history; without it `release` refuses",
)
GIT = Check(rule="doctor/git", where="git", means="commands fail in ways that nobody has tried")
DVC = Check(
    rule="doctor/dvc",
    where="dvc",
    means="weights that are not on this machine yet cannot be fetched, so `weights lock` and `build` stop there",
)


@dataclass(frozen=True)
class Machine:
    """What a machine has.

    Args:
        is_shallow: Whether this clone has a part of the history only.
        git: What `git --version` says.
        dvc: Where DVC is; empty if nowhere.
    """

    is_shallow: bool
    git: str
    dvc: str


def machine_checks(subject: Subject, machine: Machine) -> tuple[Check, ...]:
    """What is there, and what is missing."""
    cut = "history was cut off when this was cloned" if machine.is_shallow else ""
    whole = CLONE.judged("the whole history is there", cut, "git fetch --unshallow --tags; in CI: GIT_DEPTH: 0")
    return whole, _git(machine.git), _dvc(subject, machine.dvc)


def _git(said: str) -> Check:
    found = _VERSION.match(said)
    number = (int(found[1]), int(found[2])) if found else (0, 0)
    oldest = ".".join(map(str, _OLDEST))
    wrong = "" if number >= _OLDEST else f"`git --version` says {said or 'nothing'}"
    return GIT.judged(said, wrong, f"install Git {oldest} or newer")


def _dvc(subject: Subject, at: str) -> Check:
    if not subject.remotes:
        return DVC.fine("no remote of weights needs it")
    return DVC.judged(
        at,
        "" if at else f"there is no program `dvc` on the PATH, and weights are in {', '.join(subject.remotes)}",
        "pip install dvc, with what its remote needs",
    )
