"""doctor: each rule about settings by exhibits that are broken in that one way; and what cannot be told is not fine."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fake_gitlab import JOB, OWN, REPORTER, FakeGitlab, serving_gitlab, well_set
from fakes import FakeRegistry
from lockstep.cli.main import main
from tiny import Tiny, set_identity, tiny_bundle

RULES = Path(__file__).resolve().parents[2] / "docs" / "rules.md"
LIMITED = {"minimum_access_level_for_push": "maintainer", "minimum_access_level_for_delete": "maintainer"}
FORGE = {
    "approval",
    "branch",
    "environment",
    "force",
    "jobpush",
    "merge",
    "pipelines",
    "push",
    "tags",
    "variable",
    "webhook",
}
Said = dict[str, Any]


@dataclass
class World:
    """A bundle, its GitLab and its registry, all of them as they should be, until a test breaks something."""

    tiny: Tiny
    gitlab: FakeGitlab
    registry: FakeRegistry
    patch: pytest.MonkeyPatch
    folder: Path
    capture: pytest.CaptureFixture[str]

    def doctor(self, *words: str) -> tuple[int, list[Said]]:
        """Exit code and checks."""
        self.capture.readouterr()
        code = main(["doctor", "-C", str(self.folder), "-o", "json", *words])
        return code, json.loads(self.capture.readouterr().out)["checks"]

    def item(self, path: str, number: int = -1) -> Said:
        """An item of one of GitLab's lists."""
        return self.gitlab.lists[path][number]

    def programs(self, **scripts: str) -> None:
        """A PATH with git and these programs alone."""
        folder = self.tiny.folder.parent / "bin"
        folder.mkdir()
        real = shutil.which("git")
        for name, text in {"git": f'exec {real} "$@"', **scripts}.items():
            (folder / name).write_text(f"#!/bin/sh\n{text.replace('GIT', str(real))}\n")
            (folder / name).chmod(0o755)
        self.patch.setenv("PATH", str(folder))

    def commit(self, path: str, text: str) -> None:
        self.tiny.write(path, text)
        self.tiny.commit("change")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The tiny bundle with owners."""
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        tiny = tiny_bundle(tmp_path_factory.mktemp("doctor") / "bundle")
        tiny.write(".gitlab/CODEOWNERS", "* @everybody\n[Releases]\n/releases/production/ @team/releasers\n")
        tiny.commit("owners")
    return tiny


@pytest.fixture
def world(
    tiny: Tiny, fake: FakeRegistry, host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[World]:
    """A clone of a project of GitLab, whose registry is GitLab's own; and a token that may read its settings."""
    for name in ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_PROJECT_PATH", "CI_JOB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCKSTEP_GITLAB_TOKEN", OWN)
    tiny.replace("lockstep.yaml", "registry: lockstep.local/tiny", f"registry: {host}/team/documents/images")
    tiny.commit("a registry")
    gitlab = well_set()
    gitlab.project["container_registry_image_prefix"] = f"{host}/team/documents"
    with serving_gitlab(gitlab) as api:
        tiny.git("remote", "add", "origin", f"{api.removesuffix('/api/v4')}/team/documents.git")
        yield World(tiny, gitlab, fake, monkeypatch, tiny.folder, capsys)


def shallow(world: World) -> None:
    world.folder = world.tiny.folder.parent / "shallow"
    world.tiny.git("clone", "-q", "--depth", "1", f"file://{world.tiny.folder}", str(world.folder))
    Tiny(world.folder).git("remote", "set-url", "origin", world.tiny.git("remote", "get-url", "origin"))


def far_weights(world: World) -> None:
    world.programs()
    world.tiny.write(
        ".dvc/config", world.tiny.read(".dvc/config") + "['remote \"far\"']\n    url = s3://bucket/weights\n"
    )


