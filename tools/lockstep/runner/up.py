"""`lockstep up`: follows the commits of an environment and runs what they say, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial

from lockstep.adapters import files
from lockstep.core.document import format_json
from lockstep.core.errors import LockstepError
from lockstep.core.names import GitSha, InstanceId
from lockstep.runner.desired import Desired, parse_desired
from lockstep.runner.front import Traffic, answer_inside, answer_outside
from lockstep.runner.ports import EnvironmentFiles, ImageFolders, Listener, Options
from lockstep.runner.reconcile import end, everything, step
from lockstep.runner.relay import http_client, http_server
from lockstep.runner.state import Host, Journal, World, this_machine, utc_now
from lockstep.runner.status import Runner, status

_POLL_SECONDS = 0.1


def up(options: Options, commits: EnvironmentFiles, images: ImageFolders, listener: Listener) -> None:
    """Runs an environment until SIGTERM or SIGINT, then stops every process that it started.

    Call it from the main thread: instances die with the thread that starts them.

    Raises:
        OutsideError: another runner runs this environment (its pid is named), or the front's port is taken.
    """
    asyncio.run(run(options, commits, images, listener))


async def run(options: Options, commits: EnvironmentFiles, images: ImageFolders, listener: Listener) -> None:
    """As `up`, in a running loop of the main thread."""
    folder = options.run_folder
    with files.held_alone(folder / "lock", f"the runner with pid {os.getpid()} of {options.environment}"):
        files.remove_folder(folder / "mounts")
        with files.fresh_log(folder / "events.jsonl") as stream:
            journal = Journal(stream, listener)
            try:
                await _serve(options, commits, images, journal)
            finally:
                journal.tell("runner-stopped", {"pid": os.getpid()})
                files.remove_folder(folder / "mounts")


async def _serve(options: Options, commits: EnvironmentFiles, images: ImageFolders, journal: Journal) -> None:
    stop = _stop_signal()
    async with http_client() as client:
        world = World(Traffic(lambda name: _port(world, name), client))
        async with (
            http_server(partial(answer_inside, world.traffic), 0, 1.0) as proxy_port,
            _processes(world),
            http_server(partial(answer_outside, world.traffic), options.port, options.drain_seconds) as port,
        ):
            host = Host(options, this_machine(options, proxy_port), images, client, journal)
            runner = Runner(
                options.environment,
                os.getpid(),
                f"http://127.0.0.1:{port}",
                f"http://127.0.0.1:{proxy_port}",
                "running",
            )
            journal.tell("runner-started", {"pid": runner.pid, "url": runner.front_url})
            async with _status_kept(world, host, runner):
                await _until(stop, _follow(world, commits, journal), _reconcile(world, host))
                journal.tell("runner-stopping", {"pid": runner.pid})


async def _until(stop: asyncio.Event, *loops: Coroutine[None, None, None]) -> None:
    """Runs the loops until `stop` is set or one of them fails."""
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    stopping = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (stopping, *tasks):
            task.cancel()
        await asyncio.gather(stopping, *tasks, return_exceptions=True)


async def _follow(world: World, commits: EnvironmentFiles, journal: Journal) -> None:
    """Keeps `world.desired` at the newest commit. What cannot be read now is tried again; nothing changes meanwhile."""
    told = ""
    while True:
        try:
            head = await asyncio.to_thread(commits.head)
            if head and head != world.head:
                seen, seen_ns = utc_now(), time.monotonic_ns()
                desired = await asyncio.to_thread(_read, commits, head, world.desired)
                world.head, world.head_seen, world.head_seen_ns = head, seen, seen_ns
                _adopt(world, journal, desired)
            told = ""
        except LockstepError as error:
            if error.what != told:
                told = error.what
                journal.tell("git-unreadable", {"reason": f"{error.what}; {error.fix}"})
        await asyncio.sleep(_POLL_SECONDS)


def _read(commits: EnvironmentFiles, head: GitSha, before: Desired) -> Desired:
    return parse_desired(commits.files(head), before)


def _adopt(world: World, journal: Journal, desired: Desired) -> None:
    former = world.desired.problems
    world.desired = desired
    journal.tell("commit-seen", {"commit": world.head or ""}, world.head_seen_ns)
    for path, problem in desired.problems.items():
        if former.get(path) != problem:
            journal.tell("file-refused", {"path": path, "reason": str(problem)})


async def _reconcile(world: World, host: Host) -> None:
    """A step at every change, and ten times a second for what changes without an event: a route's last request."""
    while True:
        step(world, host)
        host.journal.changed.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(host.journal.changed.wait(), _POLL_SECONDS)


@asynccontextmanager
async def _processes(world: World) -> AsyncIterator[None]:
    """At the end, ends every process."""
    try:
        yield
    finally:
        await end(*everything(world))


@asynccontextmanager
async def _status_kept(world: World, host: Host, runner: Runner) -> AsyncIterator[None]:
    """Writes status.json whenever it would read differently; at the end once more."""
    path = host.options.run_folder / "status.json"
    state = runner.state

    def text() -> str:
        return format_json(
            status(world, Runner(runner.environment, runner.pid, runner.front_url, runner.proxy_url, state))
        )

    async def keep() -> None:
        written = ""
        while True:
            wanted = text()
            if wanted != written:
                await asyncio.to_thread(files.write, path, wanted.encode() + b"\n")
                written = wanted
            await asyncio.sleep(_POLL_SECONDS / 2)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        state = "stopped"
        await asyncio.to_thread(files.write, path, text().encode() + b"\n")


def _port(world: World, name: str) -> int | None:
    try:
        item = world.instances.get(InstanceId(name))
    except ValueError:
        return None
    return item.port or None if item else None


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
