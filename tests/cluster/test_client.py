"""The verbs that ask a cluster, asking a real one: what is ready and what not, what may be promoted, what drifted.

The tiny bundle in a namespace of its own. Nobody follows Git here: a thread applies what HEAD says with kubectl, in the
order of an agent (instances, gates, the front once its gate has answered), so that waiting waits for something real.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.running import Running
from tiny import _GIT, Tiny, tiny_bundle

TOP = Path(__file__).resolve().parents[2]
PATIENT_GATE = '''\
"""Asks the root until it answers."""

import os
import time
import urllib.request

until = time.monotonic() + float(os.environ["GATE_DEADLINE_SECONDS"])
while True:
    try:
        urllib.request.urlopen(os.environ["ROOT_URL"], timeout=2).read()
        break
    except OSError:
        if time.monotonic() > until:
            raise
        time.sleep(0.2)
'''
pytestmark = pytest.mark.timeout(400)


@dataclass
class Hand:
    """Somebody who applies what Git says."""

    tiny: Tiny
    kubectl: Callable[..., str]
    stop: threading.Event = field(default_factory=threading.Event)

    def follow(self) -> None:
        seen = ""
        while not self.stop.wait(0.3):
            head = self.tiny.git("rev-parse", "HEAD:releases/staging")
            if head != seen and self._applied():
                seen = head

    def _applied(self) -> bool:
        """Whether all of it was applied; the front waits for its gate."""
        folder = self.tiny.folder / "releases/staging"
        for name in ("policies", "instances", "front/gate.yaml", "gates"):
            if (folder / name).exists():
                self.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={folder / name}")
        front = folder / "front/front.yaml"
        if front.exists():
            root = yaml.safe_load(front.read_text(encoding="utf-8"))["spec"]["selector"]["lockstep.dev/instance"]
            said = self.kubectl("get", f"job/gate-{root}", "--output=jsonpath={.status.succeeded}")
            if said != "1":
                return False
            self.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={front}")
        return True


@dataclass(frozen=True)
class Place:
    """The bundle and its namespace."""

    cluster: Running
    tiny: Tiny
    namespace: str

    def lockstep(self, *words: str, code: int = 0) -> str:
        """Everything that a command printed; it must end with a code."""
        environment = {
            **os.environ, **_GIT, "PYTHONPATH": str(TOP / "tools"), "LOCKSTEP_PLAIN_HTTP": "1",
            "KUBECONFIG": str(self.cluster.kubeconfig),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "lockstep.cli.main", *words, "-C", str(self.tiny.folder)],
            env=environment, capture_output=True, text=True, check=False, timeout=200,
        )  # fmt: skip
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def kubectl(self, *words: str) -> str:
        access = (f"--kubeconfig={self.cluster.kubeconfig}", f"--namespace={self.namespace}")
        program = str(self.cluster.programs / "kubectl")
        done = subprocess.run([program, *access, *words], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{words}\n{done.stderr}"
        return done.stdout.strip()

    def status(self) -> dict[str, Any]:
        environment = json.loads(self.lockstep("status", "staging", "-o", "json"))["environments"][0]
        found: dict[str, Any] = environment["cluster"]
        return found

    def release(self, version: str, *, push: bool = True) -> None:
        self.tiny.commit(f"for {version}")
        self.tiny.tag(version)
        self.lockstep("release", version)
        if push:
            self.lockstep("push", version)

    def bind(self, **components: Any) -> None:
        """Commits bindings: every component is small."""
        data = {name: {"resources": {"cpu": "10m", "memory": "48Mi"}} for name in ("front-door", "model")}
        for name, more in components.items():
            data[name] = {**data[name], **more}
        self.tiny.write("releases/staging/bindings.yaml", json.dumps({"components": data}, indent=1) + "\n")
        self.tiny.commit("bindings")

    def instances(self, component: str) -> list[str]:
        folder = self.tiny.folder / "releases/staging/instances"
        return sorted(path.stem for path in folder.glob(f"{component}-*.yaml"))


@pytest.fixture(scope="module")
def place(cluster: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """1.0.0 serves in a namespace of its own; a thread applies what HEAD says."""
    name = f"client-{uuid.uuid4().hex[:6]}"
    tiny = tiny_bundle(tmp_path_factory.mktemp("client") / "tiny")
    tiny.replace("lockstep.yaml", "registry: lockstep.local/tiny", f"registry: {cluster.registry}/{name}")
    tiny.replace("lockstep.yaml", "{prereleases: true}", f"{{agent: none, namespace: {name}, retire_after_seconds: 0}}")
    tiny.write("lockstep.yaml", tiny.read("lockstep.yaml") + f'platform: {{base: "{cluster.base}"}}\n')
    place = Place(cluster, tiny, name)
    place.bind()
    place.release("1.0.1")
    assert "no such namespace" in place.lockstep("status", "staging")
    place.kubectl("create", "namespace", name)
    hand = Hand(tiny, place.kubectl)
    thread = threading.Thread(target=hand.follow, daemon=True)
    try:
        place.lockstep("stage", "staging", "1.0.1")
        thread.start()
        yield place
    finally:
        hand.stop.set()
        thread.join(30)
        place.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def serving(place: Place) -> Place:
    """1.0.1 serves."""
    assert "release 1.0.1 is ready in staging" in place.lockstep("stage", "staging", "1.0.1", "--wait=120")
    said = place.lockstep("promote", "staging", "1.0.1", "--wait=90")
    assert "release 1.0.1 serves in staging" in said
    assert "has not answered yet" in said or "is not in the cluster" in said
    return place


def test_status_shows_that_the_cluster_holds_what_git_says(serving: Place) -> None:
    found = serving.status()

    assert found["settled"], found
    assert found["front"]["root"] == found["front"]["git_root"]
    assert len(found["front"]["ready_pods"]) == 1
    assert {one["condition"] for one in found["instances"]} == {"warm"}
    assert all("@sha256:" in image for one in found["instances"] for image in one["image_ids"])
    assert [one["answer"] for one in found["gates"]] == ["passed"]
    assert found["notes"] == []


def test_a_hand_at_the_front_is_drift_with_its_field(serving: Place) -> None:
    patch = '{"spec":{"selector":{"color":"green"}},"metadata":{"labels":{"an":"agents"}}}'
    serving.kubectl("patch", "service", "front", f"--patch={patch}")

    found = serving.status()

    serving.kubectl("patch", "service", "front", '--patch={"spec":{"selector":{"color":null}}}')
    assert found["front"]["drift"] == ["Service front: spec.selector.color is green, Git says absent"]
    assert not found["settled"]
    assert serving.status()["settled"]


def test_an_image_that_was_not_pushed_stops_stage_before_its_commit(serving: Place) -> None:
    serving.tiny.replace("components/model/src/model.py", "import os", "import os  # another image")
    serving.release("1.1.0", push=False)
    tip = serving.tiny.git("rev-parse", "HEAD")

    said = serving.lockstep("stage", "staging", "1.1.0", code=1)

    assert "preflight/image" in said
    assert "lockstep push 1.1.0" in said
    assert serving.tiny.git("rev-parse", "HEAD") == tip


def test_waiting_says_that_an_image_cannot_be_pulled_and_promote_refuses(serving: Place) -> None:
    said = serving.lockstep("stage", "staging", "1.1.0", "--despite", "to see it fail", "--wait=20", code=1)
    refused = serving.lockstep("promote", "staging", "1.1.0", code=1)

    assert "cluster/image" in said
    assert "cannot be pulled" in said
    assert "Lockstep-Despite: to see it fail" in serving.tiny.git("log", "-1", "--format=%B", "HEAD")
    assert "preflight/image" in refused
    assert "preflight/warm" in refused
    assert {one["condition"] for one in serving.status()["instances"]} >= {"warm", "failing"}


def test_what_was_pushed_later_is_waited_for_promoted_and_taken_back(serving: Place) -> None:
    serving.lockstep("push", "1.1.0")

    ready = serving.lockstep("stage", "staging", "1.1.0", "--wait=200")
    serving.lockstep("promote", "staging", "1.1.0", "--wait=90")
    back = serving.lockstep("rollback", "staging", "--wait=60")

    assert "is ready in staging" in ready
    assert "release 1.0.1 serves in staging" in back
    assert serving.status()["front"]["release"] == "1.0.1"


@pytest.mark.soak
def test_a_crash_is_said_with_its_exit_code_and_last_words(serving: Place) -> None:
    serving.tiny.replace("components/model/src/model.py", "import http.server", "raise SystemExit('no MODEL here')")
    serving.release("1.2.0")

    said = serving.lockstep("stage", "staging", "1.2.0", "--wait=25", code=1)

    assert "cluster/crash" in said
    assert "exit code 1" in said
    assert "said: no MODEL here" in said


@pytest.mark.soak
def test_what_finds_no_node_is_refused_and_says_what_would_make_room(serving: Place) -> None:
    serving.tiny.git("checkout", "-q", "v1.1.0", "--", "components/model/src/model.py")
    serving.tiny.replace("components/model/component.yaml", "description: Knows.", "description: Knows.\ngrace: 20")
    serving.release("1.3.0")
    serving.bind(model={"resources": {"cpu": "64"}})

    said = serving.lockstep("stage", "staging", "1.3.0", code=1)

    assert "preflight/capacity" in said
    assert "asks for cpu 64" in said
    serving.bind()


@pytest.mark.soak
def test_a_pod_fewer_than_what_serves_stops_a_promote_and_a_reason_goes_on(serving: Place) -> None:
    serving.lockstep("stage", "staging", "1.3.0", "--wait=120")
    old = served_model(serving)
    path = f"releases/staging/instances/{old}.yaml"
    serving.tiny.replace(path, "replicas: 1", "replicas: 2")
    serving.tiny.commit("two pods")
    serving.kubectl("wait", "--for=jsonpath={.spec.replicas}=2", f"deployment/{old}", "--timeout=30s")
    serving.kubectl("wait", "--for=condition=Available", f"deployment/{old}", "--timeout=60s")
    serving.kubectl("rollout", "status", f"deployment/{old}", "--timeout=60s")

    said = serving.lockstep("promote", "staging", "1.3.0", code=1)

    assert "preflight/warm" in said
    assert f"{old} which it replaces has 2" in said


@pytest.mark.soak
def test_retire_refuses_while_the_cluster_still_serves_what_goes(serving: Place) -> None:
    serving.lockstep("promote", "staging", "1.3.0", "--despite", "one pod is enough", "--wait=60")
    serving.kubectl("get", "service", "front")
    behind = json.dumps({"metadata": {"annotations": {"lockstep.dev/serves": ",".join(serving.instances("model"))}}})
    serving.kubectl("patch", "service", "front", f"--patch={behind}")

    said = serving.lockstep("retire", "staging", code=1)

    assert "retire/front" in said


@pytest.fixture
def one_gpu(place: Place) -> Iterator[str]:
    """The node with one GPU that is not there: an extended resource is a number that the scheduler counts."""
    node = place.kubectl("get", "nodes", "--output=jsonpath={.items[0].metadata.name}")
    path = "/status/capacity/nvidia.com~1gpu"
    how = ("--subresource=status", "--type=json")
    place.kubectl(
        "patch", "node", node, *how, json.dumps([{"op": "add", "path": path, "value": "1"}]).join(["--patch=", ""])
    )
    yield node
    place.kubectl("patch", "node", node, *how, json.dumps([{"op": "remove", "path": path}]).join(["--patch=", ""]))


@pytest.mark.soak
@pytest.mark.usefixtures("one_gpu")
def test_what_does_not_fit_twice_is_swapped_forth_and_back(serving: Place) -> None:
    place = serving
    place.tiny.write("components/front-door/src/front_door_gate.py", PATIENT_GATE)
    place.tiny.replace("components/model/component.yaml", "kind: service", "kind: service\nconfig: {SWAP: a}")
    place.bind(model={"resources": {"cpu": "10m", "memory": "48Mi", "gpu": 1}})
    place.release("1.4.0")
    place.lockstep("stage", "staging", "1.4.0", "--wait=120")
    place.lockstep("promote", "staging", "1.4.0", "--wait=60")
    old = served_model(place)
    place.tiny.replace("components/model/component.yaml", "{SWAP: a}", "{SWAP: b}")
    place.release("1.5.0")

    refused = place.lockstep("stage", "staging", "1.5.0", code=1)
    staged = place.lockstep("stage", "staging", "1.5.0", "--swap", "model", "--prefetch", "--wait=60")
    unswapped = place.lockstep("promote", "staging", "1.5.0", code=1)
    forth = place.lockstep("promote", "staging", "1.5.0", "--swap", "model", "--wait=120")
    new = served_model(place)
    between = {one["id"]: one["condition"] for one in place.status()["instances"]}
    back = place.lockstep("rollback", "staging", "--wait=120")

    assert "--swap model" in refused
    assert "asks for nvidia.com/gpu 1, 0 free" in refused
    assert "prefetched 1.5.0" in staged
    assert place.kubectl("get", "pods", "--selector=lockstep.dev/prefetch", "--output=name") == ""
    assert "promote/standby" in unswapped
    assert "every request that needs model fails, for about" in forth
    assert (between[old], between[new]) == ("standby", "warm")
    assert "cost:" in back
    assert served_model(place) == old


def served_model(place: Place) -> str:
    text = (place.tiny.folder / "releases/staging/front/front.yaml").read_text(encoding="utf-8")
    serves = yaml.safe_load(text)["metadata"]["annotations"]["lockstep.dev/serves"]
    return next(one for one in serves.split(",") if one.startswith("model-"))


def test_a_cluster_that_cannot_be_reached_is_an_outside_failure_and_a_wrong_file_is_usage(
    serving: Place, tmp_path: Path
) -> None:
    config = yaml.safe_load(serving.cluster.kubeconfig.read_text(encoding="utf-8"))
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    away = tmp_path / "away"
    away.write_text(yaml.safe_dump(config), encoding="utf-8")

    said = serving.lockstep("status", "staging", "--kubeconfig", str(away), code=3)

    assert "cannot read" in said
    assert "kubectl cluster-info" in said
    assert "not a kubeconfig" in serving.lockstep("status", "staging", "--kubeconfig", str(tmp_path / "no"), code=2)
