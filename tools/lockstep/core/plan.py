"""The plan of a release: what changed and why, what will be built, how much goes up at most, and the bump that it
requires.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lockstep.core.contract.weigh import Judged, finding_text
from lockstep.core.errors import Finding
from lockstep.core.inputs import Change, Comparison, InputKind
from lockstep.core.model import Value
from lockstep.core.names import ComponentName
from lockstep.core.version import ORDER, Bump, Version, bump_between, largest


class Reason(Value):
    """Why a bump is required: the rule in words and the component; of a finding about contracts also its rule's id and
    the place in the contract.
    """

    bump: Bump
    component: ComponentName
    why: str
    rule: str = ""
    where: str = ""


class Plan(Value):
    """What a release of some inputs would do.

    Args:
        base: The release compared with; None for the first.
        changes: Every difference and why.
        builds: Components whose runtime is built, unless the store has it already.
        upload_at_most: Bytes that may be new to the store.
        bump: The required bump.
        reasons: Why that bump; the largest first.
    """

    base: Version | None
    changes: tuple[Change, ...]
    builds: tuple[ComponentName, ...]
    upload_at_most: int
    bump: Bump
    reasons: tuple[Reason, ...]

    @property
    def smallest_version(self) -> Version:
        """The smallest final version for these changes; 0.1.0 without a base, its final where only pre-releases are."""
        if self.base is None:
            return Version("0.1.0")
        return self.base.final if self.base.is_prerelease else self.base.bumped(self.bump)


def plan(
    base: Version | None,
    comparison: Comparison,
    judged: Judged,
    sizes: Mapping[ComponentName, int],
    prompt_bumps: Mapping[ComponentName, Bump],
) -> Plan:
    """The plan for these changes.

    Args:
        base: Version of the release compared with.
        comparison: What changed since.
        judged: What the contracts say of it.
        sizes: For changed components, the bytes of changed code and weights.
        prompt_bumps: For components with changed prompts, the bump of the prompts' own versions.
    """
    reasons = _reasons(base, comparison, judged, prompt_bumps)
    return Plan(
        base=base,
        changes=comparison.changes,
        builds=comparison.of(InputKind.RUNTIME, InputKind.ADDED),
        upload_at_most=sum(sizes.values()),
        bump=largest(tuple(reason.bump for reason in reasons)),
        reasons=reasons,
    )


_PATCH = {
    InputKind.CODE: "code changed",
    InputKind.RUNTIME: "dependencies or system packages changed",
    InputKind.CONFIG: "component.yaml changed",
    InputKind.CHART: "the object templates changed",
    InputKind.CONTRACT: "a contract or use file changed",
    InputKind.PROMPT: "a prompt changed",
    InputKind.CALLEE: "something that it calls changed",
}

_OTHER = {Bump.MINOR: "the entry's contract means something else", Bump.PATCH: "words of the entry's contract changed"}
_MANY = 10  # findings of one contract that are reasons of their own


def _reasons(
    base: Version | None, comparison: Comparison, judged: Judged, prompt_bumps: Mapping[ComponentName, Bump]
) -> tuple[Reason, ...]:
    if base is None:
        return ()
    found = {_reason(change, prompt_bumps) for change in comparison.changes}
    found |= {*_contract_reasons(judged)}
    return tuple(
        sorted(
            found,
            key=lambda reason: (
                -ORDER.index(reason.bump),
                reason.why == _PATCH[InputKind.CALLEE],
                reason.component,
                reason.why,
            ),
        )
    )


def _reason(change: Change, prompt_bumps: Mapping[ComponentName, Bump]) -> Reason:
    """The rule of design section 4 for one change, but for what contracts say by themselves."""
    name = change.component
    if change.kind in {InputKind.ADDED, InputKind.REMOVED}:
        return Reason(bump=Bump.MINOR, component=name, why=f"the component was {change.kind}")
    if change.kind is InputKind.WEIGHTS:
        return Reason(bump=Bump.MINOR, component=name, why="weights changed")
    if change.kind is InputKind.PROMPT and prompt_bumps.get(name, Bump.NONE) in {Bump.MINOR, Bump.MAJOR}:
        return Reason(bump=Bump.MINOR, component=name, why="a prompt's own version moved by more than a patch")
    return Reason(bump=Bump.PATCH, component=name, why=_PATCH[change.kind])


def _contract_reasons(judged: Judged) -> Iterator[Reason]:
    """A break of the entry's contract is major, anything else that it means is minor; a reindex is major wherever."""
    for moved in judged.reindexes:
        yield Reason(bump=Bump.MAJOR, component=moved.component, why=moved.sentence)
    for change in judged.changed:
        if not change.is_entry:
            continue
        name, bump = change.component, change.bump
        decisive = [one for one in change.findings if one.level.is_breaking or bump is not Bump.MAJOR]
        for one in decisive[:_MANY]:
            why = f"the entry's contract: {finding_text(one)} at {one.provider}"
            yield Reason(bump=bump, component=name, why=why, rule=one.rule, where=str(one.provider))
        if change.unread:
            why = f"the entry's contract cannot be compared with what it was: {change.unread}"
            yield Reason(bump=bump, component=name, why=why)
        elif not decisive:
            yield Reason(bump=bump, component=name, why=_OTHER[bump])


@dataclass(frozen=True)
class Candidate:
    """A version that somebody wants to release, and what is known about its place.

    Args:
        version: The wanted version.
        taken: Every version that exists.
        on_line: Whether the tagged commit is on one of the bundle's lines.
        lines: Those lines, for the message.
        unchanged_since: The release whose inputs are the same, if one is the base.
    """

    version: Version
    taken: tuple[Version, ...]
    on_line: bool
    lines: tuple[str, ...]
    unchanged_since: Version | None


def version_findings(candidate: Candidate, plan: Plan) -> tuple[Finding, ...]:
    """Why a release is refused: it exists, is on no line, changes nothing, or is smaller than the required bump."""
    version, where = candidate.version, f"releases/{candidate.version}"
    found = []
    if version in candidate.taken:
        found.append(
            Finding(
                "version/exists",
                where,
                f"release {version} exists; a release is never edited again",
                f"choose a new version, at least {_next(candidate, plan)}",
            )
        )
    if not candidate.on_line:
        found.append(
            Finding(
                "version/line",
                where,
                f"the tagged commit is on no line ({', '.join(candidate.lines)})",
                "merge it into one of these branches, or add its branch to `lines:` in lockstep.yaml",
            )
        )
    same = candidate.unchanged_since
    if same is not None and not (same.is_prerelease and version == same.final):
        found.append(
            Finding("version/unchanged", where, f"nothing changed since release {same}", "there is nothing to release")
        )
    elif version not in candidate.taken:
        found += _too_small(version, plan)
    return tuple(sorted(found))


def _too_small(version: Version, plan: Plan) -> list[Finding]:
    smallest = plan.smallest_version
    if plan.base is None or version >= smallest or version.final == smallest:
        return []
    reason = plan.reasons[0] if plan.reasons else None
    why = f": {reason.component}: {reason.why}" if reason else ""
    moved = f"{version} is a {_said(plan.base, version)} bump from {plan.base}"
    what = f"{moved}, but a {plan.bump} bump is required{why}"
    return [Finding("version/bump", f"releases/{version}", what, f"release {smallest} or later")]


def _said(base: Version, version: Version) -> str:
    return bump_between(base, version) if version > base else "backward"


def _next(candidate: Candidate, plan: Plan) -> Version:
    wanted = plan.smallest_version
    while wanted in candidate.taken:
        wanted = wanted.bumped(Bump.PATCH)
    return wanted
