"""The same bundle at the moment before each command that writes, for tests that disturb it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from broken.exhibit import EDITS
from killing import in_child
from tiny import Tiny, good_tree, set_identity

RETIRE = ["retire", "staging", "--drop", "1.0.0"]
# Name -> command, and before how many steps it is killed at least: a harness that finds no steps proves nothing.
VERBS = {
    "tag": (["tag", "1.2.0"], 1),
    "release": (["release", "1.2.0"], 20),
    "release and stage": (["release", "1.2.0", "--stage", "staging", "--push", "origin"], 30),
    "stage": (["stage", "staging", "1.2.0"], 7),
    "promote": (["promote", "staging", "1.2.0"], 7),
    "rollback": (["rollback", "staging"], 7),
    "retire": (RETIRE, 7),
    "restore": (["rollback", "staging", "--to", "1.0.0"], 14),
    "lock": (["weights", "lock", "--store"], 6),
    "push": (["push", "1.1.0", "--jobs", "1"], 20),
    "announce": (["announce", "v1.1.0"], 2),
    "export": (["export", "1.1.0", "release.tar"], 2),
    "gc": (["gc", "--delete", "--days", "0"], 4),
    "import": (["import", "carried.tar"], 30),
    "changelog": (["changelog", "--write"], 2),
}


def set_scenes(folder: Path) -> None:
    """Makes them, in a folder of each command's name."""
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        tiny = good_tree(folder / "bundle")
        tiny.commit("evidence")
        _grow(tiny, folder)


def _grow(tiny: Tiny, folder: Path) -> None:
    for verb in ("rollback", "retire", "push", "export", "lock", "import", "changelog", "announce"):
        tiny.copy(folder / verb)
    _lose(Tiny(folder / "lock"), folder)
    _litter(tiny.copy(folder / "gc"))
    assert in_child(folder / "retire", RETIRE)[0] == 0
    (folder / "retire").rename(folder / "restore")
    tiny.copy(folder / "retire")
    tiny.replace("components/front-door/component.yaml", "hello", "good day")
    tiny.replace("components/front-door/src/front_door.py", "Answers every", "Says to every")
    tiny.commit("another greeting, and other code")
    tiny.copy(folder / "tag")
    tiny.tag("1.2.0")
    tiny.copy(folder / "release")
    _follow(tiny.copy(folder / "release and stage"))
    tiny.release("1.2.0")
    tiny.copy(folder / "stage")
    assert in_child(tiny.folder, VERBS["stage"][0])[0] == 0
    tiny.folder.rename(folder / "promote")


def _follow(tiny: Tiny) -> None:
    """A remote, inside so that a copy has one of its own."""
    tiny.git("clone", "-q", "--bare", ".", ".git/upstream.git")
    tiny.git("config", "remote.origin.url", ".git/upstream.git")


def _litter(tiny: Tiny) -> None:
    """An image that nothing needs."""
    tiny.replace("components/front-door/src/front_door.py", "Answers every", "Says to every")
    tiny.commit("other code")
    assert in_child(tiny.folder, ["build"])[0] == 0
    tiny.git("revert", "--no-edit", "HEAD")


def _lose(tiny: Tiny, folder: Path) -> None:
    """What `weights lock --store` and `import` are to bring."""
    EDITS["delete_blob"](tiny, {"image": "model-weights", "blob": "layer"})
    (tiny.folder / "components/model/weights.lock").unlink()
    shutil.rmtree(tiny.folder / ".lockstep/cache")
    assert in_child(folder / "export", ["export", "1.1.0", str(folder / "import/carried.tar")])[0] == 0
    shutil.rmtree(folder / "import/.lockstep")