Break = Callable[[World], Any]
# Rule, how it is broken, and what is said of it.
EXHIBITS: list[tuple[str, Break, str]] = [
    ("branch", lambda w: w.gitlab.lists["protected_branches"].pop(), "no rule protects `main`"),
    ("force", lambda w: w.item("protected_branches").update(allow_force_push=True), "the rule `main` lets"),
    ("force", lambda w: w.item("protected_branches", 0).update(name="ma*", push_access_levels=[]), "rule `ma*` lets"),
    ("push", lambda w: w.item("protected_branches")["push_access_levels"].append({"access_level": 30}), "every dev"),
    ("approval", lambda w: w.item("protected_branches").update(code_owner_approval_required=False), "need not approve"),
    ("tags", lambda w: w.gitlab.lists["protected_tags"].clear(), "no rule protects a tag such as `v0.1.0`"),
    ("tags", lambda w: w.item("protected_tags").update(name="v1.*"), "no rule protects a tag such as `v0.1.0`"),
    ("tags", lambda w: w.item("protected_tags").update(create_access_levels=[{"access_level": 30}]), "every developer"),
    ("owners", lambda w: w.tiny.git("rm", "-q", ".gitlab/CODEOWNERS") + w.tiny.commit(), "there is no CODEOWNERS"),
    ("owners", lambda w: w.commit("CODEOWNERS", "*.md @team\n"), "nobody owns releases/production/front/front.yaml"),
    ("owners", lambda w: w.commit("CODEOWNERS", "* @all\n!Chart.yaml\n"), "nobody owns releases/production/Chart.yaml"),
    ("environment", lambda w: w.gitlab.lists["protected_environments"].clear(), "`production` is not protected"),
    ("environment", lambda w: w.item("protected_environments").update(deploy_access_levels=[{"access_level": 30}]),
     "every developer may deploy"),
    ("pipelines", lambda w: w.gitlab.project.update(only_allow_merge_if_pipeline_succeeds=False), "need not succeed"),
    ("pipelines", lambda w: w.gitlab.project.update(allow_merge_on_skipped_pipeline=True), "that was skipped"),
    ("merge", lambda w: w.gitlab.project.update(merge_method="rebase_merge"), "by a merge commit (`rebase_merge`)"),
    ("merge", lambda w: w.gitlab.project.update(squash_option="always"), "always squashed"),
    ("variable", lambda w: w.gitlab.lists["variables"].clear(), "LOCKSTEP_GIT_TOKEN is not among"),
    ("variable", lambda w: w.item("variables").update(masked=False), "is not masked"),
    ("variable", lambda w: w.item("variables").update(protected=False, masked=False), "not protected and not masked"),
    ("jobpush", lambda w: w.gitlab.project.update(ci_push_repository_for_job_token_allowed=True), "may push"),
    ("webhook", lambda w: w.gitlab.lists["hooks"].clear(), "no webhook leads to argocd"),
    ("webhook", lambda w: w.item("hooks").update(url="https://cd.example.org/api/webhooks?/api/webhook"), "no webhook"),
    ("webhook", lambda w: w.item("hooks").update(push_events=False), "not told of pushes"),
    ("webhook", lambda w: w.item("hooks").update(alert_status="disabled"), "turned it off"),
    ("webhook", lambda w: w.item("hooks").update(push_events_branch_filter="release/*"), "to `release/*` only"),
    ("webhook", lambda w: w.item("hooks").update(enable_ssl_verification=False), "believes every certificate"),
    ("immutable", lambda w: w.gitlab.lists["registry/protection/tag/rules"].clear(), "no rule covers"),
    ("immutable", lambda w: w.item("registry/protection/tag/rules").update(tag_name_pattern="^release-"), "no rule"),
    ("registry", lambda w: w.registry.refuses.update(HEAD=(403, b"")), "answered 403"),
    ("clone", shallow, "cut off"),
    ("git", lambda w: w.programs(git='[ "$1" = --version ] && echo git version 2.29.2 || exec GIT "$@"'), "2.29.2"),
    ("dvc", far_weights, "weights are in far"),
]  # fmt: skip


def rules(checks: list[Said], outcome: str) -> list[str]:
    return [one["rule"].removeprefix("doctor/") for one in checks if one["outcome"] == outcome]


def test_doctor_finds_nothing_where_all_is_set_and_changes_nothing(world: World) -> None:
    code, checks = world.doctor("--strict")

    assert code == 0
    assert {one["outcome"] for one in checks} == {"fine"}
    assert all(one["said"] and not one["fix"] for one in checks)
    assert {method for method, *_ in world.gitlab.requests} == {"GET"}
    assert {method for method, *_ in world.registry.requests} == {"HEAD"}


@pytest.mark.parametrize(("rule", "broken", "said"), EXHIBITS)
def test_doctor_finds_what_is_broken_and_nothing_else(world: World, rule: str, broken: Break, said: str) -> None:
    broken(world)

    code, checks = world.doctor()

    assert code == 1
    assert rules(checks, "finding") == [rule]
    assert rules(checks, "cannot be told") == []
    (one,) = [check for check in checks if check["outcome"] == "finding"]
    assert said in one["said"]
    assert one["fix"]
    assert one["where"]
    assert one["means"]


