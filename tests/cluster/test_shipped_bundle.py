"""The bundle of this repository as people get it: released on a base image, pushed, staged, asked by its gate, served.

No agent: `kubectl apply` of the literal files, so that what fails here is an image, an object or a program.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from cluster.running import Running

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "components/gateway/tests/pages/invoice.png"
pytestmark = pytest.mark.timeout(400)  # the first test builds, pushes and starts everything
COMPONENTS = ("embedding", "gateway", "llm", "ocr", "summarizer")
BINDINGS = {
    "weights": "copy",  # the scenarios mount them
    "components": {name: {"resources": {"cpu": "20m"}} for name in COMPONENTS},  # two releases fit two cores
}


@dataclass(frozen=True)
class Served:
    """The bundle in a clone and in a namespace, with release 1.0.0 at its front."""

    cluster: Running
    folder: Path
    namespace: str
    pushes: tuple[dict[str, Any], ...] = ()

    def lockstep(self, *words: str) -> str:
        return said(self.folder, sys.executable, "-m", "lockstep.cli.main", *words)

    def kubectl(self, *words: str) -> str:
        access = (f"--kubeconfig={self.cluster.kubeconfig}", f"--namespace={self.namespace}")
        return said(self.folder, str(self.cluster.programs / "kubectl"), *access, *words)

    def apply(self, *folders: str) -> None:
        """Creates or changes what the files say, as an agent would."""
        files = [f"--filename=releases/production/{name}" for name in folders]
        self.kubectl("apply", "--server-side", *files)

    @property
    def address(self) -> str:
        return self.kubectl("get", "service", "front", "--output=jsonpath={.spec.clusterIP}")

    @property
    def root(self) -> str:
        front = yaml.safe_load((self.folder / "releases/production/front/front.yaml").read_text(encoding="utf-8"))
        return str(front["spec"]["selector"]["lockstep.dev/instance"])

    def pods(self, instance: str) -> list[str]:
        return self.kubectl("get", "pods", f"--selector=lockstep.dev/instance={instance}", "--output=name").split()


def said(folder: Path, *command: str) -> str:
    """Standard output of a program that must succeed."""
    environment = {"PYTHONPATH": f"{TOP / 'tools'}", "PATH": "/usr/bin:/bin:/usr/local/bin", "LOCKSTEP_PLAIN_HTTP": "1"}
    who = {f"GIT_{role}_{part}": "t@t.test" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    done = subprocess.run(
        command, cwd=folder, env={**environment, **who}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def served(cluster: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    name = f"shipped-{uuid.uuid4().hex[:6]}"
    bundle = Served(cluster, clone(cluster, tmp_path_factory.mktemp("shipped") / "bundle", name), name)
    bundle.lockstep("release", "1.0.0")
    pushes = tuple(json.loads(bundle.lockstep("push", "1.0.0", "-o", "json")) for _ in range(2))
    bundle.lockstep("stage", "production", "1.0.0")
    bundle.kubectl("create", "namespace", name)
    bundle.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    try:
        bundle.apply("policies", "instances")
        bundle.kubectl("wait", "--for=condition=Available", "deployment", "--all", "--timeout=120s")
        bundle.lockstep("promote", "production", "1.0.0")
        bundle.apply("front/gate.yaml")
        bundle.kubectl("wait", "--for=condition=Complete", f"job/gate-{bundle.root}", "--timeout=60s")
        bundle.apply("front")
        until_answered(bundle.address)
        yield Served(cluster, bundle.folder, name, pushes)
    finally:
        bundle.kubectl("delete", "namespace", name, "--wait=false")


def clone(cluster: Running, folder: Path, name: str) -> Path:
    """This repository's last commit, with the cluster's registry and base image; its wheels are shared with the top."""
    said(TOP, "git", "clone", "--quiet", "--no-tags", str(TOP), str(folder))
    path = folder / "lockstep.yaml"
    bundle = yaml.safe_load(path.read_text(encoding="utf-8"))
    bundle |= {"registry": f"{cluster.registry}/{name}", "platform": {**bundle["platform"], "base": cluster.base}}
    path.write_text(json.dumps(bundle, indent=1), encoding="utf-8")
    bindings = folder / "releases/production/bindings.yaml"
    bindings.parent.mkdir(parents=True, exist_ok=True)
    bindings.write_text(json.dumps(BINDINGS, indent=1), encoding="utf-8")
    shutil.rmtree(folder / ".lockstep", ignore_errors=True)
    (folder / ".lockstep").mkdir()
    (TOP / ".lockstep/cache").mkdir(parents=True, exist_ok=True)
    (folder / ".lockstep/cache").symlink_to(TOP / ".lockstep/cache")
    said(folder, "git", "checkout", "--quiet", "-B", "main")
    said(folder, "git", "add", "lockstep.yaml", "releases/production/bindings.yaml")
    said(folder, "git", "commit", "--quiet", "-m", "for the cluster")
    said(folder, "git", "tag", "v1.0.0")
    return folder


@dataclass(frozen=True)
class Answer:
    """Status, release and makers of one answer; `began` and `ended` in seconds of the machine's clock."""

    began: float
    ended: float
    status: int
    release: str
    served_by: tuple[tuple[str, str], ...]
    closes: bool


