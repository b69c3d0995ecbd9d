"""stage, promote, rollback, retire: the edits of an environment."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockstep.cli.arguments import parse_environment_name, parse_version
from lockstep.cli.cluster import WAIT_SECONDS, Ask, asking_of, clustered, fetch, preflighted, swapping, waiting
from lockstep.cli.output import asking, edited_data, emit, example, say, shared, show_edited, writing
from lockstep.core.names import ComponentName, EnvironmentName
from lockstep.verbs.landing import Writing, aimed, started
from lockstep.verbs.workspace import Workspace, again, open_workspace

if TYPE_CHECKING:
    from lockstep.verbs.asking import Asking
    from lockstep.verbs.edit import Edited


@click.command(
    epilog=example("lockstep stage production 1.4.0", "lockstep stage production 1.4.0 --push origin --wait")
)
@click.argument("environment")
@click.argument("version")
@swapping
@click.option("--prefetch", is_flag=True, help="First bring its images and weights to the nodes; leaves nothing there.")
@waiting
@preflighted
@clustered
@asking
@writing
@shared
def stage(
    environment: str, version: str, how: Writing, form: str, folder: Path,
    *, swap: tuple[ComponentName, ...], prefetch: bool, wait: int | None, despite: str, kubeconfig: str,
    plain_http: bool,
) -> None:  # fmt: skip
    """Add the instances of release VERSION to ENVIRONMENT. They start and warm up; no traffic reaches them."""
    from lockstep.verbs.stage import stage_release, staged_instances  # noqa: PLC0415
    from lockstep.verbs.wait import await_ready  # noqa: PLC0415

    workspace, name = open_workspace(folder, say), parse_environment_name(environment)
    wanted = parse_version(version, workspace)
    asked = asking_of(workspace, name, Ask(kubeconfig, despite, wait, plain_http))
    how = aimed(workspace, how, asked)

    def act(here: Workspace) -> Edited:
        if prefetch and not how.dry:
            fetch(here, name, wanted, Ask(kubeconfig, despite, wait or WAIT_SECONDS, plain_http))
        return stage_release(here, name, wanted, how, swap)

    edited = started(workspace, how, act)
    show_edited(edited, form, dry=how.dry)
    if wait is not None and not how.dry:
        seconds = await_ready(workspace, name, staged_instances(again(workspace), name, wanted), asked)
        say(f"release {version} is ready in {environment}: {seconds:.1f} s")
    if form == "text" and not how.dry:
        say(f"next: lockstep promote {environment} {version}{''.join(f' --swap {one}' for one in swap)}")


@click.command(
    epilog=example("lockstep promote production 1.4.0", "lockstep promote production 1.4.0 --push origin --wait")
)
@click.argument("environment")
@click.argument("version")
@swapping
@waiting
@preflighted
@clustered
@asking
@writing
@shared
def promote(
    environment: str, version: str, how: Writing, form: str, folder: Path,
    *, swap: tuple[ComponentName, ...], wait: int | None, despite: str, kubeconfig: str, plain_http: bool,
) -> None:  # fmt: skip
    """Move the front of ENVIRONMENT to the staged release VERSION, once its root has passed its gate."""
    from lockstep.verbs.promote import promote_release  # noqa: PLC0415

    workspace, name = open_workspace(folder, say), parse_environment_name(environment)
    wanted = parse_version(version, workspace)
    asked = asking_of(workspace, name, Ask(kubeconfig, despite, wait, plain_http))
    how = aimed(workspace, how, asked)
    edited = started(workspace, how, lambda here: promote_release(here, name, wanted, how, swap))
    show_edited(edited, form, dry=how.dry)
    if form == "text" and edited.commit:
        say(f"to take it back: lockstep rollback {environment}   (or: git revert {edited.commit[:10]})")
    if wait is not None and not how.dry:
        _await_front(workspace, name, asked)


def _await_front(workspace: Workspace, name: EnvironmentName, asked: Asking | None) -> None:
    from lockstep.verbs.wait import await_front  # noqa: PLC0415

    seconds = await_front(workspace, name, asked)
    front = again(workspace).state.environment(name).front
    say(f"release {front.release if front else '?'} serves in {name}: {seconds:.1f} s")


@click.command(
    epilog=example(
        "lockstep rollback production", "lockstep rollback production --to 1.3.0 --hold 'wrong totals, see INC-7'"
    )
)
@click.argument("environment")
@click.option(
    "--to", "version", metavar="VERSION", help="The release to go back to; by default the one that served before."
)
@click.option(
    "--from",
    "source",
    metavar="VERSION",
    help="Only if this release serves; nothing is done where it has been taken back already. For what may run twice.",
)
@click.option(
    "--hold",
    metavar="REASON",
    default="",
    help="Also refuse promotes until hold.yaml is removed, so that no bot promotes it again.",
)
@waiting
@preflighted
@clustered
@asking
@writing
@shared
def rollback(
    environment: str, version: str | None, source: str | None, hold: str, how: Writing, form: str, folder: Path,
    *, wait: int | None, despite: str, kubeconfig: str, plain_http: bool,
) -> None:  # fmt: skip
    """Take ENVIRONMENT back, as `git revert` of its last promote would. A retired release is restored first, in a
    commit of its own; with `--wait` the front moves once that is ready.
    """
    from lockstep.verbs.rollback import Back, roll_back  # noqa: PLC0415

    workspace, name = open_workspace(folder, say), parse_environment_name(environment)
    to, leaving = (parse_version(text, workspace) if text else None for text in (version, source))
    back = Back(to, leaving, hold)
    asked = asking_of(workspace, name, Ask(kubeconfig, despite, wait, plain_http))
    how = aimed(workspace, how, asked)
    done = started(workspace, how, lambda here: roll_back(here, name, back, how))
    if form == "json":
        emit("rollback", {"edits": [edited_data(edited, dry=how.dry) for edited in done]})
    else:
        for edited in done:
            show_edited(edited, form, dry=how.dry)
        if not done:
            say(f"release {leaving} is taken back in {environment} already: nothing to do")
    if wait is not None and not how.dry:
        _await_front(workspace, name, asked)


@click.command(epilog=example("lockstep retire production --keep 1.3.0", "lockstep retire staging --drop 1.5.0-rc.1"))
@click.argument("environment")
@click.option(
    "--keep",
    metavar="VERSION",
    multiple=True,
    help="A release to keep as well. Kept anyway: what serves, what served before, what waits for its promote.",
)
@click.option("--drop", metavar="VERSION", multiple=True, help="A release to delete although it would be kept.")
@preflighted
@clustered
@writing
@shared
def retire(
    environment: str, keep: tuple[str, ...], drop: tuple[str, ...], how: Writing, form: str, folder: Path,
    *, despite: str, kubeconfig: str,
) -> None:  # fmt: skip
    """Delete from ENVIRONMENT every instance and gate that no kept release needs.

    A deleted pod finishes what it answers for as long as its component's `grace` says; a longer stream is cut. So
    nothing is retired before `retire_after_seconds` have passed since the front moved.
    """
    from lockstep.verbs.retire import Keeping, retire_releases  # noqa: PLC0415

    workspace, name = open_workspace(folder, say), parse_environment_name(environment)
    keeping = Keeping(tuple(map(parse_version, keep)), tuple(map(parse_version, drop)), time.time())
    asked = asking_of(workspace, name, Ask(kubeconfig, despite))
    how = aimed(workspace, how, asked)
    edited = started(workspace, how, lambda here: retire_releases(here, name, keeping, how))
    show_edited(edited, form, dry=how.dry)
