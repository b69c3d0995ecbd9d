"""up: the local runner."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from lockstep.cli.arguments import parse_environment_name
from lockstep.cli.output import example, paint, say, shared
from lockstep.runner.ports import Event

_COLOR = {
    "front-moved": "green",
    "gate-passed": "green",
    "gate-failed": "red",
    "instance-failing": "red",
    "file-refused": "red",
}


class Printer:
    """Shows the runner's events: one line each for people, or one JSON object a line."""

    def __init__(self, form: str) -> None:
        self._form = form

    def event(self, event: Event) -> None:
        """Shows one event."""
        if self._form == "json":
            print(
                json.dumps(
                    {"schema": "lockstep.dev/cli/up-event/v1", "event": event.name, "utc": event.utc, **event.data}
                ),
                flush=True,
            )
            return
        about = "  ".join(f"{key}={value}" for key, value in event.data.items())
        name = paint(event.name, _COLOR[event.name], sys.stderr) if event.name in _COLOR else event.name
        say(f"{event.utc[11:23]}  {name:<18} {about}")


@click.command(
    epilog=example(
        "lockstep up staging --port 8080",
        "curl --data-binary @page.png -H 'content-type: image/png' http://127.0.0.1:8080/documents",
    )
)
@click.argument("environment")
@click.option(
    "--port",
    default=8080,
    type=click.IntRange(0, 65_535),
    show_default=True,
    help="Port of the front on 127.0.0.1; 0 takes a free one.",
)
@shared
def up(environment: str, port: int, form: str, folder: Path) -> None:
    """Run ENVIRONMENT on this machine: every instance as a process, behind one front that follows the commits.

    For first contact and for developing components; Kubernetes with Argo CD or Flux is the real thing. Ends with
    Ctrl-C.
    """
    from lockstep.verbs.up import run_environment  # noqa: PLC0415
    from lockstep.verbs.workspace import open_workspace  # noqa: PLC0415

    run_environment(open_workspace(folder, say), parse_environment_name(environment), port, Printer(form))
