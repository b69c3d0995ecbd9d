"""What every test shares: lean, repeatable properties, and no network in tests/unit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import pytest_socket
from hypothesis import settings

UNIT = Path(__file__).parent / "unit"

settings.register_profile("lean", max_examples=40, deadline=None, derandomize=True, database=None)
settings.load_profile("lean")


# Git must know who commits, also where nobody is configured (CI); what a missing identity gives has a test of its own.
for _role in ("AUTHOR", "COMMITTER"):
    os.environ.setdefault(f"GIT_{_role}_NAME", "Test")
    os.environ.setdefault(f"GIT_{_role}_EMAIL", "test@localhost")


# What a verb asks of a cluster is asked of the one that a test names, not of a developer's.
os.environ.pop("KUBECONFIG", None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Unit tests that open a connection fail."""
    if UNIT in item.path.parents:
        pytest_socket.disable_socket(allow_unix_socket=True)


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Other tests may use sockets again."""
    if UNIT in item.path.parents:
        pytest_socket.enable_socket()