def ask(connection: http.client.HTTPConnection) -> Answer:
    began = time.monotonic()
    connection.request("POST", "/documents", PAGE.read_bytes(), {"content-type": "image/png"})
    response = connection.getresponse()
    body = json.loads(response.read())
    headers = response.headers
    served_by = tuple(sorted((body.get("served_by") or {}).items()))
    release, closes = headers.get("x-lockstep-release", ""), headers.get("connection") == "close"
    return Answer(began, time.monotonic(), response.status, release, served_by, closes)


def ask_once(address: str) -> Answer:
    with contextlib.closing(http.client.HTTPConnection(address, timeout=20)) as connection:
        return ask(connection)


def until_answered(address: str) -> None:
    """Returns once kube-proxy knows a Service that was made a moment ago."""
    deadline = time.monotonic() + 20
    while True:
        try:
            ask_once(address)
        except OSError:
            assert time.monotonic() < deadline, f"nobody answers at {address}"
            time.sleep(0.2)
        else:
            return


class Load:
    """Clients that ask one after the other as long as the block lasts: some keep their connection, one never does."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: list[Answer] = []
        self.errors: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(keeps,)) for keeps in (True, True, False)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, keeps: bool) -> None:  # noqa: FBT001 - a thread's argument
        connection = http.client.HTTPConnection(self.address, timeout=20)
        while not self._stop.wait(0.1):
            try:
                answer = ask(connection)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.errors.append(f"{type(error).__name__}: {error}")
                connection.close()
                continue
            self.answers.append(answer)
            if answer.closes or not keeps:
                connection.close()
        connection.close()


def test_a_pushed_bundle_is_sent_once(served: Served) -> None:
    first, second = served.pushes

    assert first["sent_bytes"] > 1_000_000
    assert second["sent_bytes"] == 0
    assert all(image["present"] == image["blobs"] for image in second["images"])


def test_the_shipped_bundle_answers_as_one_release(served: Served) -> None:
    answer = ask_once(served.address)

    assert answer.status == 200
    assert answer.release == served.root
    assert [name for name, _ in answer.served_by] == list(COMPONENTS)
    staged = {path.stem for path in (served.folder / "releases/production/instances").iterdir()}
    assert {instance for _, instance in answer.served_by} == staged


def test_weights_are_copied_byte_for_byte_and_nothing_can_be_written_beside_tmp(served: Served) -> None:
    lock = yaml.safe_load((served.folder / "components/ocr/weights.lock").read_text(encoding="utf-8"))
    ocr = next(path.stem for path in (served.folder / "releases/production/instances").glob("ocr-*.yaml"))
    (pod,) = served.pods(ocr)
    script = "sha256sum /lockstep/weights/* && id -u && touch /tmp/x && ! touch /lockstep/weights/x /app/x /x 2>&1"

    shown = served.kubectl("exec", pod, "--", "sh", "-c", script)

    sums = {line.split()[1].rpartition("/")[2]: f"sha256:{line.split()[0]}" for line in shown.splitlines()[:1]}
    assert sums == {file["name"]: file["sha256"] for file in lock["files"]}
    assert shown.splitlines()[1] == "65532"
    assert shown.count("Read-only file system") == 3


def test_a_promote_and_its_revert_fail_no_request_and_keep_alive_clients_follow(served: Served) -> None:
    """The next release changes a prompt: two instances more, the models are shared."""
    old = served.root
    prompt = served.folder / "components/summarizer/prompts/summary.prompt"
    prompt.write_text(prompt.read_text(encoding="utf-8") + "Keep it short.\n", encoding="utf-8")
    said(served.folder, "git", "commit", "--quiet", "--all", "-m", "prompt")
    said(served.folder, "git", "tag", "v1.1.0")
    for words in (("release", "1.1.0"), ("push", "1.1.0"), ("stage", "production", "1.1.0")):
        served.lockstep(*words)
    served.apply("policies", "instances")
    served.kubectl("wait", "--for=condition=Available", "deployment", "--all", "--timeout=120s")
    served.lockstep("promote", "production", "1.1.0")
    served.apply("front/gate.yaml")
    served.kubectl("wait", "--for=condition=Complete", f"job/gate-{served.root}", "--timeout=60s")

    moved = []
    with Load(served.address) as load:
        time.sleep(2)
        for left in (old, served.root):
            served.apply("front")
            moved.append((left, time.monotonic()))
            time.sleep(4)
            if left == old:
                said(served.folder, "git", "revert", "--no-edit", "HEAD")

    assert load.errors == []
    assert {answer.status for answer in load.answers} == {200}
    assert served.root == old
    makers = {(answer.release, answer.served_by) for answer in load.answers}
    assert len(makers) == 2, "each root answers with one set of instances"
    for left, at in moved:
        late = max(
            (one.began - at for one in load.answers if one.release == left and 0 < one.began - at < 3.9), default=0
        )
        assert late < 2, f"{left} still answered {late:.1f} s after the front had left it"


def test_a_deleted_pod_of_two_drops_no_request(served: Served) -> None:
    root = served.root
    summarizer = dict(ask_once(served.address).served_by)["summarizer"]
    served.kubectl("scale", "deployment", root, summarizer, "--replicas=2")
    for name in (root, summarizer):
        served.kubectl("rollout", "status", f"deployment/{name}", "--timeout=90s")

    with Load(served.address) as load:
        for name in (root, summarizer):
            time.sleep(1)
            served.kubectl("delete", served.pods(name)[0], "--timeout=60s")

    assert load.errors == []
    assert {answer.status for answer in load.answers} == {200}
