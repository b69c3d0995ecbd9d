"""Lockstep beside what most teams do, in one run: same components, same load, same cluster.

`helm upgrade --rollback-on-failure` and Argo CD, both with a plain rolling chart; Lockstep with Argo CD and with Flux.
The model of every release takes 3, 10 or 30 s to start. The table goes to docs/side-by-side.md.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from cluster.agents import notify
from cluster.running import Running
from demo.answers import Answer, failed, last_began, mixed
from kit.agents import helm
from kit.api import Api, Object
from kit.bundle import Bundle, Release, Variant
from kit.load import Load
from kit.plain import plain_mixed, plain_values
from kit.stage import SECOND, Stage, opened

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
HERE = Path(__file__).resolve().parent
RESULTS = HERE.parents[1] / ".lockstep" / "side-by-side.json"
STARTS = (3, 10, 30)
RATE = 60.0
LATE_SECONDS = 5.0
_ARGO = "/apis/argoproj.io/v1alpha1/namespaces/argocd"


@dataclass(frozen=True)
class Row:
    """What one contender did in one run.

    Args:
        contender: Who.
        start_seconds: How long the model takes to start.
        forward_seconds: From the order to the last answer of the old release.
        back_seconds: From the order to go back to the last answer of the new release.
        requests: All.
        failed: Without a whole, good answer.
        mixed: Made by more than one release.
    """

    contender: str
    start_seconds: int
    forward_seconds: float
    back_seconds: float
    requests: int
    failed: int
    mixed: int


@pytest.mark.parametrize("seconds", STARTS)
def test_lockstep(stage: Stage, seconds: int) -> None:
    """Stage, warm, promote; then a plain revert. Forward counts from the push of the stage."""
    old, new = (stage.bundle.release(variant) for variant in _variants(seconds))
    with opened(stage, old):
        forward = stage.mark("forward")
        commit = stage.serve(new)
        stage.hold(LATE_SECONDS, "late answers")
        back = stage.revert(commit)
        stage.until_front(old)
        stage.hold(LATE_SECONDS, "late answers")
        gone, returned = stage.answered_until(old, forward), stage.answered_until(new, back)
        between = [answer for answer in stage.load.answers if forward < answer.began_ns < back]
        forward_seconds = (last_began(between, stage.root(old), forward) - forward) / SECOND
    assert gone >= forward_seconds
    answers = stage.load.answers
    counts = (len(answers), len(failed(answers)), len(mixed(answers, stage.closures)))
    _note(Row(f"Lockstep, {stage.agent}", seconds, forward_seconds, returned, *counts))
    assert counts[1:] == (0, 0)


@pytest.mark.parametrize("seconds", STARTS)
@pytest.mark.parametrize("contender", ["helm upgrade --rollback-on-failure", "Argo CD, plain chart"])
def test_plain(cluster: Running, api: Api, bundle: Bundle, tmp_path: Path, contender: str, seconds: int) -> None:
    """An upgrade and the way back with the plain chart; nothing is asserted but that it gets there."""
    namespace = f"plain-{'helm' if contender.startswith('helm') else 'argocd'}-{seconds}"
    old, new = _values(bundle, seconds)
    made = _Helm if contender.startswith("helm") else _ArgoCD
    plain = made(cluster, api, namespace, tmp_path)
    api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    try:
        plain.first(old)
        address = api.ask("GET", f"/api/v1/namespaces/{namespace}/services/root")["spec"]["clusterIP"]
        with Load(f"http://{address}", tmp_path / "answers.jsonl", RATE) as load:
            plain.until(lambda: len(load.answers) > RATE, "the load runs")
            forward = time.monotonic_ns()
            plain.forward(new)
            time.sleep(LATE_SECONDS)
            back = time.monotonic_ns()
            plain.back(old)
            time.sleep(LATE_SECONDS)
    finally:
        plain.forget()
        api.delete(f"/api/v1/namespaces/{namespace}")
    answers = load.answers
    asked = [answer for answer in answers if not answer.lines]
    first = _last_with("old", [answer for answer in asked if answer.began_ns < back], forward)
    last = _last_with("new", asked, back)
    counts = (len(answers), len(failed(answers)), len(plain_mixed(answers)))
    _note(Row(contender, seconds, (first - forward) / SECOND, (last - back) / SECOND, *counts))


class _Plain:
    """One plain chart in one namespace."""

    def __init__(self, cluster: Running, api: Api, namespace: str, home: Path) -> None:
        self.cluster, self.api, self.namespace, self.home = cluster, api, namespace, home

    def until(self, holds: Callable[[], object], what: str, seconds: float = 180.0) -> None:
        """Returns once something holds."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
            time.sleep(0.2)

    def rolled(self, generation: str) -> bool:
        """Whether every Deployment asks for a generation and has rolled."""
        items = self.api.items(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")
        return bool(items) and all(_is_rolled(item, generation) for item in items)


class _Helm(_Plain):
    def first(self, values: Object) -> None:
        self._upgrade(values)

    def forward(self, values: Object) -> None:
        self._upgrade(values)

    def back(self, _: Object) -> None:
        helm(self.cluster, "rollback", "plain", "1", "--namespace", self.namespace, "--wait", "--timeout=3m")

    def forget(self) -> None:
        helm(self.cluster, "uninstall", "plain", "--namespace", self.namespace, "--ignore-not-found")

    def _upgrade(self, values: Object) -> None:
        file = self.home / "values.yaml"
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        options = ("--namespace", self.namespace, "--wait", "--timeout=3m", "--rollback-on-failure")
        helm(self.cluster, "upgrade", "--install", "plain", str(HERE / "plain"), "--values", str(file), *options)


class _ArgoCD(_Plain):
    def first(self, values: Object) -> None:
        self._git("init", "--quiet", "--initial-branch=main", ".")
        shutil.copytree(HERE / "plain", self._folder / "plain")
        self._commit(values)
        self._allow()
        self.api.ask("POST", f"{_ARGO}/applications", self._application())
        self.until(lambda: self.rolled("old"), "the first release is rolled out")

    def forward(self, values: Object) -> None:
        self._commit(values)
        self._tell("new")

    def back(self, _: Object) -> None:
        self._git("revert", "--no-edit", "HEAD")
        self._tell("old")

    def forget(self) -> None:
        for kind in ("applications", "appprojects"):
            self.api.delete(f"{_ARGO}/{kind}/{self.namespace}")

    def _tell(self, generation: str) -> None:
        notify(self.cluster, "argocd", self._url)
        self.until(lambda: self.rolled(generation), f"{generation} is rolled out")

    def _commit(self, values: Object) -> None:
        (self._folder / "plain" / "values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message=values")

    def _git(self, *arguments: str) -> None:
        self._folder.mkdir(exist_ok=True)
        who = ("-c", "user.name=Scenario", "-c", "user.email=scenario@localhost")
        subprocess.run(["git", *who, *arguments], cwd=self._folder, check=True, capture_output=True)

    def _allow(self) -> None:
        """The Argo CD of this cluster acts as an account that a project names; here one that may do everything."""
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        subject = {"kind": "ServiceAccount", "name": "default", "namespace": self.namespace}
        binding = {"metadata": {"name": "plain"}, "roleRef": role, "subjects": [subject]}
        self.api.ask("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}/rolebindings", binding)
        place = {"server": "https://kubernetes.default.svc", "namespace": self.namespace}
        project = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": self.namespace, "namespace": "argocd"},
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [place],
                "destinationServiceAccounts": [{**place, "defaultServiceAccount": "default"}],
            },
        }
        self.api.ask("POST", f"{_ARGO}/appprojects", project)

    def _application(self) -> Object:
        destination = {"server": "https://kubernetes.default.svc", "namespace": self.namespace}
        policy = {
            "automated": {"enabled": True, "prune": True, "selfHeal": True},
            "syncOptions": ["ServerSideApply=true"],
            "retry": {"limit": -1, "refresh": True},
        }
        source = {"repoURL": self._url, "targetRevision": "main", "path": "plain"}
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": self.namespace, "namespace": "argocd"},
            "spec": {"project": self.namespace, "source": source, "destination": destination, "syncPolicy": policy},
        }

    @property
    def _folder(self) -> Path:
        return self.home / "repository"

    @property
    def _url(self) -> str:
        return f"file://{self._folder}/.git"


