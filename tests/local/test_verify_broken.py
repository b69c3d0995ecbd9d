"""The museum: every rule of verify has a broken tree in tests/broken that it finds, and finds nothing else there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from broken.exhibit import Good, apply_edits
from lockstep.core.rules.every import RULES
from lockstep.verbs.verify import Verified
from tiny import Tiny, good_tree

MUSEUM = Path(__file__).resolve().parents[1] / "broken"
EXHIBITS = sorted(path.parent.name for path in MUSEUM.glob("*/exhibit.yaml"))


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Good:
    return Good(good_tree(tmp_path_factory.mktemp("good") / "tiny"))


def verified(tiny: Tiny, *what: str) -> Verified:
    return tiny.verify(*what)


def test_verify_finds_nothing_in_the_good_tree(good: Good):
    found = verified(good.tiny)

    assert found.findings == ()
    assert found.notes == ()
    assert {name: count for name, count in found.checked.items() if name != "bytes_hashed"} == {
        "releases": 2, "environments": 1, "instances": 3, "images": 3, "blobs": 9,
    }  # fmt: skip
    assert found.checked["bytes_hashed"] > 10_000


@pytest.mark.parametrize("name", EXHIBITS)
def test_verify_finds_what_is_broken_and_nothing_else(name: str, good: Good, tmp_path: Path):
    exhibit: dict[str, Any] = yaml.safe_load((MUSEUM / name / "exhibit.yaml").read_text())
    tiny = good.tiny.copy(tmp_path / "tiny")

    apply_edits(tiny, good, exhibit["edits"])
    fronts = exhibit.get("front")
    found = list((tiny.verify_fronts(*fronts) if fronts else verified(tiny, *exhibit.get("verify", []))).findings)

    assert exhibit["rule"] in {wanted["rule"] for wanted in exhibit["expect"]}
    for wanted in exhibit["expect"]:
        rule, where, what = (good.filled(wanted[key]) for key in ("rule", "where", "what"))
        match = [item for item in found if item.rule == rule and where in item.where and what in item.what]
        assert match, f"expected {wanted}, found {found}"
        assert match[0].fix
        found.remove(match[0])
    assert found == []


def test_every_rule_has_an_exhibit():
    exhibited = [yaml.safe_load((MUSEUM / name / "exhibit.yaml").read_text())["rule"] for name in EXHIBITS]

    assert sorted(set(exhibited)) == sorted(RULES)
    for rule, name in zip(exhibited, EXHIBITS, strict=True):
        assert name.startswith(rule.replace("/", "-")), "an exhibit is named after its rule, and the trap, if it is one"
