"""One list of rules: the code, docs/rules.md and the museum name the same ones."""

from __future__ import annotations

import re
from pathlib import Path

from lockstep.core.rules.every import RULES

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "tools" / "lockstep"
_GIVEN = re.compile(r'(?:Finding\(\s*|rule=|rule: str = )"([a-z]+/[a-z]+)"')


def listed(text: str) -> list[str]:
    return re.findall(r"^\| `([a-z]+/[a-z]+)` \|", text, re.MULTILINE)


def given(folder: Path) -> set[str]:
    files = [path for path in folder.rglob("*.py") if "scaffold" not in path.parts]
    return {rule for path in files for rule in _GIVEN.findall(path.read_text(encoding="utf-8"))}


def test_docs_list_every_rule_of_the_code_and_no_other():
    assert sorted({*listed(DOCS)}) == sorted(given(PACKAGE))


def test_docs_list_each_rule_once_sorted():
    verified, rest = DOCS.split("## What is refused before")
    refused, asked = rest.split("## What doctor asks")

    assert listed(verified) == sorted(RULES)
    assert listed(refused) == sorted(set(listed(refused)))
    assert listed(asked) == sorted(given(PACKAGE / "core" / "doctor"))


def test_rules_of_verify_are_those_that_its_code_gives():
    borrowed = {"front/field", "release/field", "bindings/field", "contract/index"}

    assert given(PACKAGE / "core" / "rules") | borrowed == {*RULES, "bindings/field"}


def test_every_rule_of_verify_has_an_exhibit_and_every_exhibit_a_rule():
    folders = {path.parent.name for path in (ROOT / "tests" / "broken").glob("*/exhibit.yaml")}

    names = {rule.replace("/", "-") for rule in RULES}
    assert names <= folders
    assert [folder for folder in sorted(folders) if not folder.startswith(tuple(names))] == []
