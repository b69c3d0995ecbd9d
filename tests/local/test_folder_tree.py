"""A working copy that is wholly committed reads as its commit does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lockstep.adapters.folder import FolderTree
from lockstep.adapters.git import open_repository
from lockstep.core.names import GitSha
from lockstep.core.tree import Tree
from tiny import Tiny, tiny_bundle

ODD = "components/model/src/größe and\ttab.py"
LINK, BEYOND = "components/model/elsewhere", "components/model/elsewhere/model.py"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    tiny = tiny_bundle(tmp_path_factory.mktemp("tree") / "tiny")
    tiny.write(ODD, "x = 1\n")
    tiny.write("components/model/run.sh", "#!/bin/sh\n")
    (tiny.folder / "components/model/run.sh").chmod(0o755)
    (tiny.folder / LINK).symlink_to("src")
    tiny.commit("what trees can hold")
    return tiny


@pytest.fixture(scope="module")
def trees(tiny: Tiny) -> tuple[Tree, Tree]:
    commit = GitSha(tiny.git("rev-parse", "HEAD"))
    return FolderTree(tiny.folder, 1 << 20), open_repository(tiny.folder).tree(commit)


def modes(entries: object) -> list[tuple[str, str]]:
    return [(one.path, one.mode) for one in entries]  # type: ignore[attr-defined]


def test_folder_has_what_its_commit_has(trees: tuple[Tree, Tree]):
    folder, commit = trees

    paths = [one.path for one in commit.below(["components", "charts"])]
    assert len(paths) > 20
    assert modes(folder.below(["components", "charts"])) == modes(commit.below(["components", "charts"]))
    assert modes(folder.names("components/model")) == modes(commit.names("components/model"))
    assert folder.read(paths) == commit.read(paths)
    assert modes(folder.look(paths).values()) == modes(commit.look(paths).values())


@pytest.mark.parametrize("path", [BEYOND, "../tiny/lockstep.yaml", "no/such", "lockstep.yaml/x", ""])
def test_folder_has_nothing_beyond_a_symlink_above_it_or_that_is_not_there(tiny: Tiny, path: str):
    folder = FolderTree(tiny.folder, 1 << 20)

    assert folder.look([path]) == {}
    assert folder.read([path]) == {}
    assert folder.names(path) == ()


def test_folder_reads_no_pipe_and_no_more_of_a_file_than_a_little_too_much(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_bytes(b"x" * 100)

    assert FolderTree(tmp_path, 10).read(["pipe", "long"]) == {"long": b"x" * 11}
