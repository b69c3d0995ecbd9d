"""What tests of commands share: a copy of the module's bundle, and the command line in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lockstep.cli.main import main
from tiny import Tiny, set_identity


@pytest.fixture
def tiny(served: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """A copy of what the module's fixture `served` made."""
    set_identity(monkeypatch)
    return served.copy(tmp_path / "bundle")


@pytest.fixture
def run(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Standard output of a command that must end with a code; standard error if that is not 0."""

    def command(*words: str, code: int = 0, folder: Path | None = None) -> str:
        found = main([*words, "-C", str(folder or tiny.folder)])
        printed = capsys.readouterr()
        assert found == code, printed.err
        return printed.out if code == 0 else printed.err

    return command
