"""A plan as people read it: in a terminal, and as Markdown beside a merge request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lockstep.core.contract.told import judged_markdown
from lockstep.core.contract.weigh import Judged
from lockstep.core.inputs import Change, InputKind
from lockstep.core.names import ComponentName, GitSha
from lockstep.core.notes_markdown import cell, code
from lockstep.core.plan import Plan
from lockstep.core.shown import amount
from lockstep.core.source import is_image
from lockstep.core.version import Version


@dataclass(frozen=True)
class Told:
    """What is said about a plan.

    Args:
        commit: The commit planned.
        base: What it is compared with, in words.
        plan: The plan.
        components: Every component, also those that are gone, sorted.
        held: The releases that components are held at.
        stays: The image of weights that nobody uploads, by component.
        unchanged: The release that all is as in; None if something changed.
        kept: What the old instances cost while they are kept, in words.
        judged: What the contracts say of it.
    """

    commit: GitSha
    base: str
    plan: Plan
    components: tuple[ComponentName, ...]
    held: Mapping[ComponentName, Version]
    stays: Mapping[ComponentName, str]
    unchanged: Version | None
    kept: str
    judged: Judged = field(default_factory=Judged)

    def changes(self, name: ComponentName) -> tuple[Change, ...]:
        """What changed of one component."""
        return tuple(change for change in self.plan.changes if change.component == name)

    @property
    def why(self) -> str:
        """Why the version must be what it is at least; empty if there is no earlier one."""
        reason = next(iter(self.plan.reasons), None)
        return f"{self.plan.bump}: {reason.component}: {reason.why}" if reason else ""

    @property
    def builds(self) -> str:
        """What is built."""
        built = ", ".join(self.plan.builds)
        return f"{built} (unless the store has them)" if built else "none"

    @property
    def uploads(self) -> str:
        """How much goes up."""
        return f"at most {amount(self.plan.upload_at_most)}" + (" and the runtimes" if self.plan.builds else "")

    @property
    def back(self) -> str:
        """What it costs to go back."""
        return f"nothing starts while the predecessor is kept; keeping it costs {self.kept}"


def change_text(change: Change) -> str:
    """A change and why, in one line of text."""
    what, path, sides = _parts(change)
    return " ".join([what, *([path, sides] if path else [])])


def stay_text(image: str) -> str:
    """Where weights are that nobody uploads."""
    return f"nothing of its weights is uploaded: pods pull {image}"


def plan_markdown(told: Told) -> str:
    """The plan as Markdown: the version first, then why, then what it costs."""
    parts = [f"## {_heading(told)}", f"{code(told.commit[:10])} against {told.base}."]
    rows = [row for name in told.components for row in _rows(told, name)]
    if rows:
        parts.append("\n".join(["| component | why |", "|---|---|", *rows]))
    same = [name for name in told.components if not told.changes(name)]
    parts += ["As before: " + ", ".join(f"`{name}`" for name in same) + "."] if rows and same else []
    parts += judged_markdown(told.judged)
    if told.unchanged is None:
        costs = {"Builds": told.builds, "Uploads": told.uploads, "To go back": told.back}
        parts.append("\n".join(f"- {word}: {said}" for word, said in costs.items()))
    return "\n\n".join(parts) + "\n"


def _heading(told: Told) -> str:
    if told.unchanged is not None:
        return f"Nothing to release: all is as in {told.unchanged}"
    return f"At least {told.plan.smallest_version}" + (f" ({told.why})" if told.why else "")


def _rows(told: Told, name: ComponentName) -> Iterable[str]:
    held = f" (held at {told.held[name]})" if name in told.held else ""
    for number, change in enumerate(told.changes(name)):
        what, path, sides = _parts(change)
        why = " ".join([what, *([cell(path)] if path else []), sides]).rstrip()
        yield f"| {f'`{name}`{held}' if number == 0 else ''} | {why} |"
    if name in told.stays:
        yield f"|  | nothing of its weights is uploaded: pods pull {cell(told.stays[name])} |"


def _parts(change: Change) -> tuple[str, str, str]:
    """What changed, in words; the path of it, empty for none; and both sides."""
    if change.kind is InputKind.CALLEE:
        origin = f" (where {change.because} changed)" if change.because != change.path else ""
        return f"because it calls {change.path}, which changed{origin}", "", ""
    if change.kind in {InputKind.ADDED, InputKind.REMOVED}:
        return str(change.kind), "", ""
    kind = "sha256:" if is_image(change) else ""
    sides = " -> ".join((f"{kind}{oid[:8]}" if oid else "nothing") for oid in (change.old, change.new))
    return f"{change.kind}:", change.path, sides
