"""plan, build, release."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockstep.cli.arguments import parse_environment_name, parse_version
from lockstep.cli.output import asking, edited_data, emit, example, paint, say, shared, show_edited, writing
from lockstep.core.component import Component
from lockstep.core.inputs import Change, InputKind
from lockstep.core.names import ComponentName
from lockstep.core.plan import Plan
from lockstep.core.shown import amount
from lockstep.core.source import is_image
from lockstep.verbs.plan import Planned, base_of, large_layers, plan_commit
from lockstep.verbs.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from lockstep.core.version import Version
    from lockstep.verbs.edit import Edited
    from lockstep.verbs.landing import Writing
    from lockstep.verbs.release import Released
    from lockstep.verbs.stores import Stores


@click.command(epilog=example("lockstep plan", "lockstep plan v1.4.0 -o json"))
@click.argument("revision", default="HEAD")
@shared
def plan(revision: str, form: str, folder: Path) -> None:
    """Show what a release of REVISION would change, why, what it would build and upload, and the least version."""
    workspace = open_workspace(folder, say)
    planned = plan_commit(workspace, _commit(workspace, revision))
    for finding in large_layers(planned):
        say(f"warning: {finding.component}: {finding.what}; {finding.fix}")
    if form == "json":
        emit("plan", _plan_data(planned))
        return
    print(_plan_text(planned, workspace))
    _note_uncommitted(workspace.repository.uncommitted())


@click.command(epilog=example("lockstep build", "lockstep build --push"))
@click.argument("revision", default="HEAD")
@click.option("--push", "pushes", is_flag=True, help="Into the registry of lockstep.yaml, not .lockstep/store.")
@asking
@shared
def build(revision: str, form: str, folder: Path, *, pushes: bool, plain_http: bool) -> None:
    """Put every image of REVISION into the store, so that a later release finds it there. Nothing is committed.

    Where REVISION was released already, this brings back what its releases need and the store has lost, and their tags.
    """
    from lockstep.verbs.release import build_commit  # noqa: PLC0415
    from lockstep.verbs.stores import own_stores, registry_stores  # noqa: PLC0415

    workspace = open_workspace(folder, say)
    stores = (registry_stores if pushes else own_stores)(workspace, plain_http=plain_http)
    built = build_commit(workspace, _commit(workspace, revision), stores)
    if form == "json":
        emit("build", {"images": built})
        return
    for name, image in built.items():
        print(f"{name:<16} {image}")


@click.command(
    epilog=example(
        "lockstep tag 1.4.0 && lockstep release 1.4.0", "lockstep release 1.4.0 --stage staging --push origin"
    )
)
@click.argument("version")
@click.option(
    "--stage", "environment", metavar="ENVIRONMENT", default="", help="Also stage it there, in a commit of its own."
)
@writing
@asking
@shared
def release(version: str, environment: str, how: Writing, form: str, folder: Path, *, plain_http: bool) -> None:
    """Compose the commit tagged with VERSION into one release and commit releases/VERSION/release.yaml.

    Its images go to .lockstep/store. With --push they go to the registry that lockstep.yaml names, if it names one,
    before the commit does; what is there is neither built nor sent again.
    """
    from lockstep.verbs.landing import aimed, started  # noqa: PLC0415
    from lockstep.verbs.stores import stores_for  # noqa: PLC0415

    began = time.monotonic()
    workspace = open_workspace(folder, say)
    how = aimed(workspace, how)
    wanted, stores = parse_version(version, workspace), stores_for(workspace, how.remote, plain_http=plain_http)

    def act(here: Workspace) -> tuple[Released, Edited | None]:
        return _released(here, wanted, environment, stores, how)

    made, staged = started(workspace, how, act)
    _note_uncommitted(workspace.repository.uncommitted())
    seconds = time.monotonic() - began
    if form == "json":
        beside = {"staged": edited_data(staged, dry=how.dry) if staged else None}
        emit("release", _released_data(made, seconds, dry=how.dry) | beside)
        return
    show_edited(made.edited, form, dry=how.dry)
    if made.edited.commit:
        print(
            f"{made.release.digest}  {len(made.release.components)} components, {len(made.built)} runtimes built, "
            f"{amount(made.stored_bytes)} new, {seconds:.1f} s"
        )
    if staged:
        show_edited(staged, form, dry=how.dry)
    elif not how.dry:
        print(f"next: lockstep stage {max(workspace.bundle.environments)} {wanted}")


def _released(
    workspace: Workspace, version: Version, environment: str, stores: Stores, how: Writing
) -> tuple[Released, Edited | None]:
    from lockstep.verbs.deliver import deliver_release  # noqa: PLC0415
    from lockstep.verbs.release import release_version  # noqa: PLC0415

    if not environment:
        return release_version(workspace, version, stores, how), None
    done = deliver_release(workspace, version, parse_environment_name(environment), stores, how)
    return done.released, done.staged


def _commit(workspace: Workspace, revision: str) -> Any:
    commit = workspace.repository.resolve(revision)
    if commit is None:
        raise click.BadParameter(f"{revision!r} names no commit here", param_hint="REVISION")
    return commit


def _note_uncommitted(changed: tuple[str, ...] | None) -> None:
    if changed is None:
        say(
            "note: the working tree is large and was not compared; what is committed counts (git status shows the rest)"
        )
    elif changed:
        say(
            f"note: {len(changed)} uncommitted {'file is' if len(changed) == 1 else 'files are'} not part of this, "
            f"only what is committed counts: {', '.join(changed[:3])}{' …' if len(changed) > 3 else ''}"
        )


def _plan_text(planned: Planned, workspace: Workspace) -> str:
    plan_ = planned.plan
    lines = [f"plan of {planned.commit[:10]} against {base_of(planned, workspace.bundle)}"]
    for name in sorted({*planned.source.components, *(change.component for change in plan_.changes)}):
        changes = [change for change in plan_.changes if change.component == name]
        held = f" (held at {planned.source.bundle.pin[name].origin})" if name in planned.pinned else ""
        mark = paint("~", "yellow") if changes else "="
        lines.append(f"{mark} {name}{held}" + ("" if changes else ": unchanged, shared"))
        lines += [f"    {_change_text(change)}" for change in changes]
        lines += _stay_text(planned, name, changes)
    lines.append("")
    lines.append(
        f"builds:  {', '.join(plan_.builds) or 'none'}" + (" (unless the store has them)" if plan_.builds else "")
    )
    lines.append(f"uploads: at most {amount(plan_.upload_at_most)}" + (" and the runtimes" if plan_.builds else ""))
    lines.append(f"to go back: nothing starts while the predecessor is kept; keeping it costs {_kept(planned)}")
    return "\n".join([*lines, *_version_lines(planned, is_head=workspace.repository.resolve("HEAD") == planned.commit)])


def _version_lines(planned: Planned, *, is_head: bool) -> list[str]:
    plan_ = planned.plan
    if planned.unchanged and planned.latest:
        return [f"version: nothing to release, all is as in {planned.latest.version}"]
    why = f" ({plan_.bump}: {plan_.reasons[0].component}: {plan_.reasons[0].why})" if plan_.reasons else ""
    version = plan_.smallest_version
    by_git = f"git tag -a {planned.source.bundle.tag_prefix}{version} {planned.commit[:10]} -m 'release {version}'"
    return [
        f"version: at least {paint(str(version), 'bold')}{why}",
        f"next:    {f'lockstep tag {version}' if is_head else by_git} && lockstep release {version}",
    ]


def _change_text(change: Change) -> str:
    if change.kind is InputKind.CALLEE:
        origin = f" (where {change.because} changed)" if change.because != change.path else ""
        return f"because it calls {change.path}, which changed{origin}"
    if change.kind in {InputKind.ADDED, InputKind.REMOVED}:
        return str(change.kind)
    kind = "sha256:" if is_image(change) else ""
    short = " -> ".join((f"{kind}{oid[:8]}" if oid else "nothing") for oid in (change.old, change.new))
    return f"{change.kind}: {change.path} {short}"


def _stay_text(planned: Planned, name: ComponentName, changes: list[Change]) -> list[str]:
    """Where weights are that nobody uploads, if a change is about them."""
    component = planned.source.components.get(name)
    named = component.weights_image if component and name not in planned.pinned else None
    about = {InputKind.WEIGHTS, InputKind.ADDED} & {change.kind for change in changes}
    return [f"    nothing of its weights is uploaded: pods pull {named.image}"] if named and about else []


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
    plan_: Plan = planned.plan
    return {
        "commit": planned.commit,
        "base": str(plan_.base) if plan_.base else None,
        "unchanged": planned.unchanged,
        **plan_.model_dump(mode="json", exclude={"base"}),
        "smallest_version": str(plan_.smallest_version),
        "held": sorted(planned.pinned),
    }


def _released_data(made: Released, seconds: float, *, dry: bool) -> dict[str, Any]:
    return {
        "version": str(made.release.version),
        "digest": made.release.digest,
        "commit": made.edited.commit,
        "dry_run": dry,
        "base": str(made.release.base) if made.release.base else None,
        "built": list(made.built),
        "stored_bytes": made.stored_bytes,
        "changes": [change.model_dump(mode="json") for change in made.release.changes],
        "seconds": round(seconds, 3),
    }
