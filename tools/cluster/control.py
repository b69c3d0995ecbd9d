"""The supervisor inside the node, spoken to over its socket, which is reached through /proc from outside."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xmlrpc.client import Error, Fault, ServerProxy

from cluster.program import PROGRAMS, SOCKET, Program, program_file
from cluster.running import STATE, node_process
from lockstep.adapters import files
from lockstep.core.errors import OutsideError, UsageError

_LOGS = f"read the logs in {STATE}/log; a fresh node: make cluster-down cluster"


class Supervisor:
    """Starts, restarts and kills the programs of the node that runs for a clone.

    Raises:
        UsageError: no node runs for it.
    """

    def __init__(self, top: Path) -> None:
        self._state = top / STATE
        self.process = node_process(top)
        if not self.process:
            raise UsageError("no node runs for this clone", where=str(self._state), fix="make cluster")

    def start(self, programs: Iterable[Program]) -> None:
        """Nothing; the programs are started, new ones after being made known. Those that run are left alone."""
        wanted = tuple(programs)
        for program in wanted:
            own = Path(PROGRAMS).relative_to("/run/lockstep") / f"{program.name}.conf"
            files.write(self._state / own, program_file(program).encode())
        [(added, changed, _)] = self._ask("supervisor.reloadConfig")
        for name in changed:
            self.stop(name)
            self._ask("supervisor.removeProcessGroup", name)
        for name in (*added, *changed):
            self._ask("supervisor.addProcessGroup", name)
        states = self.states()
        for program in wanted:
            if states.get(program.name) not in {"RUNNING", "STARTING"}:
                self._ask("supervisor.startProcess", program.name, False)  # noqa: FBT003 - XML-RPC knows no names

    def stop(self, name: str) -> None:
        """Nothing; the program has ended and stays so until it is started."""
        if self.states().get(self._known(name)) not in {"STOPPED", "EXITED", "FATAL"}:
            self._ask("supervisor.stopProcess", name)

    def restart(self, name: str) -> None:
        """Nothing; the program was asked to end, has ended, and was started again."""
        self.stop(name)
        self._ask("supervisor.startProcess", name, False)  # noqa: FBT003

    def kill(self, name: str) -> None:
        """Nothing; the program got SIGKILL. The supervisor starts it again."""
        self._ask("supervisor.signalProcess", self._known(name), str(int(signal.SIGKILL)))

    def answers(self) -> bool:
        """Whether the supervisor is listening: a moment after the node was launched it is."""
        try:
            self.states()
        except OutsideError:
            return False
        return True

    def states(self) -> dict[str, str]:
        """Every program and what the supervisor says of it: RUNNING, STARTING, BACKOFF, STOPPED, …"""
        return {one["name"]: one["statename"] for one in self._ask("supervisor.getAllProcessInfo")}

    def _known(self, name: str) -> str:
        known = self.states()
        if name not in known:
            raise UsageError(f"no program {name!r} in the node", fix=f"one of: {' '.join(sorted(known))}")
        return name

    def _ask(self, method: str, *arguments: Any) -> Any:
        from supervisor.xmlrpc import SupervisorTransport  # noqa: PLC0415 - only needed where a node runs

        path = f"/proc/{self.process}/root{SOCKET}"
        transport = SupervisorTransport(None, None, serverurl=f"unix://{path}")
        call: Any = ServerProxy("http://node", transport=transport)
        for part in method.split("."):
            call = getattr(call, part)
        try:
            return call(*arguments)
        except Fault as error:
            said = " ".join(map(str, (method, *arguments)))
            raise OutsideError(f"the supervisor refused: {error.faultString}", where=said, fix=_LOGS) from error
        except (OSError, Error) as error:
            raise OutsideError(f"the supervisor does not answer: {error}", where=path, fix=_LOGS) from error
        finally:
            transport.close()
