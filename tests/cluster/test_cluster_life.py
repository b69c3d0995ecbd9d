"""A cluster is started, disturbed and stopped, and nothing of it is left.

It runs in a network namespace of its own, from a copy of tools/, so that the cluster of the other tests goes on beside
it: for the copy this is another machine. Needs root, Go and Debian's packages, as the provider `source` does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
TUNABLES = (
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
)
pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
POD = """
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: web}}
spec:
  containers:
  - name: web
    image: BASE
    command: [python, -m, http.server, "8000", --directory, /files]
    volumeMounts: [{name: files, mountPath: /files}]
  volumes: [{name: files, image: {reference: BASE}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
"""


@dataclass(frozen=True)
class Machine:
    """A network of its own, and a copy of this repository's tools."""

    network: int
    top: Path

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """What a command in this network did."""
        inside = ["nsenter", f"--net=/proc/{self.network}/ns/net", *command]
        given = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "LOCKSTEP"))}
        variables = given | {"PYTHONPATH": str(self.top / "tools"), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            inside, cwd=self.top, env=variables, input=stdin, capture_output=True, text=True, check=False, timeout=600
        )

    def cluster(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m cluster`, of the copy."""
        return self.run(sys.executable, "-m", "cluster", *arguments)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl printed."""
        programs = self.top / ".lockstep" / "cluster"
        access = ("--kubeconfig", str(programs / "etc" / "admin.kubeconfig"))
        done = self.run(str(programs / "bin" / "kubectl"), *access, *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def states(self) -> dict[str, str]:
        """Each program of the node and its state."""
        lines = [line.split() for line in self.cluster("status").stdout.splitlines() if line.startswith("program")]
        return {name.rstrip(":"): state for _, name, state in lines}

    def leaves(self) -> dict[str, object]:
        """All that a node could leave on the machine, as far as it is this node's or nobody's in particular."""
        ours = str(self.top)
        commands = [
            path.read_bytes().replace(b"\0", b" ").decode()
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if path.exists()
        ]
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        return {
            "processes": [line for line in commands if ours in line],
            "mounts": [line for line in mounts if not line.split()[1].startswith("/run/user")],
            "interfaces": [one["ifname"] for one in json.loads(self.run("ip", "-json", "link").stdout)],
            "routes": self.run("ip", "route").stdout,
            "rules": self.run("nft", "list", "ruleset").stdout + self.run("iptables-save").stdout,
            "groups": sorted(map(str, Path("/sys/fs/cgroup").glob("**/lockstep-*"))),
            "kernel": self.run("sysctl", *TUNABLES).stdout,
            "folders": [
                sorted(map(str, Path(path).iterdir()))
                for path in ("/run", "/var/lib", "/var/log", "/opt", "/usr/libexec")
            ],
        }


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    top = tmp_path_factory.mktemp("clone")
    shutil.copytree(TOP / "tools", top / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    holder = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "ip link set lo up && echo made && exec sleep 3600"], stdout=subprocess.PIPE
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"made\n"
    machine = Machine(holder.pid, top)
    try:
        yield machine
    finally:
        machine.cluster("down")
        holder.kill()
        holder.wait()
        holder.stdout.close()


@pytest.fixture(scope="module")
def before(machine: Machine) -> dict[str, object]:
    """What was there before the first start, once the caches are filled."""
    first = machine.cluster("up")
    assert first.returncode == 0, first.stderr
    assert machine.cluster("down").returncode == 0
    return machine.leaves()


@pytest.fixture
def started(machine: Machine, before: dict[str, object]) -> Machine:  # noqa: ARG001 - the snapshot comes first
    done = machine.cluster("up")
    assert done.returncode == 0, done.stderr
    return machine


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < until:
        time.sleep(0.2)
    return held


def test_a_second_start_takes_less_than_fifteen_seconds(machine: Machine, before: dict[str, object]) -> None:  # noqa: ARG001
    """Where others use the machine too, it may take as much longer as there are processes waiting for each core."""
    crowd = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    begun = time.monotonic()

    done = machine.cluster("up")

    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun < 15 * crowd


def test_up_leaves_a_running_cluster_alone(started: Machine) -> None:
    created = started.kubectl("get", "node", "node", "--output", "jsonpath={.metadata.uid}")

    assert started.cluster("up").returncode == 0
    assert started.kubectl("get", "node", "node", "--output", "jsonpath={.metadata.uid}") == created


def test_a_service_answers_from_outside_and_serves_an_image_volume(started: Machine) -> None:
    base = next(line.split()[1] for line in started.cluster("status").stdout.splitlines() if line.startswith("base"))

    started.kubectl("apply", "--filename", "-", stdin=POD.replace("BASE", base))
    started.kubectl("wait", "--for=condition=Ready", "pod/server", "--timeout=60s")
    address = started.kubectl("get", "service", "web", "--output", "jsonpath={.spec.clusterIP}")
    asked = "import sys, urllib.request as r; sys.stdout.write(r.urlopen(sys.argv[1], timeout=1).read().decode())"

    def answer(host: str, *inside: str) -> str:
        return started.run(*inside, sys.executable, "-c", asked, f"http://{host}/etc/os-release").stdout

    assert eventually(lambda: "Debian" in answer(address))
    assert "Debian" in started.kubectl("exec", "server", "--", "python", "-c", asked, "http://web/etc/os-release")


def test_metrics_can_be_had_for_autoscalers(started: Machine) -> None:
    done = started.cluster("metrics")

    assert done.returncode == 0, done.stderr
    assert "node" in started.kubectl("top", "node")


def test_a_killed_program_is_started_again(started: Machine) -> None:
    assert started.cluster("kill", "kubelet").returncode == 0

    assert eventually(lambda: started.states()["kubelet"] == "running")


def test_a_restarted_program_runs(started: Machine) -> None:
    assert started.cluster("restart", "kube-proxy").returncode == 0

    assert eventually(lambda: started.states()["kube-proxy"] == "running")


def test_an_unknown_program_is_refused_with_those_that_are_known(started: Machine) -> None:
    done = started.cluster("restart", "kubelets")

    assert done.returncode == 2
    assert "kubelet " in done.stderr


def test_stop_leaves_nothing(started: Machine, before: dict[str, object]) -> None:
    assert started.leaves() != before

    assert started.cluster("down").returncode == 0
    assert started.leaves() == before


def test_a_node_that_was_killed_leaves_nothing_either_and_is_started_again(
    started: Machine, before: dict[str, object]
) -> None:
    noted = json.loads((started.top / ".lockstep" / "cluster" / "node.json").read_text())
    os.kill(noted["process"], 9)
    assert eventually(lambda: not Path(f"/proc/{noted['process']}").exists())

    said = started.cluster("status")
    again = started.cluster("up")
    down = started.cluster("down")

    assert (said.returncode, again.returncode, down.returncode) == (2, 0, 0)
    assert "make cluster" in said.stderr
    assert started.leaves() == before


def test_stop_twice_is_fine(machine: Machine) -> None:
    assert machine.cluster("down").returncode == 0
    assert machine.cluster("down").returncode == 0
