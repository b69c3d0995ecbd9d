"""The charts under the real helm: clean, exactly the literal objects, and enough by themselves to stage and promote."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.agents import AGENTS
from cluster.running import Running
from kit.agents import HELM
from kit.api import Api
from kit.bundle import Bundle
from kit.stage import Stage
from kit.variants import BASE, NEXT
from operating import TOP, Cluster, Object, documents, gitops_values, rendered
from tiny import Tiny, good_tree

GITOPS = TOP / "charts" / "gitops"
FOLDERS = {
    "all": ("policies", "instances", "gates", "front"),
    "instances": ("policies", "instances"),
    "front": ("gates", "front"),
}
_AWKWARD = '{{ .Values.part }} ${HOME} {% raw %} {{- fail "evaluated" -}}\n---\nkind: Secret\n'


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A bundle whose environment `staging` holds every kind and an older release; a prompt looks like a template."""
    tiny = good_tree(tmp_path_factory.mktemp("helm") / "tiny")
    tiny.write("components/front-door/prompts/answer.prompt", _AWKWARD)
    component = "components/front-door/component.yaml"
    plain = (tiny.folder / component).read_text(encoding="utf-8")
    tiny.write(component, f"{plain}autoscale: {{max: 3, cpu: 80}}\n")
    tiny.commit("a prompt that looks like a template, and an autoscaler")
    tiny.tag("1.2.0")
    tiny.release("1.2.0")
    tiny.serve("1.2.0")
    return tiny


def helm(cluster: Running, *command: str) -> str:
    """What helm printed; it must succeed."""
    return Cluster(cluster).program("helm", *command)


def _named(item: Object) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


@pytest.mark.parametrize("part", FOLDERS)
def test_template_yields_exactly_the_literal_objects(cluster: Running, tree: Tiny, part: str) -> None:
    folder = tree.folder / "releases" / "staging"
    literal = [
        item for name in FOLDERS[part] for path in sorted((folder / name).glob("*.yaml")) for item in documents(path)
    ]

    given = rendered(Cluster(cluster).program, folder, "--set", f"part={part}")

    assert literal
    assert sorted(given, key=_named) == sorted(literal, key=_named)
    prompts = [item["data"] for item in given if item["kind"] == "ConfigMap"]
    assert ({"answer.prompt": _AWKWARD} in prompts) is (part != "front")


def test_lint_finds_nothing_in_an_environment(cluster: Running, tree: Tiny) -> None:
    said = helm(cluster, "lint", "--strict", str(tree.folder / "releases" / "staging"))

    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


@pytest.mark.parametrize("follower", AGENTS)
def test_lint_finds_nothing_in_gitops(cluster: Running, follower: str) -> None:
    said = helm(cluster, "lint", "--strict", str(GITOPS), *gitops_values(follower, "staging"))

    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


def test_lint_finds_nothing_in_gitops_as_it_is(cluster: Running) -> None:
    said = helm(cluster, "lint", "--strict", str(GITOPS))

    assert "[WARNING]" not in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "environment=staging"], "repository.url is not set; fix: --set repository.url="),
        (["--set", "bundle=", "--set", "repository.url=https://a/b"], "bundle is not set; fix: --set bundle=NAME"),
        (["--set", "repository.url=https://a/b", "--set", "flux.poll=1m"], "/flux"),
        (["--set", "repository.url=https://a/b", "--set", "agent=flux", "--set", "argocd.namespace=x"], "/argocd"),
        (["--set", "repository.url=https://a/b", "--set", "agent=flux", "--set", "flux.poll=1 minute"], "/flux/poll"),
        (["--set", "repository.url=https://a/b", "--set", "repository.path=/absolute"], "/repository/path"),
        (["--set", "repository.url=https://a/b", "--set", "colour=red"], "colour"),
    ],
)
def test_gitops_refuses_what_would_be_ignored_or_is_missing(cluster: Running, options: list[str], said: str) -> None:
    with pytest.raises(AssertionError, match="Error") as caught:
        helm(cluster, "template", "x", str(GITOPS), *options)

    assert said in str(caught.value)


@pytest.mark.parametrize("follower", AGENTS)
def test_gitops_lets_an_agent_write_only_what_an_environment_holds(cluster: Running, tree: Tiny, follower: str) -> None:
    kinds = yaml.safe_load((GITOPS / "kinds.yaml").read_text(encoding="utf-8"))
    held = rendered(Cluster(cluster).program, tree.folder / "releases" / "staging")

    made = rendered(Cluster(cluster).program, GITOPS, *gitops_values(follower, "staging"))

    assert {item["kind"] for item in held} == {each["kind"] for each in kinds}
    written = {resource for rule in _one(made, "Role")["rules"] for resource in rule["resources"]}
    assert written == {each["resource"] for each in kinds} | ({"kustomizations"} if follower == "flux" else set())
    if follower == "argocd":
        project = _one(made, "AppProject")["spec"]
        assert [each["kind"] for each in project["namespaceResourceWhitelist"]] == [each["kind"] for each in kinds]
        assert project["clusterResourceWhitelist"] == []


def test_gitops_of_two_environments_share_no_name(cluster: Running) -> None:
    made = [
        (_named(item), item["metadata"].get("namespace"))
        for follower in AGENTS
        for name in ("staging", "production")
        for item in rendered(Cluster(cluster).program, GITOPS, *gitops_values(follower, f"{name}-{follower}"))
    ]

    assert [name for name, count in Counter(made).items() if count > 1] == []


def test_gitops_of_flux_names_what_the_environment_names(cluster: Running, tmp_path: Path) -> None:
    tiny = good_tree(tmp_path / "tiny")
    tiny.replace(
        "lockstep.yaml", "staging: {prereleases: true}", "staging: {prereleases: true, agent: flux, namespace: apart}"
    )
    tiny.commit("another agent")
    tiny.serve("1.1.0")
    values = {"bundle": "tiny", "namespace": "apart", "repository.path": ""}

    made = rendered(Cluster(cluster).program, GITOPS, *gitops_values("flux", "staging", **values))

    folder = tiny.folder / _one(made, "Kustomization")["spec"]["path"]
    told = [item for path in sorted(folder.glob("*.yaml")) for item in documents(path)]
    assert told
    source, account = _one(made, "GitRepository"), _one(made, "ServiceAccount")
    for item in told:
        assert item["metadata"]["namespace"] == source["metadata"]["namespace"] == account["metadata"]["namespace"]
        assert item["spec"]["sourceRef"] == {"kind": "GitRepository", "name": source["metadata"]["name"]}
        assert item["spec"]["serviceAccountName"] == account["metadata"]["name"]


def test_helm_alone_stages_first_and_promotes_after(cluster: Running, api: Api, bundle: Bundle, tmp_path: Path) -> None:
    stage = Stage(cluster, api, bundle, HELM, "helm-alone", tmp_path)
    base, new = bundle.release(BASE), bundle.release(NEXT)

    with stage.opened(base):
        stage.stage(new)
        stage.until_ready(new)
        assert stage.front == stage.root(base)
        promoted = stage.promote(new)
        stage.until_front(new)
        stage.revert(promoted)
        stage.until_front(base)
        stage.same()


def _one(made: list[Object], kind: str) -> Any:
    [found] = [item for item in made if item["kind"] == kind]
    return found
