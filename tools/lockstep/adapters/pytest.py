"""pytest, as a program of its own in the Python that runs this: what components' tests are run by."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from lockstep.adapters import process
from lockstep.core.errors import UsageError


def run_tests(folder: Path, path: str) -> process.Output:
    """What pytest says of the tests below a path, with its exit code; it dies with this process.

    Args:
        folder: Where it is started: its configuration lies there or above.
        path: Below that folder.

    Raises:
        UsageError: there is no pytest.
    """
    if importlib.util.find_spec("pytest") is None:
        fix = f"{sys.executable} -m pip install pytest, and what the components' tests need"
        raise UsageError("tests are run by pytest, which is not installed", where=sys.executable, fix=fix)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path]
    return process.watched(command, folder, lambda: None)
