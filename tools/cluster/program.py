"""A program of the node as a value, and what the supervisor is told about it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from lockstep.core.errors import UsageError

SOCKET = "/run/supervisor.sock"  # as the node sees it: /run is its own
PROGRAMS = "/run/lockstep/etc/programs"
_COMMENT = re.compile(r"\s[;#]|\n")


@dataclass(frozen=True)
class Program:
    """What runs in the node, is started again when it ends, and writes log/<name>.log.

    Args:
        name: One word; `python -m cluster restart NAME`.
        command: Program and arguments; looked up on the node's PATH, no shell reads them.
        environment: Variables added to the node's.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def supervisor_file() -> str:
    """The supervisor's own configuration."""
    return f"""\
[unix_http_server]
file = {SOCKET}
chmod = 0700

[supervisord]
nodaemon = true
user = root
logfile = /run/lockstep/log/supervisord.log
pidfile = /run/supervisord.pid
childlogdir = /run/lockstep/log

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[include]
files = {PROGRAMS}/*.conf
"""


def program_file(program: Program) -> str:
    """The section of one program. It is started when we say so, and again whenever it ends.

    Raises:
        UsageError: its command cannot be written in the supervisor's form.
    """
    variables = [f"{name}={value}" for name, value in sorted(program.environment.items())]
    command = (*(("env", *variables) if variables else ()), *program.command)
    # `env` takes any value; the supervisor's own `environment` line loses quotes. It expands `%(name)s` everywhere.
    escaped = shlex.join(command).replace("%", "%%")
    if _COMMENT.search(escaped):
        raise UsageError(
            f"{program.name} cannot be told to the supervisor, which takes ` ;` and ` #` for a comment",
            where=escaped,
            fix="put that argument into a file",
        )
    return f"""\
[program:{program.name}]
command = {escaped}
autostart = false
autorestart = true
startretries = 1000000
stopwaitsecs = 10
redirect_stderr = true
stdout_logfile = /run/lockstep/log/{program.name}.log
stdout_logfile_maxbytes = 50MB
stdout_logfile_backups = 1
"""
