"""The options of verbs that may ask a cluster, and the cluster that they name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lockstep.cli.output import say
from lockstep.core.names import ComponentName, EnvironmentName
from lockstep.core.version import Version
from lockstep.verbs.workspace import Workspace

if TYPE_CHECKING:
    from lockstep.adapters.kubernetes import Cluster
    from lockstep.verbs.asking import Asking

Command = TypeVar("Command", bound=Callable[..., Any])
WAIT_SECONDS = 600
_HOME = Path("~/.kube/config")


class _Seconds(click.ParamType):  # type: ignore[type-arg]
    """Whole seconds, with words for who writes `--wait production`."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The seconds."""
        if not str(value).isdecimal():
            self.fail(f"`{value}` are no seconds; write --wait=600, or a bare --wait at the end", param, ctx)
        return int(value)


def clustered(command: Command) -> Command:
    """Adds `--kubeconfig FILE`."""
    return click.option(
        "--kubeconfig",
        metavar="FILE",
        envvar="KUBECONFIG",
        show_envvar=True,
        default="",
        help="The cluster that runs the environment, by the file's current context; without it, Git alone is asked.",
    )(command)


def preflighted(command: Command) -> Command:
    """Adds `--despite REASON` to a verb that asks a cluster before it commits."""
    return click.option(
        "--despite",
        metavar="REASON",
        default="",
        help="Go on although the cluster is not fit for it; the reason goes into the commit.",
    )(command)


def waiting(command: Command) -> Command:
    """Adds `--wait[=SECONDS]`."""
    return click.option(
        "--wait",
        "wait",
        type=_Seconds(),
        is_flag=False,
        flag_value=str(WAIT_SECONDS),
        default=None,
        metavar="[=SECONDS]",
        help=f"Wait until the cluster holds it (at most {WAIT_SECONDS} s, if not said); exit 1 and why if it does not.",
    )(command)


def swapping(command: Command) -> Command:
    """Adds `--swap COMPONENT`."""
    return click.option(
        "--swap",
        metavar="COMPONENT",
        multiple=True,
        callback=lambda _ctx, _param, names: tuple(map(_component, names)),
        help="A component that does not fit twice: its new instance waits in standby until the promote, and the old "
        "one makes room for it. Requests that need it fail meanwhile.",
    )(command)


def _component(text: str) -> ComponentName:
    try:
        return ComponentName(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--swap") from error


@dataclass(frozen=True)
class Ask:
    """What the command line says of a cluster.

    Args:
        kubeconfig: One or more files; empty for no cluster.
        despite: Why to go on whatever it says.
        wait: Seconds to wait after the commit; None for not at all.
        plain_http: Whether registries have no TLS.
    """

    kubeconfig: str
    despite: str = ""
    wait: int | None = None
    plain_http: bool = False


def asking_of(workspace: Workspace, name: EnvironmentName, ask: Ask) -> Asking | None:
    """How a verb asks the cluster of an environment; None where no cluster is named and none is needed.

    Raises:
        UsageError: waiting needs a cluster, and none is named.
    """
    if not ask.kubeconfig and ask.wait is None:
        return None
    from lockstep.verbs.asking import Asking, Patience  # noqa: PLC0415 - most commands ask no cluster
    from lockstep.verbs.images.stores import own_stores  # noqa: PLC0415
    from lockstep.verbs.wait import pull_problems  # noqa: PLC0415

    patience = Patience(ask.wait, time.monotonic, time.sleep) if ask.wait is not None else None
    stores = own_stores(workspace, plain_http=ask.plain_http)
    return Asking(cluster_of(workspace, name, ask.kubeconfig), pull_problems(stores), ask.despite, patience)


def fetch(workspace: Workspace, name: EnvironmentName, version: Version, ask: Ask) -> None:
    """Brings a release's images to the nodes of an environment's cluster.

    Raises:
        UsageError: no cluster is named.
        Refused: an image cannot be pulled.
    """
    from lockstep.adapters.kubernetes_pods import Pods  # noqa: PLC0415
    from lockstep.verbs.prefetch import prefetch_release  # noqa: PLC0415

    asked = asking_of(workspace, name, ask)
    if asked is not None:
        found = prefetch_release(workspace, name, version, asked, Pods(cluster_of(workspace, name, ask.kubeconfig)))
        say(f"prefetched {version}: {found.images} images on {found.nodes} nodes, {found.seconds:.1f} s")


def cluster_of(workspace: Workspace, name: EnvironmentName, kubeconfig: str) -> Cluster:
    """The cluster of an environment, opened; that of ~/.kube/config where none is named.

    Raises:
        UsageError: there is none.
    """
    from lockstep.adapters.kubernetes import open_cluster  # noqa: PLC0415
    from lockstep.core.errors import UsageError  # noqa: PLC0415

    workspace.state.environment(name)
    home = _HOME.expanduser()
    if not kubeconfig and not home.is_file():
        raise UsageError(
            "to wait, a cluster must be known", where=f"$KUBECONFIG, {_HOME}", fix="name it: --kubeconfig FILE"
        )
    return open_cluster(kubeconfig or os.fspath(home), workspace.state.bundle.namespace_of(name))
