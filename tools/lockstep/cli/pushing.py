"""push."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockstep.cli.arguments import parse_version
from lockstep.cli.output import asking, emit, example, say, shared
from lockstep.core.shown import amount
from lockstep.verbs.workspace import open_workspace

if TYPE_CHECKING:
    from lockstep.verbs.push import Pushed


@click.command(epilog=example("lockstep push 1.4.0", "lockstep push 1.4.0 --dry-run -o json"))
@click.argument("version")
@click.option("--dry-run", "dry", is_flag=True, help="Ask the registry what it lacks, and send nothing.")
@click.option("--jobs", default=4, show_default=True, type=click.IntRange(1, 64), help="Blobs that are sent at once.")
@asking
@shared
def push(version: str, dry: bool, jobs: int, form: str, folder: Path, *, plain_http: bool) -> None:
    """Copy every image of release VERSION from the store to the registry that lockstep.yaml names, and tag it there.

    What is there is not sent: a second push sends nothing, and one that was interrupted goes on where it was.
    """
    from lockstep.verbs.images.stores import own_stores  # noqa: PLC0415
    from lockstep.verbs.push import push_release  # noqa: PLC0415

    began = time.monotonic()
    workspace = open_workspace(folder, say)
    stores = own_stores(workspace, plain_http=plain_http)
    pushed = push_release(workspace, parse_version(version), stores, dry=dry, jobs=jobs)
    seconds = time.monotonic() - began
    if form == "json":
        emit("push", _pushed_data(pushed, seconds, dry=dry))
        return
    for image in pushed.images:
        done = "already there" if image.present == image.blobs and not image.is_new else f"{amount(image.sent_bytes)}"
        print(f"{done:>14}  {image.reference}")
    sent, mounted, present = (sum(getattr(one, key) for one in pushed.images) for key in ("sent", "mounted", "present"))
    print(
        f"{'would push' if dry else 'pushed'} {version}: {len(pushed.images)} images, tag {pushed.tag}; "
        f"blobs: {sent} sent ({amount(pushed.sent_bytes)}), {mounted} shared, {present} already there; {seconds:.1f} s"
    )


def _pushed_data(pushed: Pushed, seconds: float, *, dry: bool) -> dict[str, Any]:
    return {
        "version": str(pushed.version),
        "registry": pushed.registry,
        "tag": pushed.tag,
        "dry_run": dry,
        "sent_bytes": pushed.sent_bytes,
        "images": [{**asdict(image), "sent": image.sent} for image in pushed.images],
        "seconds": round(seconds, 3),
    }
