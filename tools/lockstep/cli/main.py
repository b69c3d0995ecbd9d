"""The entry of the command line: finds the command, shows errors, decides the exit code."""

from __future__ import annotations

import importlib
import keyword
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from lockstep import __version__
from lockstep.cli.output import show_error

# Plugins that other packages register with pydantic have no say in how files are parsed here; finding them costs 20 ms.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")

# Name -> module and one line of help: `lockstep --help` imports none of these modules.
COMMANDS = {
    "init": ("lockstep.cli.starting", "Start a new bundle in a folder."),
    "plan": ("lockstep.cli.planning", "Show what a release would change, and why."),
    "contracts": ("lockstep.cli.contracts", "Check whether contracts fit, or compare two of them."),
    "test": ("lockstep.cli.testing", "Run the tests of components: of all, or of those that changed."),
    "build": ("lockstep.cli.releasing", "Put every image of a commit into the store."),
    "tag": ("lockstep.cli.tagging", "Tag HEAD as a version, after every check."),
    "release": ("lockstep.cli.releasing", "Compose a tagged commit into one pinned release."),
    "push": ("lockstep.cli.pushing", "Copy every image of a release to its registry."),
    "export": ("lockstep.cli.carrying", "Write a whole release as one file, for where no network leads."),
    "import": ("lockstep.cli.carrying", "Take a release out of such a file into the store."),
    "stage": ("lockstep.cli.environments", "Start a release in an environment, without traffic."),
    "promote": ("lockstep.cli.environments", "Move an environment's traffic to a staged release."),
    "rollback": ("lockstep.cli.environments", "Take an environment back to what served before."),
    "retire": ("lockstep.cli.environments", "Delete what no kept release needs."),
    "status": ("lockstep.cli.reading", "Show what serves, what is staged, what is kept."),
    "history": ("lockstep.cli.reading", "Show every edit of an environment."),
    "diff": ("lockstep.cli.notes", "Show what differs between two releases."),
    "changelog": ("lockstep.cli.notes", "Show what releases did, or write CHANGELOG.md."),
    "announce": ("lockstep.cli.forging", "Write the notes of a release on its page in GitLab."),
    "trace": ("lockstep.cli.reading", "Show which release, weights, prompts and source made an instance."),
    "gc": ("lockstep.cli.collecting", "Delete images that no release and no environment needs."),
    "verify": ("lockstep.cli.verifying", "Re-check releases and environments from files and store alone."),
    "doctor": ("lockstep.cli.forging", "Check what only settings can give: protections, owners, webhooks."),
    "up": ("lockstep.cli.running", "Run an environment on this machine, following Git."),
    "weights": ("lockstep.cli.weights", "Lock the weights of components."),
    "schema": ("lockstep.cli.reading", "Print the JSON Schema of a file that people write."),
}


class Commands(click.Group):
    """A group that imports a command's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the flow."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and one-line helps, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 fine, 1 a finding, 2 usage, 3 the outside world failed.",
)
@click.version_option(__version__, prog_name="lockstep")
def program() -> None:
    r"""Ship a system of many AI components as one immutable release, through Git, and take it back by reverting one
    commit.

    \b
    The flow:  plan -> tag -> release -> stage -> promote -> retire | rollback
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 fine, 1 a finding, 2 usage, 3 the outside world failed."""
    try:
        code: Any = program.main(
            args=None if arguments is None else list(arguments), prog_name="lockstep", standalone_mode=False
        )
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the one place that turns every error into words and a code
        return show_error(error)
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
