"""weights lock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockstep.cli.output import amount, emit, example, say, shared

if TYPE_CHECKING:
    from lockstep.verbs.weights import Locked


@click.group()
def weights() -> None:
    """Lock the weights of components: from what DVC points to, to what a release pins."""


@weights.command(epilog=example("dvc add components/ocr/weights/ocr.npz && lockstep weights lock ocr && git commit -a"))
@click.argument("components", nargs=-1)
@click.option("--store", "put", is_flag=True, help="Also put the layers into the store, in the same pass.")
@shared
def lock(components: tuple[str, ...], put: bool, form: str, folder: Path) -> None:
    """Hash the weights of COMPONENTS (of all, for none) once and write weights.lock beside component.yaml."""
    from lockstep.verbs.stores import own_stores  # noqa: PLC0415
    from lockstep.verbs.weights import lock_components  # noqa: PLC0415
    from lockstep.verbs.workspace import open_workspace  # noqa: PLC0415

    workspace = open_workspace(folder, say)
    done = lock_components(workspace, components, own_stores(workspace).of if put else None)
    if form == "json":
        emit(
            "weights-lock",
            {
                "components": [
                    {
                        "component": item.component,
                        "changed": item.changed,
                        "image": item.digest,
                        "files": [file.model_dump(mode="json") for file in item.files],
                    }
                    for item in done
                ]
            },
        )
        return
    for item in done:
        print(f"{item.component:<16} {_said(item)}")


def _said(item: Locked) -> str:
    if item.lock is None:
        return f"{item.named}  pinned by digest: nothing to lock"
    size, state = amount(sum(file.size for file in item.files)), "written" if item.changed else "up to date"
    return f"{item.lock.image}  {len(item.files)} files, {size}, {state}"
