"""The node's own network, process and mount namespaces: made, joined to this machine by one cable, and taken away.

Everything in the node ends with its first process: the kernel kills the processes of its process namespace and frees
mounts, interfaces and firewall rules. What the kernel does not own (a control group, two mount points) `clear` removes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from cluster.addresses import ALL, CABLE, LINK, MACHINE, NODE, SERVICES
from lockstep.adapters import process
from lockstep.core.errors import OutsideError, UsageError

# The kubelet sets these for the whole machine; in the node they are files of its own, so the machine keeps its values.
_TUNABLES = (
    *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
    *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
)
_UNSHARE = ("unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc")
_PATH = "/run/lockstep/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def boot_script(state: Path, supervisord: str) -> str:
    """What the node's first process runs before it becomes the supervisor. Pure.

    /var/lib becomes a folder of the node with everything of this machine's in it, so that the two folders that CNI
    and the kubelet insist on are made on no disk. At the end it waits for a line: the cable must be there first.
    """
    tunables = "".join(
        f"mkdir -p /run/tunables/{Path(name).parent}\n"
        f"cat /proc/sys/{name} >/run/tunables/{name}\nmount --bind /run/tunables/{name} /proc/sys/{name}\n"
        for name in _TUNABLES
    )
    return f"""\
set -eu
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lockstep /run/lock /run/etcd /run/lib
mount --bind {shlex.quote(str(state))} /run/lockstep
mount -t tmpfs -o mode=755 tmpfs /run/lib
mkdir /run/lib/cni /run/lib/kubelet
case $(stat --file-system --format %T /run/lockstep/containerd) in
  overlayfs) mount -t tmpfs tmpfs /run/lockstep/containerd ;; # images are overlays too, and those do not nest
