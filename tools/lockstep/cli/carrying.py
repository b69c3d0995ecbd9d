"""export, import."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from lockstep.cli.arguments import parse_version
from lockstep.cli.output import asking, emit, example, say, shared
from lockstep.core.shown import amount
from lockstep.verbs.workspace import Workspace, open_workspace, release_path

if TYPE_CHECKING:
    from lockstep.core.carry import Carried
    from lockstep.verbs.export import Exported
    from lockstep.verbs.import_ import Imported

_STANDARD = "-"


@click.command(
    epilog=example("lockstep export 1.4.0 release-1.4.0.tar", "lockstep export 1.4.0 release-1.4.0.tar --dry-run")
)
@click.argument("version")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dry-run", "dry", is_flag=True, help="Find every image and say how many bytes it is; write nothing.")
@asking
@shared
def export(version: str, file: Path, dry: bool, form: str, folder: Path, *, plain_http: bool) -> None:
    """Write all of release VERSION to FILE, so that `lockstep import` takes it in where no network leads.

    FILE is one tar file with an OCI image layout: every image that the release pins, third-party ones and base images
    too, and release.yaml. The same release gives the same bytes. `-` writes to standard output.
    """
    from lockstep.verbs.export import export_release  # noqa: PLC0415
    from lockstep.verbs.images.stores import own_stores  # noqa: PLC0415

    began = time.monotonic()
    is_stream = str(file) == _STANDARD and not dry
    if is_stream and (form == "json" or sys.stdout.isatty()):
        raise click.UsageError("standard output cannot be both the archive and something to read")
    workspace = open_workspace(folder, say)
    target: Path | BinaryIO | None = None if dry else sys.stdout.buffer if is_stream else file
    exported = export_release(workspace, parse_version(version), own_stores(workspace, plain_http=plain_http), target)
    seconds = time.monotonic() - began
    if form == "json":
        emit("export", _exported_data(exported, file, seconds, dry=dry))
        return
    lines = [f"{amount(one.size):>14}  {one.image.name}" for one in exported.images]
    blobs = sum(len(one.blobs) for one in exported.images)
    lines.append(
        f"{'would export' if dry else 'exported'} {version}: {len(exported.images)} images, {blobs} blobs, "
        f"{exported.size:,} bytes to {file}; release {exported.release.digest}; {seconds:.1f} s"
    )
    lines += _external_lines(exported.external)
    for line in lines:
        say(line) if is_stream else print(line)


@click.command(
    "import", epilog=example("lockstep import release-1.4.0.tar", "lockstep import release-1.4.0.tar --dry-run")
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--dry-run", "dry", is_flag=True, help="Check every byte of the file and write nothing.")
@shared
def import_(file: Path, dry: bool, form: str, folder: Path) -> None:
    """Take a release out of FILE, which `lockstep export` wrote, into the store.

    A file with one changed, missing or added byte is refused, and no tag is moved. What is there is not written again.
    release.yaml itself travels with Git: where Git has that version, it must be the same bytes. `-` reads standard
    input.
    """
    from lockstep.oci.archive import Archive  # noqa: PLC0415
    from lockstep.verbs.images.stores import own_stores  # noqa: PLC0415
    from lockstep.verbs.import_ import import_release  # noqa: PLC0415

    began = time.monotonic()
    workspace = open_workspace(folder, say)
    with click.open_file(str(file), "rb") as stream:
        imported = import_release(
            workspace, Archive(cast("BinaryIO", stream), str(file)), own_stores(workspace), dry=dry
        )
    seconds = time.monotonic() - began
    if form == "json":
        emit("import", _imported_data(imported, file, seconds, dry=dry))
        return
    for one in imported.images:
        state = "already there" if not one.new_blobs and not one.is_new else amount(one.new_bytes)
        print(f"{state:>14}  {one.image.name}")
    print(_summary(imported, file, seconds, dry=dry))
    for line in _advice(imported, workspace):
        print(line)


def _summary(imported: Imported, file: Path, seconds: float, *, dry: bool) -> str:
    new, blobs = (sum(getattr(one, key) for one in imported.images) for key in ("new_blobs", "blobs"))
    done = f"{'would import' if dry else 'imported'} {imported.release.version} from {file}"
    blobs_said = f"{new} of {blobs} blobs new ({amount(imported.new_bytes)})"
    return f"{done}: {len(imported.images)} images, {blobs_said}; release {imported.release.digest}; {seconds:.1f} s"


def _advice(imported: Imported, workspace: Workspace) -> list[str]:
    """What an import cannot do, and what comes next."""
    version = imported.release.version
    lines = _external_lines(imported.external)
    lines += [f"third-party: pods pull {one} from there; mirror it" for one in imported.third_party]
    if not imported.is_in_git:
        lines.append(
            f"not in Git: {release_path(version)} is not there yet, so nothing here says that this is your release; "
            f"the file's has {imported.document}. Bring the commit, then: lockstep verify {version} --deep"
        )
    elif workspace.bundle.has_registry:
        lines.append(f"next: lockstep push {version}")
    return lines


def _external_lines(external: tuple[str, ...]) -> list[str]:
    return [f"external: {name} runs elsewhere; nothing of it is carried" for name in external]


def _image_data(image: Carried) -> dict[str, Any]:
    return {
        "name": image.name,
        "digest": image.digest,
        "component": image.component,
        "role": image.role,
    }


def _exported_data(exported: Exported, file: Path, seconds: float, *, dry: bool) -> dict[str, Any]:
    return {
        "version": str(exported.release.version),
        "digest": exported.release.digest,
        "file": str(file),
        "dry_run": dry,
        "bytes": exported.size,
        "images": [{**_image_data(one.image), "blobs": len(one.blobs), "bytes": one.size} for one in exported.images],
        "external": list(exported.external),
        "seconds": round(seconds, 3),
    }


def _imported_data(imported: Imported, file: Path, seconds: float, *, dry: bool) -> dict[str, Any]:
    return {
        "version": str(imported.release.version),
        "digest": imported.release.digest,
        "document": imported.document,
        "in_git": imported.is_in_git,
        "file": str(file),
        "dry_run": dry,
        "new_bytes": imported.new_bytes,
        "images": [
            {
                **_image_data(one.image),
                "blobs": one.blobs,
                "new_blobs": one.new_blobs,
                "new_bytes": one.new_bytes,
                "is_new": one.is_new,
            }
            for one in imported.images
        ],
        "third_party": list(imported.third_party),
        "external": list(imported.external),
        "seconds": round(seconds, 3),
    }
