"""A program of the node as a value, and what the supervisor is told about it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

SOCKET = "/run/supervisor.sock"  # as the node sees it: /run is its own
PROGRAMS = "/run/lockstep/etc/programs"


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
    """The section of one program. It is started when we say so, and again whenever it ends."""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(program.environment.items()))
    return f"""\
[program:{program.name}]
command = {_escaped(shlex.join(program.command))}
environment = {pairs}
autostart = false
autorestart = true
startretries = 1000000
stopwaitsecs = 10
redirect_stderr = true
stdout_logfile = /run/lockstep/log/{program.name}.log
stdout_logfile_maxbytes = 50MB
stdout_logfile_backups = 1
"""


def _escaped(text: str) -> str:
    """The supervisor expands `%(name)s` in every value."""
    return text.replace("%", "%%")
