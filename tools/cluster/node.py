"""The `source` provider: one real Kubernetes node as processes of this machine, started and stopped."""

from __future__ import annotations

import base64
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from cluster import base, build, isolation, node_files, node_programs, packages, pki
from cluster.addresses import NODE_NAME, REGISTRY
from cluster.control import Supervisor
from cluster.program import supervisor_file
from cluster.running import STATE, Running, node_process, note, note_node
from lockstep.adapters import files, process
from lockstep.core.errors import OutsideError, UsageError
from lockstep.core.names import Digest
from lockstep.oci.http import Access
from lockstep.oci.layout import Layout
from lockstep.oci.registry import Registries
from lockstep.oci.store import copy_image

Say = Callable[[str], None]
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
    if os.geteuid() != 0:
        raise UsageError("namespaces and mounts need root", fix="sudo make cluster")
    for agent in ("", *agents):
        packages.install(packages.FOR_AGENT[agent] if agent else packages.NODE, say)
    targets = dict.fromkeys(target for agent in agents for target in build.FOR_AGENT[agent])
    programs = build.built((*build.NODE, *targets), say)
    images = {"base": base.base_image(say), "pause": base.pause_image(programs["pause"])}
    state = top / STATE
    if not node_process(top):
        isolation.refuse_second(state)
        _clear(state)
        try:
            _start(top, images, say)
        except BaseException:
            down(top)
            raise
    _link(state / "bin", programs)
    cluster = Running(
        "source", reason, state / "etc" / "admin.kubeconfig", REGISTRY, _name("base", images), (), state / "bin"
    )
    note(top, cluster)
    return cluster


def down(top: Path) -> None:
    """Nothing; the clone's node is gone, with every process, mount, interface, rule and control group of it.

    The registry's content and the logs stay in the state folder. A node that is not there is fine.
    """
    state = top / STATE
    pid = node_process(top)
    if pid or (state / "node.json").exists():
        isolation.end(state, pid)
    _clear(state)


def _start(top: Path, images: dict[str, tuple[Layout, Digest]], say: Say) -> None:
    state, begun = top / STATE, time.monotonic()
    for name in _FOLDERS:
        files.put_folder(state / name)
    pki.make(state / "pki")
    authority = base64.b64encode(files.read(state / "pki" / "ca.crt")).decode()
    tokens = {user: secrets.token_hex(16) for user in node_files.USERS}
    texts = node_files.texts(tokens, authority, _name("pause", images), isolation.group_of(state))
    for name, text in texts.items():
        files.write(state / "etc" / name, text.encode())
    files.write(state / "etc" / "supervisord.conf", supervisor_file().encode())
    _link(state / "bin", build.built(build.NODE, say))
    note_node(top, isolation.launch(state))
    supervisor = Supervisor(top)
    _wait("the supervisor", lambda: bool(supervisor.answers()), state)
    supervisor.start(node_programs.stores())
    _wait("the registry", lambda: _pushed(images), state)
    _wait("the API server", lambda: _kubectl(state, "get", "--raw", "/readyz") == b"ok", state)
    say(f"API server ready after {time.monotonic() - begun:.1f} s")
    supervisor.start(node_programs.kubernetes())
    _wait("RBAC", lambda: _kubectl(state, "apply", "-f", str(state / "etc" / "objects.yaml")) is not None, state)
    ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    _wait("the node", lambda: _kubectl(state, "get", "node", NODE_NAME, "-o", ready) == b"True", state)
    _wait("service accounts", lambda: _kubectl(state, "get", "serviceaccount", "default") is not None, state)
    say(f"node ready after {time.monotonic() - begun:.1f} s")


def _pushed(images: dict[str, tuple[Layout, Digest]]) -> bool:
    registries = Registries(Access(plain_http=True))
    try:
        for name, (store, digest) in images.items():
            copy_image(store, registries.at(f"{REGISTRY}/lockstep/{name}"), digest, base.TAG)
    except OutsideError:
        return False
    return True


def _name(image: str, images: dict[str, tuple[Layout, Digest]]) -> str:
    return f"{REGISTRY}/lockstep/{image}@{images[image][1]}"


def _kubectl(state: Path, *arguments: str) -> bytes | None:
    """What kubectl said, None if it failed."""
    access = ["--kubeconfig", str(state / "etc" / "admin.kubeconfig"), "--cache-dir", str(state / "kubectl")]
    done = process.run([str(state / "bin" / "kubectl"), *access, "--request-timeout=5s", *arguments])
    return None if done.code else done.stdout


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


def _link(folder: Path, programs: dict[str, Path]) -> None:
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
