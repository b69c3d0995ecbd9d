"""gc."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockstep.cli.arguments import parse_version
from lockstep.cli.output import asking, emit, paint, say, shared
from lockstep.core.shown import amount

if TYPE_CHECKING:
    from lockstep.core.collect import Tagged
    from lockstep.verbs.gc import Collected

_EPILOG = """Examples:

  lockstep gc

  lockstep gc --delete

  lockstep gc --registry --delete && docker-registry garbage-collect --delete-untagged /etc/docker/registry/config.yml

Which releases keep their images: `retention:` in lockstep.yaml; all of them, if it is not there. Exit codes: 0 done, 1
something is not explained by the releases here, so nothing was deleted, 2 usage, 3 the outside world failed."""


@click.command(epilog=_EPILOG)
@click.option("--registry", "remote", is_flag=True, help="Collect the registry of lockstep.yaml, not .lockstep/store.")
@click.option("--delete", is_flag=True, help="Delete what may go; without it, it is only listed.")
@click.option("--days", type=click.FloatRange(min=0), default=7, show_default=True,
              help="Leave alone what came into .lockstep/store in so many days.")  # fmt: skip
@click.option("--abandoned", multiple=True, metavar="VERSION", help="A version that was tagged and never released.")
@asking
@shared
def gc(
    abandoned: tuple[str, ...], days: float, form: str, folder: Path, *, remote: bool, delete: bool, plain_http: bool
) -> None:
    """List, or delete, the images that no release, environment, lock or hold needs.

    Nothing is deleted where it cannot be proved: a tag that promises a release which this clone does not have, a clone
    behind its remote, a file that cannot be read. Tags that are not Lockstep's keep what they name.
    """
    from lockstep.verbs.gc import Collecting, collect_registry, collect_store  # noqa: PLC0415
    from lockstep.verbs.images.stores import own_stores  # noqa: PLC0415
    from lockstep.verbs.workspace import open_workspace  # noqa: PLC0415

    workspace = open_workspace(folder, say)
    collecting = Collecting(delete, frozenset(parse_version(one) for one in abandoned), time.time(), days)
    if remote:
        collected = collect_registry(workspace, own_stores(workspace, plain_http=plain_http), collecting)
    else:
        collected = collect_store(workspace, collecting)
    if form == "json":
        emit("gc", _data(collected, deleted=delete))
    else:
        _show(collected, deleted=delete, remote=remote)


def _show(collected: Collected, *, deleted: bool, remote: bool) -> None:
    doomed, blobs = collected.collection.doomed, collected.blobs
    for one in doomed:
        print(f"{paint('-', 'red')} {one.image.name}: {', '.join(one.image.tags)}\n    {one.because}")
    for reason, number in sorted(Counter(_group(reason) for _, reason in collected.collection.kept).items()):
        print(f"= {number} {'image stays' if number == 1 else 'images stay'}: {reason}")
    size = "" if remote else f", {_count(len(blobs), 'blob')}, {amount(sum(blob.size for blob in blobs))}"
    print(f"{'deleted' if deleted else 'may go'} of {collected.place}: {_count(len(doomed), 'image')}{size}")
    for note in collected.notes:
        print(f"believed: {note}")
    if not deleted and (doomed or blobs):
        print(f"nothing was deleted; to delete: lockstep gc{' --registry' if remote else ''} --delete")
    elif deleted and doomed and remote:
        print("the registry frees the room when it collects its blobs itself; let nobody push while it does")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _group(reason: str) -> str:
    """Foreign tags are many; they are one reason."""
    return "tags that are not ours" if reason.endswith("is not ours") else reason


def _data(collected: Collected, *, deleted: bool) -> dict[str, Any]:
    collection = collected.collection
    return {
        "place": collected.place,
        "deleted": deleted,
        "releases": {str(version): reason for version, reason in sorted(collected.kept.items())},
        "images": [{**_image(one.image), "because": one.because} for one in collection.doomed],
        "kept": [{**_image(image), "because": reason} for image, reason in collection.kept],
        "blobs": [{"digest": blob.digest, "bytes": blob.size} for blob in collected.blobs],
        "bytes": sum(blob.size for blob in collected.blobs),
        "notes": list(collected.notes),
    }


def _image(image: Tagged) -> dict[str, Any]:
    return {"repository": image.repository, "digest": image.digest, "tags": list(image.tags)}
