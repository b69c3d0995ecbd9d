"""Every error that Lockstep raises on purpose.

LockstepError                what happened, where, and how to fix it
|- UsageError      (exit 2)  the command cannot mean anything: a bad argument, no bundle here
|- Refused         (exit 1)  the rules say no: one or more findings, all of them collected
|- Conflict        (exit 1)  somebody else was faster; nothing was written, run it again
`- OutsideError    (exit 3)  Git, disk, network or another tool failed; worth a retry

Only the command line prints errors and exits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """What one rule found at one place.

    Args:
        rule: Stable id of the rule, `area/what`, as in docs/rules.md.
        where: file:line, `ref:path` or an image reference.
        what: One sentence with both sides of a mismatch.
        fix: What to do, a command to paste where one exists.
        component: Name of the component concerned, empty if none.
    """

    rule: str
    where: str
    what: str
    fix: str
    component: str = ""


class LockstepError(Exception):
    """An error with its place and its fix. `str()` is the sentence alone."""

    exit_code = 3

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix


class UsageError(LockstepError):
    """The command line or the folder it runs in cannot be understood."""

    exit_code = 2


class OutsideError(LockstepError):
    """Something outside Lockstep failed: Git, the disk, the network, a program."""

    exit_code = 3


class Conflict(LockstepError):  # noqa: N818 - a word of the domain, not a failure of the program
    """Another writer moved the branch first. Nothing of ours was written."""

    exit_code = 1


class Refused(LockstepError):  # noqa: N818 - refusing is an answer
    """One or more rules said no. Carries every finding, sorted."""

    exit_code = 1

    def __init__(self, what: str, findings: Iterable[Finding]) -> None:
        super().__init__(what)
        self.findings = tuple(sorted(findings))


def refuse_if(findings: Iterable[Finding], what: str) -> None:
    """Nothing when there are no findings.

    Raises:
        Refused: with every finding, when there is at least one.
    """
    found = tuple(findings)
    if found:
        raise Refused(what, found)
