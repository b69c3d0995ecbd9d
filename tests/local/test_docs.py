"""What the documents say is true: generated pages are current, links lead somewhere, named tests exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
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


def test_commands_of_the_readme_start_a_bundle(tmp_path: Path) -> None:
    blocks = re.findall(r"```console\n(.*?)```", (TOP / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if "lockstep init" in block]
    folder = tmp_path
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    for line in block.splitlines():
        command = shlex.split(line.removeprefix("$ "))
        if command[0] == "cd":
            folder = folder / command[1]
            continue
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"

    assert "serves release 0.1.0" in done.stdout
