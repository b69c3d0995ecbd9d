"""`python -m cluster`: a real Kubernetes for tests and demos."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from cluster import node, providers
from cluster.control import Supervisor
from cluster.running import running
from lockstep.cli.output import show_error
from lockstep.core.errors import LockstepError

_TOP = Path(__file__).resolve().parents[2]
_AGENTS = {"argocd": ("argocd",), "flux": ("flux",), "both": ("argocd", "flux"), "none": ()}
_BEGUN = time.monotonic()


def say(line: str) -> None:
    """Nothing; a line for people, with the seconds since the beginning."""
    print(f"cluster {time.monotonic() - _BEGUN:6.1f} s  {line}", file=sys.stderr, flush=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def program() -> None:
    r"""A real Kubernetes for tests and demos; one per machine.

    \b
    Example:  python -m cluster up --agent argocd; export KUBECONFIG=.lockstep/cluster/etc/admin.kubeconfig
    """


@program.command()
@click.option("--agent", type=click.Choice(sorted(_AGENTS)), default="none", show_default=True, help="What runs in it.")
@click.option("--provider", type=click.Choice(providers.NAMES), help="Who makes it; chosen by itself if not given.")
def up(agent: str, provider: str | None) -> None:
    """Start it, or add an agent to the one that runs."""
    cluster = providers.up(_TOP, provider, _AGENTS[agent], say)
    say(f"ready: {cluster.provider}, because {cluster.reason}")
    print(f"export KUBECONFIG={cluster.kubeconfig}\nexport PATH={cluster.programs}:$PATH")


@program.command()
@click.option("--agent", type=click.Choice(sorted(_AGENTS)), default="both", show_default=True, help="What it is for.")
def build(agent: str) -> None:
    """Only make ready what `up` by the provider source needs, and start nothing: for an image or a cache of CI."""
    programs, images = node.prepare(_AGENTS[agent], say)
    say(f"ready: {len(programs)} programs, {len(images)} images; python -m cluster up takes seconds now")


@program.command()
def down() -> None:
    """Stop it; nothing of it is left."""
    providers.down(_TOP)


@program.command()
def status() -> None:
    """Show what runs."""
    cluster = running(_TOP)
    print(f"provider  {cluster.provider}: {cluster.reason}\nagents    {' '.join(cluster.agents) or 'none'}")
    print(f"registry  {cluster.registry}\nbase      {cluster.base}\naccess    KUBECONFIG={cluster.kubeconfig}")
    if cluster.provider == "source":
        for name, state in sorted(Supervisor(_TOP).states().items()):
            print(f"program   {name}: {state.lower()}")


@program.command()
def metrics() -> None:
    """Add the metrics-server, which a HorizontalPodAutoscaler needs, to the cluster that runs."""
    node.measure(_TOP, say)
    say("metrics: can be had, for example with kubectl top node")


@program.command()
@click.argument("name")
def restart(name: str) -> None:
    """Stop a program of the node and start it again."""
    Supervisor(_TOP).restart(name)


@program.command()
@click.argument("name")
def kill(name: str) -> None:
    """Kill a program of the node; the supervisor starts it again."""
    Supervisor(_TOP).kill(name)


def main() -> int:
    """The exit code: 0 fine, 1 a finding, 2 usage, 3 the outside world failed."""
    try:
        program.main(prog_name="python -m cluster", standalone_mode=False)
    except LockstepError as error:
        show_error(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
