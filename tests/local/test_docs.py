"""What the documents say is true: generated pages are current, links lead somewhere, named tests exist."""

from __future__ import annotations

import re
from pathlib import Path

import reference

TOP = Path(__file__).resolve().parents[2]
PAGES = sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md")])


def test_reference_page_is_what_the_code_says_golden() -> None:
    current = reference.page()

    assert reference.PAGE.read_text(encoding="utf-8") == current, "run: make golden"


def test_every_relative_link_leads_to_a_file() -> None:
    links = [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    ]

    assert links
    assert [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()] == []


def test_every_test_that_the_readme_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`", (TOP / "README.md").read_text(encoding="utf-8"))

    assert len(named) >= 7
    for path, function in named:
        text = (TOP / path).read_text(encoding="utf-8")
        assert not function or f"def {function}(" in text, f"{path} has no {function}"
