"""CODEOWNERS as GitLab reads it: the examples of its documentation, and what it warns of."""

from __future__ import annotations

import pytest

from lockstep.core.doctor.owners import parse_owners


def owners(text: str, path: str) -> set[str]:
    return set(parse_owners(text).of(path))


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*", ("a", "a/b/.c"), ()),
        ("README.md", ("README.md", "internal/README.md", "app/lib/README.md"), ("README.md.txt", "xREADME.md")),
        ("/README.md", ("README.md",), ("docs/README.md",)),
        ("internal/README.md", ("internal/README.md", "docs/api/internal/README.md"), ("README.md",)),
        ("/docs/", ("docs/a", "docs/a/b"), ("docs", "a/docs/b")),
        ("docs/", ("docs/a/b", "x/docs/a"), ("mydocs/a",)),
        ("/docs/*", ("docs/a", "docs/.a"), ("docs/a/b",)),
        ("/docs/*spec*", ("docs/qa_specs.rb",), ("docs/x/spec",)),
        ("/docs/*/README.md", ("docs/api/README.md",), ("docs/README.md", "docs/a/b/README.md")),
        ("/docs/**/index.md", ("docs/index.md", "docs/api/v/index.md"), ("docs/xindex.md",)),
        ("/releases/production", ("releases/production",), ("releases/production/a",)),
        ("/releases/**", ("releases/a",), ("releases/a/b",)),
        ("path\\ with\\ spaces/", ("path with spaces/a",), ("path/a",)),
        ("/a?c.(x)", ("abc.(x)",), ("a/c.(x)", "abc.x")),
    ],
)  # fmt: skip
def test_a_pattern_matches_what_gitlab_says(pattern: str, yes: tuple[str, ...], no: tuple[str, ...]) -> None:
    text = f"{pattern} @team\n"

    assert [path for path in yes if not owners(text, path)] == []
    assert [path for path in no if owners(text, path)] == []


def test_the_last_match_of_a_section_counts_and_each_section_by_itself() -> None:
    text = "* @admin\n[README Owners]\nREADME.md @user1 @user2\ninternal/README.md @user4\n[Other]\nREADME.md @user3\n"

    assert owners(text, "README.md") == {"@admin", "@user1", "@user2", "@user3"}
    assert owners(text, "internal/README.md") == {"@admin", "@user4", "@user3"}


def test_a_section_has_owners_of_its_own_and_a_line_may_name_others() -> None:
    text = "[Database][2] @dba a@example.org\nmodel/db/\nconfig/db.md @docs\n"

    assert owners(text, "model/db/x") == {"@dba", "a@example.org"}
    assert owners(text, "config/db.md") == {"@docs"}


def test_an_optional_section_owns_nothing_unless_it_is_required_elsewhere() -> None:
    assert owners("^[Go]\n*.go @root\n", "a.go") == set()
    assert owners("^[Go]\n*.go @root\n[GO]\n*.mod @root\n", "a.go") == {"@root"}


def test_what_is_excluded_stays_so_in_its_section() -> None:
    text = "* @all\n!/config/**/*.rb\n/config/routes.rb @ops\n[Config]\n/config/ @ops-team\n"

    assert owners(text, "config/routes.rb") == {"@ops-team"}
    assert owners(text, "a.rb") == {"@all"}


@pytest.mark.parametrize("line", ["/a", "/a user_without_at", "# /a @team", "", "/a # @", "[open\n"])
def test_a_line_without_an_owner_owns_nothing(line: str) -> None:
    assert owners(f"{line}\n", "a") == set()


def test_a_later_line_without_owners_takes_them_away() -> None:
    assert owners("* @all\n/releases/production/\n", "releases/production/a") == set()
