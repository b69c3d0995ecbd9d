"""init."""

from __future__ import annotations

from pathlib import Path

import click

from lockstep.cli.output import edited_data, emit, example, say, shared, show_edited

_EXAMPLE = example(
    "lockstep init my-bundle && cd my-bundle",
    "python -m pytest components && lockstep plan",
    "lockstep tag 0.1.0 && lockstep release 0.1.0",
    "lockstep stage staging 0.1.0 && lockstep promote staging 0.1.0",
    "lockstep up staging          # then: curl 'http://127.0.0.1:8080/greet?name=Ada'",
)


@click.command(epilog=_EXAMPLE)
@click.argument("target", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--name", default="", help="The bundle's name; by default the folder's.")
@click.option("--no-git", is_flag=True, help="Make no repository and no commit.")
@click.option("--dry-run", "dry", is_flag=True, help="Show every file and write nothing.")
@shared
def init(target: Path, name: str, form: str, folder: Path, **flags: bool) -> None:
    """Start a new bundle in FOLDER: two small components that call each other, charts, tests, a first commit.

    FOLDER is new or empty. In an existing repository only the bundle's own files are committed.
    """
    from lockstep.verbs.init import Start, start_bundle  # noqa: PLC0415

    dry = flags["dry"]
    edited = start_bundle(Start(folder / target, name, git=not flags["no_git"], dry=dry))
    if form == "json":
        emit("init", {**edited_data(edited, dry=dry), "folder": str((folder / target).resolve())})
    elif dry or edited.commit:
        show_edited(edited, form, dry=dry)
    else:
        print(f"{edited.said}: {len(edited.edits)} files added, nothing committed")
    if form == "text" and not dry:
        say(f"next: cd {folder / target} && lockstep plan")
