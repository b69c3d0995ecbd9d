"""200 random changes of one byte or one field of a good release, its environment, its evidence and its store: verify
finds each and names it. test_verify_mutations.py changes every value of them, one after the other.

LOCKSTEP_SEED=1000 draws others; what fails says its seed.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lockstep.core.document import format_yaml, parse_objects
from lockstep.core.errors import LockstepError
from tiny import Tiny, good_tree

STORE = ".lockstep/store/"
FIRST = int(os.environ.get("LOCKSTEP_SEED", "0"))
CHANGES = 10  # by each of 20 seeds
MOST = 50  # draws until one is found that means something


@dataclass(frozen=True)
class Change:
    """One file with other bytes."""

    path: str
    how: str
    old: bytes
    new: bytes


@pytest.fixture(scope="module")
def good(in_memory: Path) -> Tiny:
    tiny = good_tree(in_memory / "tiny")
    tiny.commit("evidence")
    return tiny


def paths_of(tiny: Tiny) -> list[str]:
    """What verify answers for: the releases, the environment but what its operator wrote, and of the store what its
    releases pin.
    """
    folders = (tiny.folder / "releases", tiny.folder / STORE)
    paths = [str(path.relative_to(tiny.folder)) for folder in folders for path in folder.rglob("*") if path.is_file()]
    left_out = ("bindings.yaml", ".lock", "oci-layout", *found_before(tiny))
    return sorted(path for path in paths if not path.endswith(left_out))


def found_before(tiny: Tiny) -> list[str]:
    """Blobs of images that only say which runtime was built before; whoever meets damage there builds it again."""
    pinned = "".join(path.read_text() for path in (tiny.folder / "releases").glob("*/release.yaml"))
    blobs = {path.name: path.read_bytes() for path in (tiny.folder / STORE / "blobs/sha256").iterdir()}
    images = "".join(data.decode() for name, data in blobs.items() if name in pinned and data[:1] == b"{")
    return [name for name in blobs if name not in pinned + images]


def change_of_a_byte(path: str, old: bytes, chance: random.Random) -> Change:
    at, byte = chance.randrange(len(old)), chance.randrange(256)
    how = chance.choice(["another", "one more", "one less"])
    middle = {"another": bytes([byte]), "one more": bytes([byte, old[at]]), "one less": b""}[how]
    return Change(path, f"byte {at}: {how} ({byte})", old, old[:at] + middle + old[at + 1 :])


def change_of_a_field(path: str, old: bytes, chance: random.Random) -> Change:
    """Another value, written as Lockstep writes it."""
    head, _, text = old.decode().partition("\n")
    objects: list[Any] = [document.data for document in parse_objects(text, path)]
    at, key = chance.choice([place for one in objects for place in places(one)])
    value, at[key] = at[key], chance.choice([None, "x", 7, [], {}])
    new = f"{head}\n" + "---\n".join(format_yaml(one) for one in objects)
    return Change(path, f"field {key}: {value!r:.80} becomes {at[key]!r}", old, new.encode())


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder of a value, and the value's key or number in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from places(item)


def drawn(tiny: Tiny, chance: random.Random) -> Change:
    """A change that means something."""
    for _ in range(MOST):
        path = chance.choice(paths_of(tiny))
        old = (tiny.folder / path).read_bytes()
        has_fields = path.endswith(".yaml") and old.startswith(b"# written by lockstep")
        change = (change_of_a_field if has_fields and chance.random() < 0.5 else change_of_a_byte)(path, old, chance)
        if meaning(path, change.old) != meaning(path, change.new):
            return change
    raise AssertionError("nothing was drawn that means anything")


def meaning(path: str, data: bytes) -> Any:
    """What must not change. Left out is: how many replicas an operator wants; who is said to have built a runtime (its
    layers are pinned); a chart's description; and of the store's index all but which image each release's tag names:
    the rest finds what was built before, and is made again where it is gone.
    """
    if path == f"{STORE}index.json":
        return _tagged(data)
    if path == "releases/staging/Chart.yaml":
        return _without(data, b"description:")
    if path.startswith("releases/staging/instances/") or path.endswith("/release.yaml"):
        return _without(data, b"replicas:", b'builder: "')
    return data


def _without(data: bytes, *begins: bytes) -> list[bytes]:
    return [line for line in data.split(b"\n") if not line.strip().startswith(begins)]


def _tagged(data: bytes) -> Any:
    try:
        entries = json.loads(data)["manifests"]
        named = [(one["annotations"].get("org.opencontainers.image.ref.name", ""), one["digest"]) for one in entries]
    except (ValueError, KeyError, TypeError, AttributeError):
        return data
    return sorted((name, digest) for name, digest in named if ":release-" in name)


@contextlib.contextmanager
def changed(tiny: Tiny, change: Change) -> Iterator[None]:
    """The tree with the change, committed where Git has the file; as it was, afterwards."""
    main = tiny.git("rev-parse", "main")
    try:
        (tiny.folder / change.path).write_bytes(change.new)
        if not change.path.startswith(STORE):
            tiny.git("commit", "-q", "-m", "a change", change.path)
        yield
    finally:
        (tiny.folder / change.path).write_bytes(change.old)
        tiny.git("reset", "-q", "--hard", main)


def said_of(tiny: Tiny, change: Change) -> list[str]:
    """Place, component and sentence of everything that verify says."""
    try:
        found = tiny.verify(deep=True).findings
    except LockstepError as error:
        assert change.path == f"{STORE}index.json", "only an index that cannot be read ends verify"
        return [f"{error.where} {error.what}"]
    return [f"{one.where} {one.component} {one.what}" for one in found if one.rule != "release/edited"]


def names_of(path: str) -> tuple[str, ...]:
    """By what a finding may name a file: its path; a blob's digest; an index's tags, by their component."""
    if path.startswith(f"{STORE}blobs/"):
        return (f"sha256:{path.rpartition('/')[2]}",)
    if path == f"{STORE}index.json":
        return "index.json", ":release-1."
    return (path, path.removeprefix("releases/staging/"))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 20))
def test_verify_finds_and_names_any_change(seed: int, good: Tiny) -> None:
    chance = random.Random(seed)
    unseen = []

    for _ in range(CHANGES):
        change = drawn(good, chance)
        with changed(good, change):
            said = said_of(good, change)
        if not any(name in one for one in said for name in names_of(change.path)):
            unseen.append((change.path, change.how, said))

    assert unseen == [], f"LOCKSTEP_SEED={seed}"
