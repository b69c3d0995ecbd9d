"""The worked example of docs/contracts.md: every command runs, and says what the page says that it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiny import set_identity

PAGE = Path(__file__).resolve().parents[2] / "docs" / "contracts.md"
TOOLS = PAGE.parents[1] / "tools"
_CODE = re.compile(r"\s+# exit code (\d)$")


def steps() -> Iterator[tuple[str, int, list[str]]]:
    """Each command of the page, its exit code, and the lines that it must say, in order."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    found: list[tuple[str, int, list[str]]] = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            code = _CODE.search(line)
            found.append((_CODE.sub("", line[2:]), int(code[1]) if code else 0, []))
        else:
            found[-1][2].append(line.strip())
    yield from found


def test_the_example_of_contracts_runs_and_says_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_identity(monkeypatch)
    starter = tmp_path / "bin" / "lockstep"
    starter.parent.mkdir()
    starter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lockstep.cli.main "$@"\n')
    starter.chmod(0o755)
    path = f"{starter.parent}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(TOOLS), "NO_COLOR": "1"}
    folder, told = tmp_path, 0

    for command, code, lines in steps():
        if command.startswith("cd "):
            folder = folder / command[3:]
            continue
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{command}\n{said}"
        for line in lines:
            assert line in said, f"{command} does not say {line!r}:\n{said}"
            said = said[said.index(line) + len(line) :]
            told += 1

    assert told > 5