esac
for folder in /var/lib/*/; do
  name=$(basename "$folder")
  [ -d "/run/lib/$name" ] || {{ mkdir "/run/lib/$name"; mount --rbind "$folder" "/run/lib/$name"; }}
done
mount --move /run/lib /var/lib
mount --bind /run/lockstep/kubelet /var/lib/kubelet
mount -t tmpfs tmpfs /var/log
mkdir /var/log/pods
mount --bind /run/lockstep/log/pods /var/log/pods
{tunables}\
read -r line
echo 1 >/proc/sys/net/ipv4/ip_forward
exec {supervisord} -n -c /run/lockstep/etc/supervisord.conf </dev/null
"""


def launch(state: Path) -> int:
    """The node's first process, as this machine numbers it. It is joined to this machine's network and waits no more.

    Raises:
        OutsideError: a namespace, the cable or a mount was refused.
    """
    groups = _make_groups(state)
    script = boot_script(state, f"{shlex.quote(sys.executable)} -m supervisor.supervisord")
    with (state / "log" / "boot.log").open("wb") as log:
        outer = subprocess.Popen(
            [*_UNSHARE, "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8"},
            start_new_session=True,
        )
    try:
        with outer.stdin or contextlib.nullcontext() as line:
            first = _first_process(outer)
            for group in groups:  # else it would end, or be limited, with the session that started it
                (group / "cgroup.procs").write_text(str(first), encoding="ascii")
            connect(first, state)
            if line:
                line.write(b"go\n")
    except BaseException:
        outer.kill()
        raise
    return first


def _first_process(outer: subprocess.Popen[bytes]) -> int:
    """The child of unshare, once it is there. unshare has made the namespaces by then."""
    until = time.monotonic() + 5
    while time.monotonic() < until and outer.poll() is None:
        if found := Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text(encoding="ascii").split():
            return int(found[0])
        time.sleep(0.01)
    raise OutsideError("unshare could not make namespaces", where=".lockstep/cluster/log/boot.log", fix="run as root")


def connect(pid: int, state: Path) -> None:
    """Nothing; a cable joins this machine to the network of a process, with a route to everything in it."""
    inside = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip"]
    process.checked(["ip", "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", str(pid)])
    process.checked(["ip", "link", "set", LINK, "alias", _owner_name(state), "up"])
    process.checked(["ip", "address", "add", f"{MACHINE}/{CABLE}", "dev", LINK])
    process.checked([*inside, "link", "set", "lo", "up"])
    process.checked([*inside, "address", "add", f"{NODE}/{CABLE}", "dev", "eth0"])
    process.checked([*inside, "link", "set", "eth0", "up"])
    # Without a route the node's own programs could not even begin to connect to a Service.
    process.checked([*inside, "route", "add", SERVICES, "dev", "eth0"])
    process.checked(["ip", "route", "add", ALL, "via", NODE, "dev", LINK])


def refuse_second(state: Path) -> None:
    """Nothing, when no other clone's node runs: they would share addresses.

    Raises:
        UsageError: the cable is there.
    """
    owner = _owner()
    if owner is not None:
        raise UsageError(
            f"a cluster runs on this machine already, that of {owner or 'nobody known'}",
            where=f"interface {LINK}, wanted for {state}",
            fix=f"make cluster-down in that clone, or if it is gone: ip link delete {LINK}",
        )


def end(state: Path) -> None:
    """Nothing; the node has ended, with everything in it. A node that is gone already is fine.

    It is found by its control group, so that one whose notes were deleted ends as well.
    """
    for pid in _members(state):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _remove_groups(state)
    if _owner() == _owner_name(state):
        process.run(["ip", "link", "delete", LINK])  # the kernel would do it a little later


def _owner_name(state: Path) -> str:
    return str(state)[-200:]  # an interface's alias has up to 255 bytes


def _owner() -> str | None:
    """The alias of the cable in this network namespace: whose it is. None where there is none."""
    said = process.run(["ip", "-json", "link", "show", LINK])
    return str(json.loads(said.stdout)[0].get("ifalias", "")) if said.code == 0 else None


def _members(state: Path) -> list[int]:
    """Every process of the node, those of its pods too."""
    lists = [path for group in _groups(state) for path in group.rglob("cgroup.procs")]
    return sorted({int(pid) for path in lists for pid in path.read_text(encoding="ascii").split()})


def group_of(state: Path) -> str:
    """The name of the node's control group: one per state folder."""
    return f"lockstep-{hashlib.sha256(str(state).encode()).hexdigest()[:8]}"


def _groups(state: Path) -> list[Path]:
    """Our control group in every hierarchy of this machine (one with cgroup v2, one per controller with v1)."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    return [Path(point) / group_of(state) for point, kind in mounts if kind in {"cgroup", "cgroup2"}]


def _make_groups(state: Path) -> list[Path]:
    """The groups that the node's own programs go into; the kubelet makes those of pods beside them."""
    for group in _groups(state):
        group.mkdir(exist_ok=True)
        own = group / "node"
        for folder in (group, own):
            controllers = folder.parent / "cgroup.controllers"
            for name in controllers.read_text(encoding="ascii").split() if controllers.exists() else ():
                with contextlib.suppress(OSError):  # the kubelet says which it misses
                    (folder.parent / "cgroup.subtree_control").write_text(f"+{name}", encoding="ascii")
            folder.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):  # v1: a new group has none, and may then hold no process
                if not controllers.exists() and (folder / name).exists():
                    (folder / name).write_text((folder.parent / name).read_text(encoding="ascii"), encoding="ascii")
    return [group / "node" for group in _groups(state)]


def _remove_groups(state: Path) -> None:
    until = time.monotonic() + 20
    for group in _groups(state):
        while group.exists():
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):  # its last process is just ending
                    Path(folder).rmdir()
            if group.exists() and time.monotonic() > until:
                raise OutsideError("a control group is still in use", where=str(group), fix="python -m cluster down")
            time.sleep(0.02)
