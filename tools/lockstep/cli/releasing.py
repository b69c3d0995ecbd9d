"""build, release."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockstep.cli.arguments import commit_at, note_uncommitted, parse_environment_name, parse_version
from lockstep.cli.output import building, edited_data, emit, example, say, shared, show_edited, writing
from lockstep.core.shown import amount
from lockstep.verbs.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from lockstep.core.version import Version
    from lockstep.verbs.edit import Edited
    from lockstep.verbs.images.stores import Stores
    from lockstep.verbs.landing import Writing
    from lockstep.verbs.release import Released


@click.command(epilog=example("lockstep build", "lockstep build --push"))
@click.argument("revision", default="HEAD")
@click.option("--push", "pushes", is_flag=True, help="Into the registry of lockstep.yaml, not .lockstep/store.")
@building
@shared
def build(revision: str, form: str, folder: Path, *, pushes: bool, jobs: int, plain_http: bool) -> None:
    """Put every image of REVISION into the store, so that a later release finds it there. Nothing is committed.

    Where REVISION was released already, this brings back what its releases need and the store has lost, and their tags.
    """
    from lockstep.verbs.images.stores import own_stores, registry_stores  # noqa: PLC0415
    from lockstep.verbs.release import build_commit  # noqa: PLC0415

    workspace = open_workspace(folder, say)
    stores = (registry_stores if pushes else own_stores)(workspace, plain_http=plain_http)
    built = build_commit(workspace, commit_at(workspace, revision), replace(stores, jobs=jobs))
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
@building
@shared
def release(
    version: str, environment: str, how: Writing, form: str, folder: Path, *, jobs: int, plain_http: bool
) -> None:
    """Compose the commit tagged with VERSION into one release and commit releases/VERSION/release.yaml.

    Its images go to .lockstep/store. With --push they go to the registry that lockstep.yaml names, if it names one,
    before the commit does; what is there is neither built nor sent again.
    """
    from lockstep.verbs.images.stores import stores_for  # noqa: PLC0415
    from lockstep.verbs.landing import aimed, started  # noqa: PLC0415

    began = time.monotonic()
    workspace = open_workspace(folder, say)
    how = aimed(workspace, how)
    wanted = parse_version(version, workspace)
    stores = replace(stores_for(workspace, how.remote, plain_http=plain_http), jobs=jobs)

    def act(here: Workspace) -> tuple[Released, Edited | None]:
        return _released(here, wanted, environment, stores, how)

    made, staged = started(workspace, how, act)
    note_uncommitted(workspace.repository.uncommitted())
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
    from lockstep.verbs.release import release_version  # noqa: PLC0415
    from lockstep.verbs.release_and_stage import release_and_stage  # noqa: PLC0415

    if not environment:
        return release_version(workspace, version, stores, how), None
    done = release_and_stage(workspace, version, parse_environment_name(environment), stores, how)
    return done.released, done.staged


def _released_data(made: Released, seconds: float, *, dry: bool) -> dict[str, Any]:
    return {
        "version": str(made.release.version),
        "digest": made.release.digest,
        "commit": made.edited.commit,
        "dry_run": dry,
        "base": str(made.release.base) if made.release.base else None,
        "built": list(made.built),
        "stored_bytes": made.stored_bytes,
        "reindexes": [one.model_dump(mode="json") for one in made.planned.judged.reindexes],
        "changes": [change.model_dump(mode="json") for change in made.release.changes],
        "seconds": round(seconds, 3),
    }
