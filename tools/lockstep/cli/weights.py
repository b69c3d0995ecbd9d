"""weights lock."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockstep.cli.output import asking, emit, example, say, shared
from lockstep.core.shown import amount

if TYPE_CHECKING:
    from lockstep.verbs.weights.task import FileWork, Locked


@click.group()
def weights() -> None:
    """Lock the weights of components: from what DVC points to, to what a release pins."""


@weights.command(
    epilog=example(
        "dvc add components/ocr/weights/ocr.npz && lockstep weights lock ocr && git commit -a",
        "lockstep weights lock llm --push",
    )
)
@click.argument("components", nargs=-1)
@click.option("--store", "put", is_flag=True, help="Also put the layers into the store, in the same pass.")
@click.option("--push", "push", is_flag=True, help="Also send the layers to the bundle's registry, as they come.")
@click.option("--dry-run", "dry", is_flag=True, help="Show what would be fetched, read and sent, and do nothing.")
@asking
@shared
def lock(
    components: tuple[str, ...], put: bool, push: bool, dry: bool, form: str, folder: Path, *, plain_http: bool
) -> None:
    """Hash the weights of COMPONENTS (of all, for none) once and write weights.lock beside component.yaml.

    What DVC has only in a remote is fetched first. What has not changed is not read, fetched or sent again, and what
    was interrupted goes on where it was.
    """
    from lockstep.verbs.images.stores import own_stores  # noqa: PLC0415
    from lockstep.verbs.weights.foreseen import foresee_locks  # noqa: PLC0415
    from lockstep.verbs.weights.lock import lock_components  # noqa: PLC0415
    from lockstep.verbs.weights.task import Goal  # noqa: PLC0415
    from lockstep.verbs.workspace import open_workspace  # noqa: PLC0415

    began = time.monotonic()
    workspace = open_workspace(folder, say)
    goal = Goal(own_stores(workspace, plain_http=plain_http), keeps=put, pushes=push) if put or push else None
    done = (foresee_locks if dry else lock_components)(workspace, components, goal)
    if form == "json":
        seconds = round(time.monotonic() - began, 3)
        emit("weights-lock", {"dry_run": dry, "components": [_data(one) for one in done], "seconds": seconds})
        return
    for item in done:
        _show(item, dry=dry)


def _show(item: Locked, *, dry: bool) -> None:
    for file in item.files:
        print(f"{item.component:<16} {amount(file.size):>9}  {file.name}: {_said(file, dry=dry)}")
    if item.named:
        print(f"{item.component:<16} {item.named}  pinned by digest: nothing to lock")
    if item.lock:
        state = "written" if item.changed else "up to date"
        print(
            f"{item.component:<16} {item.lock.image}  {len(item.lock.files)} files, "
            f"{amount(sum(file.size for file in item.lock.files))}, {state}"
        )
    if item.pushed:
        print(f"{item.component:<16} pushed {amount(sum(file.sent_bytes for file in item.files))}: {item.pushed}")


def _said(file: FileWork, *, dry: bool) -> str:
    words = ["fetched"] if file.is_fetched else []
    words += ["locked" if file.is_read else "unchanged (not read)"]
    words += [f"pushed {file.sent_bytes:,} bytes"] if file.sent_bytes else []
    if dry:
        words = ["would be fetched"] if file.is_fetched else []
        words += ["would be read" if file.is_read else "unchanged (not read)"]
        words += [f"would push at most {file.sent_bytes:,} bytes"] if file.sent_bytes else []
    return ", ".join(words)


def _data(item: Locked) -> dict[str, Any]:
    """The lock as before, each file with what was done for it."""
    done = {file.name: asdict(file) for file in item.files}
    known = {file.name: file.model_dump(mode="json") for file in (item.lock.files if item.lock else ())}
    return {
        "component": item.component,
        "changed": item.changed,
        "image": item.digest,
        "files": [{**done[name], **known.get(name, {})} for name in sorted(done)],
        "pushed": item.pushed,
        "sent_bytes": sum(file.sent_bytes for file in item.files),
    }
