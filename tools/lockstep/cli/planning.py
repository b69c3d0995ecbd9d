"""plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lockstep.cli.arguments import commit_at, note_uncommitted
from lockstep.cli.output import emit, example, paint, readable, say
from lockstep.core.component import Component
from lockstep.core.contract.told import judged_data, judged_lines
from lockstep.core.inputs import InputKind
from lockstep.core.names import ComponentName
from lockstep.core.plan_told import Told, change_text, plan_markdown, stay_text
from lockstep.verbs.plan import Planned, base_of, large_layers, plan_commit
from lockstep.verbs.workspace import Workspace, open_workspace


@click.command(epilog=example("lockstep plan", "lockstep plan v1.4.0 -o json", "lockstep plan -o markdown > plan.md"))
@click.argument("revision", default="HEAD")
@readable
def plan(revision: str, form: str, folder: Path) -> None:
    """Show what a release of REVISION would change, why, what it would build and upload, and the least version."""
    workspace = open_workspace(folder, say)
    planned = plan_commit(workspace, commit_at(workspace, revision))
    for finding in large_layers(planned):
        say(f"warning: {finding.component}: {finding.what}; {finding.fix}")
    if form == "json":
        emit("plan", _plan_data(planned))
        return
    told = _told(planned, workspace)
    if form == "markdown":
        print(plan_markdown(told), end="")
    else:
        is_head = workspace.repository.resolve("HEAD") == planned.commit
        print("\n".join([*_plan_lines(told), *_version_lines(told, planned, is_head=is_head)]))
    note_uncommitted(workspace.repository.uncommitted())


def _told(planned: Planned, workspace: Workspace) -> Told:
    source = planned.source
    names = {*source.components, *(change.component for change in planned.plan.changes)}
    return Told(
        commit=planned.commit,
        base=base_of(planned, workspace.bundle),
        plan=planned.plan,
        components=tuple(sorted(names)),
        held={name: source.bundle.pin[name].origin for name in planned.pinned},
        stays={name: image for name in names if (image := _stays(planned, name))},
        unchanged=planned.latest.version if planned.unchanged and planned.latest else None,
        kept=_kept(planned),
        judged=planned.judged,
    )


def _plan_lines(told: Told) -> list[str]:
    lines = [f"plan of {told.commit[:10]} against {told.base}"]
    for name in told.components:
        changes = told.changes(name)
        held = f" (held at {told.held[name]})" if name in told.held else ""
        mark = paint("~", "yellow") if changes else "="
        lines.append(f"{mark} {name}{held}" + ("" if changes else ": unchanged, shared"))
        lines += [f"    {change_text(change)}" for change in changes]
        lines += [f"    {stay_text(told.stays[name])}"] if name in told.stays else []
    lines += judged_lines(told.judged)
    return [*lines, "", f"builds:  {told.builds}", f"uploads: {told.uploads}", f"to go back: {told.back}"]


def _version_lines(told: Told, planned: Planned, *, is_head: bool) -> list[str]:
    if told.unchanged is not None:
        return [f"version: nothing to release, all is as in {told.unchanged}"]
    version = told.plan.smallest_version
    by_git = f"git tag -a {planned.source.bundle.tag_prefix}{version} {planned.commit[:10]} -m 'release {version}'"
    return [
        f"version: at least {paint(str(version), 'bold')}" + (f" ({told.why})" if told.why else ""),
        f"next:    {f'lockstep tag {version}' if is_head else by_git} && lockstep release {version}",
    ]


def _stays(planned: Planned, name: ComponentName) -> str:
    """The image of weights that nobody uploads, if a change is about them; empty for none."""
    component = planned.source.components.get(name)
    named = component.weights_image if component and name not in planned.pinned else None
    kinds = {change.kind for change in planned.plan.changes if change.component == name}
    return str(named.image) if named and {InputKind.WEIGHTS, InputKind.ADDED} & kinds else ""


def _kept(planned: Planned) -> str:
    """What the old instances ask for while both releases run: the components that change, once more."""
    changed = {change.component for change in planned.plan.changes}
    again = [planned.source.components[name] for name in sorted(changed) if name in planned.source.components]
    if planned.base is None or not again:
        return "nothing"
    gpus = sum(component.resources.gpu * component.replicas for component in again)
    return f"{_pods(again)}" + (f" and {gpus} GPU" if gpus else "")


def _pods(components: list[Component]) -> str:
    count = sum(component.replicas for component in components)
    asked = ", ".join(
        f"{component.name} {component.resources.cpu} cpu {component.resources.memory}" for component in components
    )
    return f"{count} more pods ({asked})"


def _plan_data(planned: Planned) -> dict[str, Any]:
    plan_ = planned.plan
    return {
        "commit": planned.commit,
        "base": str(plan_.base) if plan_.base else None,
        "unchanged": planned.unchanged,
        **plan_.model_dump(mode="json", exclude={"base"}),
        "smallest_version": str(plan_.smallest_version),
        "held": sorted(planned.pinned),
        "contracts": judged_data(planned.judged),
    }
