"""What programs and people rely on: the keys of the JSON forms, and the example in the README."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.test_contracts_commands import GONE, MODEL, NEEDED, PROMISE, USE
from local.test_git_edits import _shape
from lockstep.cli.main import main
from tiny import tiny_bundle

TOP = Path(__file__).resolve().parents[2]
GOLDEN = TOP / "tests/goldens/contracts-json-keys.json"


def test_golden_json_forms_have_the_keys_that_programs_rely_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prose may change, JSON may not: a key that goes or changes its place needs another schema name."""
    tiny = tiny_bundle(tmp_path / "tiny")
    for path, text in ((MODEL, PROMISE), (NEEDED, USE)):
        tiny.write(path, text)
    tiny.commit("what fits")
    tiny.write(MODEL, GONE)
    tiny.write("components/front-door/contract/openapi.yaml", "a: 1\na: 2\n")
    tiny.commit("what does not, and what cannot be read")
    shapes = {}
    for words in (["check"], ["edges"], ["diff", f"HEAD~1:{MODEL}", MODEL]):
        main(["contracts", *words, "-o", "json", "-C", str(tiny.folder)])
        data = json.loads(capsys.readouterr().out)
        shapes[words[0]] = {**_shape(data), "schema": data["schema"]}

    if os.environ.get("LOCKSTEP_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(shapes, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == shapes


def test_example_of_the_readme_says_what_the_command_says(tmp_path: Path) -> None:
    (block,) = re.findall(
        r"<!-- contracts -->\n```console\n(.*?)```", (TOP / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    lines = block.splitlines()
    commands = [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]
    shutil.copytree(
        TOP / "components", tmp_path / "components", ignore=shutil.ignore_patterns("weights", "__pycache__")
    )
    shutil.copy(TOP / "lockstep.yaml", tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    program = [sys.executable, "-m", "lockstep.cli.main"]

    done = [
        subprocess.run(
            [*(program if command[0] == "lockstep" else command[:1]), *command[1:]],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(TOP / "tools")}, capture_output=True, text=True,
            check=False,
        )
        for command in commands
    ]  # fmt: skip

    assert [one.returncode for one in done] == [0, 1]
    assert done[1].stdout.splitlines() == [line for line in lines if not line.startswith("$ ")]
    assert done[1].stderr == ""
