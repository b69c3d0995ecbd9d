"""One instance, kept running; one gate, asked once. Each in a task of its own, so that none waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from lockstep.adapters import files
from lockstep.core.errors import LockstepError
from lockstep.core.names import ImageRef
from lockstep.runner.child import Child, free_port
from lockstep.runner.honour import CannotRun
from lockstep.runner.program import Places, Program, program
from lockstep.runner.state import Gate, Host, Instance
from lockstep.runner.volumes import ConfigFiles, EmptyFolder, ImageFiles, SecretFiles
from lockstep.runner.workload import Probe, Probes, Workload

_STARTUP_PAUSE = 0.1
_LONGEST_BACKOFF = 60.0


async def keep_running(item: Instance, host: Host) -> None:
    """Runs an instance until cancelled; after every failure it waits 1, 2, 4, … seconds and starts it again."""
    backoff = 1.0
    while True:
        was_ready, reason = await _one_life(item, host)
        item.pid = item.port = 0
        item.become("failing", reason)
        backoff = 1.0 if was_ready > _LONGEST_BACKOFF else backoff
        await asyncio.sleep(backoff)
        backoff = min(backoff * 2, _LONGEST_BACKOFF)
        item.restarts += 1


async def ask_gate(gate: Gate, host: Host) -> None:
    """Runs a gate's program to its end or deadline; exit code 0 passes."""
    workload = gate.workload
    try:
        places = await _places(workload, host)
        child = Child(program(workload, host.machine, places), _log(host, workload.name))
    except (LockstepError, OSError) as error:
        gate.become("failed", _sentence(error))
        return
    try:
        if not await child.exited(workload.deadline):
            gate.become("failed", f"no answer within {workload.deadline} s: {child.last_words()}")
        elif child.code == 0:
            gate.become("passed")
        else:
            gate.become("failed", child.last_words())
    finally:
        await child.stop(workload.grace)


async def _one_life(item: Instance, host: Host) -> tuple[float, str]:
    """One process from start to end: for how many seconds it was ready, and why it ended."""
    workload, clock = item.workload, asyncio.get_running_loop().time
    if workload.probes is None:
        return 0.0, "no probes"
    try:
        places = await _places(workload, host)
        child = _started(item, host, program(workload, host.machine, places), places.port)
    except (LockstepError, OSError) as error:
        return 0.0, _sentence(error)
    ready_at = 0.0
    try:
        reason = await _until_ready(child, workload.probes, _Asker(host.client, places.port))
        if not reason:
            ready_at = clock()
            item.become("ready")
            reason = await _watch(item, child, workload.probes, _Asker(host.client, places.port))
    finally:
        await child.stop(workload.grace)
    return clock() - ready_at if ready_at else 0.0, reason


def _started(item: Instance, host: Host, ready_program: Program, port: int) -> Child:
    child = Child(ready_program, _log(host, item.id))
    item.pid, item.port = child.pid, port
    item.become("starting")
    return child


class _Asker:
    """Asks one port an HTTP question."""

    def __init__(self, client: aiohttp.ClientSession, port: int) -> None:
        self._client = client
        self._address = f"http://127.0.0.1:{port}"

    async def answers(self, probe: Probe) -> bool:
        """Whether the answer comes in time with a status from 200 to 399, as for Kubernetes."""
        timeout = aiohttp.ClientTimeout(total=probe.timeout)
        try:
            async with self._client.get(self._address + probe.path, timeout=timeout, allow_redirects=False) as given:
                return 200 <= given.status < 400
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False


async def _until_ready(child: Child, probes: Probes, asker: _Asker) -> str:
    """Why it did not get ready; empty when it did."""
    clock = asyncio.get_running_loop().time
    end = clock() + probes.startup_seconds
    while not await child.exited(_STARTUP_PAUSE):
        if await asker.answers(probes.startup) and child.code is None:
            return ""
        if clock() > end:
            return f"{probes.startup.path} did not answer within {probes.startup_seconds} s"
    return child.last_words()


async def _watch(item: Instance, child: Child, probes: Probes, asker: _Asker) -> str:
    """Why a ready instance must be started again. An unready one is only called failing: nothing moves to it."""
    silent = dead = 0
    clock = asyncio.get_running_loop().time
    next_liveness = clock() + (probes.liveness.period if probes.liveness else 0)
    while not await child.exited(probes.readiness.period):
        silent = 0 if await asker.answers(probes.readiness) else silent + 1
        if silent == 0:
            item.become("ready")
        elif silent >= probes.readiness.failures:
            item.become("failing", f"{probes.readiness.path} does not answer")
        if probes.liveness and clock() >= next_liveness:
            next_liveness = clock() + probes.liveness.period
            dead = 0 if await asker.answers(probes.liveness) else dead + 1
            if dead >= probes.liveness.failures:
                return f"{probes.liveness.path} did not answer {dead} times"
    return child.last_words()


async def _places(workload: Workload, host: Host) -> Places:
    """Unpacked images and fresh mounts, made in threads."""
    loop = asyncio.get_running_loop()
    references = {workload.image} | {
        volume.reference for volume in workload.mounts.values() if isinstance(volume, ImageFiles)
    }
    images: dict[ImageRef, Path] = {}
    for reference in sorted(references):
        async with host.unpacking[reference]:
            images[reference] = await loop.run_in_executor(host.unpackers, host.images, reference)
    return await loop.run_in_executor(host.unpackers, _mounted, workload, host, images)


def _mounted(workload: Workload, host: Host, images: Mapping[ImageRef, Path]) -> Places:
    folder = host.options.run_folder / "mounts" / workload.name
    files.remove_folder(folder)
    scratch = folder / "tmp"
    files.put_folder(scratch)
    mounts: dict[str, Path] = {}
    for path, volume in sorted(workload.mounts.items()):
        local = folder / path.removeprefix("/")
        match volume:
            case ImageFiles(reference):
                mounts[path] = images[reference]
            case SecretFiles(name):
                mounts[path] = _secret(host, name)
            case EmptyFolder():
                files.put_folder(local)
                mounts[path] = local
            case ConfigFiles(texts):
                files.put_folder(local)
                for name, text in texts.items():
                    files.put_file(local / name, [text.encode()], 0o644)
                mounts[path] = local
    app = images[workload.image] / "app"
    return Places(app if app.is_dir() else images[workload.image], mounts, scratch, free_port())


def _secret(host: Host, name: str) -> Path:
    folder = host.options.secrets_folder / name
    if not folder.is_dir():
        raise CannotRun(
            f"the secret {name} is not on this machine",
            where=str(folder),
            fix=f"mkdir -p {folder} and put one file per key there",
        )
    return folder


def _log(host: Host, name: str) -> Path:
    return host.options.run_folder / "logs" / f"{name}.log"


def _sentence(error: Exception) -> str:
    if isinstance(error, LockstepError):
        return "; ".join(part for part in (error.what, error.where, error.fix) if part)
    return str(error)