def test_every_rule_has_an_exhibit_and_is_documented() -> None:
    documented = re.findall(r"^\| `doctor/([a-z]+)` \|", RULES.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted({rule for rule, *_ in EXHIBITS}) == documented


@pytest.mark.parametrize("variables", [{}, {"CI_JOB_TOKEN": JOB}])
def test_without_a_token_of_its_own_nothing_of_the_forge_is_told(world: World, variables: dict[str, str]) -> None:
    world.patch.delenv("LOCKSTEP_GITLAB_TOKEN")
    for name, value in variables.items():
        world.patch.setenv(name, value)
        world.patch.setenv(
            "CI_API_V4_URL", f"{world.tiny.git('remote', 'get-url', 'origin').partition('/team')[0]}/api/v4"
        )
        world.patch.setenv("CI_PROJECT_ID", "42")

    code, checks = world.doctor()

    assert code == 0
    assert rules(checks, "finding") == []
    assert set(rules(checks, "cannot be told")) == FORGE | {"immutable"}
    assert world.gitlab.requests == []
    assert world.doctor("--strict")[0] == 1


@pytest.mark.parametrize(
    ("broken", "untold", "said"),
    [
        (lambda w: w.gitlab.refuses.update(protected_environments=404), {"environment"}, "answered 404"),
        (lambda w: w.gitlab.refuses.update({"registry/protection/tag/rules": 404}), {"immutable"}, "GitLab 18.7"),
        (lambda w: w.gitlab.lists.update(hooks=[{"url": 7, "push_events": "secret"}]), {"webhook"}, "0.url"),
        (lambda w: w.item("protected_branches").pop("code_owner_approval_required"), {"approval"}, "Premium"),
        (lambda w: w.gitlab.project.pop("ci_push_repository_for_job_token_allowed"), {"jobpush"}, "does not say"),
        (lambda w: w.gitlab.project.pop("merge_method"), {"merge"}, "does not say"),
        (lambda w: w.gitlab.project.pop("only_allow_merge_if_pipeline_succeeds"), {"pipelines"}, "does not say"),
        (lambda w: w.gitlab.project.pop("container_registry_image_prefix"), {"immutable"}, "no API that says so"),
        (lambda w: w.gitlab.roles.clear(), FORGE | {"immutable"}, "not asked"),
        (
            lambda w: setattr(w.gitlab, "number", 0) or setattr(w.gitlab, "name", "x/y"),
            FORGE | {"immutable"},
            "not asked",
        ),
    ],
)
def test_what_gitlab_does_not_tell_is_said_and_never_fine(
    world: World, broken: Break, untold: set[str], said: str
) -> None:
    broken(world)

    code, checks = world.doctor()

    assert code == 0
    assert set(rules(checks, "cannot be told")) == untold
    assert rules(checks, "finding") == []
    assert all(said in one["said"] and "secret" not in one["said"] for one in checks if one["outcome"] != "fine")
    assert world.doctor("--strict")[0] == 1


def test_a_role_that_may_not_see_settings_is_told_so(world: World) -> None:
    world.gitlab.roles[OWN] = REPORTER

    _, checks = world.doctor()

    untold = [one for one in checks if one["outcome"] == "cannot be told"]
    assert {one["rule"].removeprefix("doctor/") for one in untold} == (FORGE - {"jobpush", "merge", "pipelines"}) | {
        "immutable"
    }
    assert all("answered 403" in one["said"] for one in untold)


@pytest.mark.parametrize(
    ("pattern", "limits", "said"),
    [("release-|copier-", LIMITED, "few roles"), (".*", {}, "makes tags of releases immutable")],
)
def test_rules_of_several_forms_keep_tags_of_images(world: World, pattern: str, limits: Said, said: str) -> None:
    world.gitlab.lists["registry/protection/tag/rules"] = [{"tag_name_pattern": pattern, **limits}]

    (check,) = [one for one in world.doctor("--strict")[1] if one["rule"] == "doctor/immutable"]
    assert (check["outcome"], said in check["said"]) == ("fine", True)


def test_flux_is_told_by_its_own_address(world: World) -> None:
    world.tiny.replace("lockstep.yaml", "production: {}", "production: {agent: flux}")
    world.tiny.commit("flux")
    assert rules(world.doctor()[1], "finding") == ["webhook"]

    world.gitlab.lists["hooks"].append({**world.item("hooks"), "url": f"https://flux.example.org/hook/{'0a' * 32}"})

    assert world.doctor("--strict")[0] == 0


def test_a_stranger_reads_what_to_change_and_no_secret(world: World) -> None:
    world.gitlab.lists["hooks"].clear()
    world.capture.readouterr()

    assert main(["doctor", "-C", str(world.folder)]) == 1

    shown = world.capture.readouterr().out
    assert shown.startswith("GitLab: team/documents of 127.0.0.1:")
    assert re.search(
        r"^finding +doctor/webhook +no webhook leads to argocd\n +where: Settings > Webhooks\n +why: ",
        shown,
        re.MULTILINE,
    )
    assert "fix:   add https://<Argo CD>/api/webhook" in shown
    assert re.search(r"^fine +doctor/branch +`main` is protected", shown, re.MULTILINE)
    assert shown.endswith("16 fine, 1 to change, 0 cannot be told; docs/rules.md explains each\n")
    assert "glpat" not in shown
