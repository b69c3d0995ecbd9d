"""The `source` provider: one real Kubernetes node as processes of this machine, started and stopped."""

from __future__ import annotations

import base64
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cluster import base, build, isolation, metrics, node_files, node_programs, packages, pki
from cluster.addresses import NODE_NAME, REGISTRY
from cluster.api import ask, is_node_ready
from cluster.base import Images
from cluster.control import Supervisor
from cluster.program import supervisor_file
from cluster.running import STATE, Running, node_process, note_node
from lockstep.adapters import files
from lockstep.core.errors import OutsideError, UsageError

Say = Callable[[str], None]
_ACCESS = Path("etc", "admin.kubeconfig")
_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"  # pods are refused while their namespace has none
_KEPT = ("registry", "log")  # of the state folder, when the node is stopped
_FOLDERS = ("bin", "containerd", "etc/programs", "kubelet", "log/pods", "registry")
_PATIENCE = 90.0  # seconds until something that takes two is called broken


def up(top: Path, reason: str, agents: tuple[str, ...], say: Say) -> Running:
    """A node that is Ready, with what the agents need beside it (they are started by their own code).

    A node that runs already is left as it is.

    Raises:
        UsageError: not root, another clone's node runs, or a tool is missing; nothing was changed.
        OutsideError: something did not get ready; the node was stopped again, its logs are kept.
    """
    programs, images = prepare(agents, say)
    state = top / STATE
    if not node_process(top):
        isolation.refuse_second(state)
        _clear(state)
        try:
            _start(top, programs, images, say)
        except BaseException:
            down(top)
            raise
    _link(state / "bin", programs)
    _wait("the registry", lambda: base.are_pushed(images, REGISTRY), state)  # the base may be newer than the node
    return Running("source", reason, state / _ACCESS, REGISTRY, _name("base", images), (), state / "bin")


def down(top: Path) -> None:
    """Nothing; the clone's node is gone, with every process, mount, interface, rule and control group of it.

    The registry's content and the logs stay in the state folder. A node that is not there is fine.
    """
    state = top / STATE
    isolation.end(state)
    _clear(state)


def _start(top: Path, programs: Mapping[str, Path], images: Images, say: Say) -> None:
    """Nothing; the node was launched and its programs started in order, each waited for; it makes pods."""
    state, begun = top / STATE, time.monotonic()
    _write(state, _name("pause", images))
    _link(state / "bin", programs)
    note_node(top, isolation.launch(state))
    supervisor, access = Supervisor(top), state / _ACCESS
    _wait("the supervisor", supervisor.answers, state)
    supervisor.start(node_programs.stores())
    _wait("the API server", lambda: ask(access, "/readyz") == b"ok", state)
    supervisor.start(node_programs.kubernetes())
    _wait("RBAC", lambda: all(ask(access, path, item) for path, item in node_files.OBJECTS), state)
    _wait("the node", lambda: is_node_ready(access, NODE_NAME), state)
    _wait("service accounts", lambda: ask(access, _ACCOUNT) is not None, state)
    say(f"node: ready in {time.monotonic() - begun:.1f} s")


def prepare(agents: tuple[str, ...], say: Say) -> tuple[Mapping[str, Path], base.Images]:
    """Everything that takes long: the Debian packages, each program with its file, the images by name.

    Raises:
        UsageError: not root, or a tool is missing.
        OutsideError: something could not be had or built.
    """
    if os.geteuid() != 0:
        raise UsageError("namespaces and mounts need root", fix="sudo make cluster")
    for agent in ("", *agents):
        packages.install(packages.FOR_AGENT[agent] if agent else packages.NODE, say)
    targets = dict.fromkeys(target for agent in agents for target in build.FOR_AGENT[agent])
    programs = build.built((*build.NODE, *targets), say)
    return programs, {"base": base.base_image(say), "pause": base.pause_image(programs["pause"])}


def measure(top: Path, say: Say) -> None:
    """Nothing; the metrics-server runs in the node, and what it measures can be had."""
    state = top / STATE
    _link(state / "bin", build.built([build.METRICS], say))
    Supervisor(top).start([metrics.PROGRAM])
    access = state / _ACCESS
    _wait("metrics", lambda: all(ask(access, path, item) for path, item in metrics.OBJECTS), state)
    _wait("metrics", lambda: b'"usage"' in (ask(access, f"{metrics.PATH}/nodes") or b""), state)


def _write(state: Path, pause: str) -> None:
    """Nothing; the state folder holds all that the node reads: folders, keys, configuration."""
    for name in _FOLDERS:
        files.put_folder(state / name)
    pki.make(state / "pki")
    authority = base64.b64encode(files.read(state / "pki" / "ca.crt")).decode()
    tokens = {user: secrets.token_hex(16) for user in node_files.USERS}
    texts = node_files.texts(tokens, authority, pause, isolation.group_of(state))
    for name, text in (texts | {"supervisord.conf": supervisor_file()}).items():
        files.write(state / "etc" / name, text.encode())


def _name(image: str, images: Images) -> str:
    return f"{REGISTRY}/lockstep/{image}@{images[image][1]}"


def _wait(what: str, is_ready: Callable[[], bool], state: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while not is_ready():
        if time.monotonic() > until:
            raise OutsideError(
                f"{what} did not get ready in {_PATIENCE:.0f} s",
                where=str(state / "log"),
                fix="read the logs there, then: make cluster",
            )
        time.sleep(0.1)


def _link(folder: Path, programs: Mapping[str, Path]) -> None:
    """Nothing; the folder holds a link to each program, under each of its names."""
    for name, file in programs.items():
        link = folder / name
        if not link.exists():
            link.unlink(missing_ok=True)
            files.put_link(link, str(file))


def _clear(state: Path) -> None:
    for entry in state.iterdir() if state.is_dir() else ():
        if entry.name not in _KEPT:
            files.remove_folder(entry) if entry.is_dir() else files.remove(entry)
