"""The rules outside schemas that oasdiff does not have are listed with their levels."""

import re
from pathlib import Path

from lockstep.core.contract.operation_rules import OPERATION_RULES, OURS

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "contract-differences.md"
_ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (ERR|WARN|INFO) \|", re.MULTILINE)


def test_each_own_rule_is_documented_with_its_level() -> None:
    listed = dict(_ROW.findall(_DOCUMENT.read_text(encoding="utf-8")))

    assert listed == {name: str(rule.level) for name, rule in OURS.items()}


def test_each_rule_says_what_to_do() -> None:
    assert [name for name, rule in OPERATION_RULES.items() if not rule.fix] == []