def _is_rolled(deployment: Object, generation: str) -> bool:
    variables = {item["name"]: item.get("value", "") for item in _container(deployment)["env"]}
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
    counts = [status.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "replicas")]
    return variables["LOCKSTEP_INSTANCE"].endswith(f"-{generation}") and seen and counts == [wanted] * 3


def _container(deployment: Object) -> Object:
    return dict(deployment["spec"]["template"]["spec"]["containers"][0])


def _variants(seconds: int) -> tuple[Variant, Variant]:
    config = {"model": {"START_SECONDS": str(seconds)}}
    return Variant(f"starts-{seconds}-a", config), Variant(f"starts-{seconds}-b", config, code="the other")


def _values(bundle: Bundle, seconds: int) -> tuple[Object, Object]:
    """Values of the plain chart for both releases."""
    releases = tuple(bundle.release(variant) for variant in _variants(seconds))
    name = f"source-{seconds}"
    bundle.environment(name, "none")
    for release in releases:
        bundle.lockstep("stage", name, release.version)
    return _of(bundle, name, releases[0], "old"), _of(bundle, name, releases[1], "new")


def _of(bundle: Bundle, name: str, release: Release, generation: str) -> Object:
    return plain_values(bundle.objects(name), bundle.closure(name, release)[1], generation)


def _last_with(generation: str, answers: list[Answer], after_ns: int) -> int:
    """When the last answer began in which a generation took part; `after_ns` if there was none."""
    took_part = (
        answer.began_ns
        for answer in answers
        if answer.began_ns > after_ns and any(name.endswith(generation) for name in answer.served_by.values())
    )
    return max(took_part, default=after_ns)


def _note(row: Row) -> None:
    """Adds a row to .lockstep/side-by-side.json."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known[f"{row.contender} / {row.start_seconds}"] = row.__dict__
    RESULTS.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
