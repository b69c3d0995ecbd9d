"""Which files .dockerignore leaves out; the package `docker` judges where it means the same."""

from __future__ import annotations

import pytest
from docker.utils.build import PatternMatcher

from lockstep.core.dockerignore import is_ignored, parse_ignore

FILES = (
    "a.txt", "a.md", "docs/a.md", "docs/deep/b.md", "docs/deep/c.txt", "src/app.py", "src/app.pyc", "temp1", "tempa/x",
    "x/temp9", "README.md", "Dockerfile", "data/[1].txt", "a+b.txt", "caf\u00e9/m\u00fc.txt",
)  # fmt: skip


def left(text: str) -> set[str]:
    patterns = parse_ignore(text)
    return {path for path in FILES if not is_ignored(path, patterns)}


@pytest.mark.parametrize(
    "text",
    ["*.md", "docs", "docs/", "/docs", "docs/*", "*/temp*", "temp?", "src/*.pyc", "*.md\n!README.md",
     "docs\n!docs/a.md", "# docs\n\n*.txt", "./docs", "x/../docs", "a+b.txt", "temp[0-5]"],
)  # fmt: skip
def test_files_are_left_out_as_dockers_own_package_leaves_them_out(text):
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    judge = PatternMatcher(lines)

    assert left(text) == {path for path in FILES if not judge.matches(path)}


@pytest.mark.parametrize(("text", "gone"), [
    ("**/*.md", {"a.md", "docs/a.md", "docs/deep/b.md", "README.md"}),
    ("**/deep", {"docs/deep/b.md", "docs/deep/c.txt"}),
    ("docs/**", {"docs/a.md", "docs/deep/b.md", "docs/deep/c.txt"}),
    ("docs/**/c.txt", {"docs/deep/c.txt"}),
    ("*\n!src\nsrc/*.pyc", {*FILES} - {"src/app.py"}),
    ("docs\n!docs/deep\ndocs/deep/c.txt", {"docs/a.md", "docs/deep/c.txt"}),
    ("\ufeffa.txt", {"a.txt"}),
    ("data/\\[1].txt", {"data/[1].txt"}),
    ("", set()),
])  # fmt: skip
def test_two_stars_exceptions_and_escapes_are_those_of_docker(text, gone):
    assert {*FILES} - left(text) == gone


@pytest.mark.parametrize("line", ["!", "a[", "! "])
def test_a_line_that_means_nothing_is_refused(line):
    with pytest.raises(ValueError, match=r"nothing|no pattern"):
        parse_ignore(f"ok\n{line}\n")
