"""charts/gitops knows every kind that an environment holds: the agent's rights and the guard are made of that list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

TOP = Path(__file__).resolve().parents[2]


def _kinds(path: Path) -> set[tuple[str, str]]:
    found: list[Any] = [item for item in yaml.safe_load_all(path.read_text(encoding="utf-8")) if item]
    return {(item["apiVersion"].rpartition("/")[0], item["kind"]) for item in found}


def test_kinds_are_exactly_those_of_an_environment() -> None:
    goldens, policies = (TOP / "tests" / "goldens").glob("*.yaml"), (TOP / "charts/environment/policies").glob("*.yaml")

    held = {kind for path in (*goldens, *policies) for kind in _kinds(path)}

    listed = yaml.safe_load((TOP / "charts/gitops/kinds.yaml").read_text(encoding="utf-8"))
    assert {(each["group"], each["kind"]) for each in listed} == held
    assert [each["resource"] for each in listed] == [_plural(each["kind"]) for each in listed]


def _plural(kind: str) -> str:
    return f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"
