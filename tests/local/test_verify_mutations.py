"""No single value of an environment or a release can change without a finding, and no change stops verify."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from lockstep.core.document import format_yaml, parse_canonical, parse_objects
from lockstep.core.rules.environment import read_environment
from lockstep.core.rules.every import findings
from lockstep.core.rules.facts import Facts
from lockstep.core.rules.release import read_release
from lockstep.verbs.images.shelf import OwnShelf
from lockstep.verbs.images.stores import own_stores
from lockstep.verbs.verify import Looking, gather
from tiny import Tiny, good_tree

Path = tuple[str | int, ...]
# An operator tunes replicas in place; ids leave them out. Who built a runtime is a statement; its layers are pinned.
FREE = {("spec", "replicas")}
STATED = {"runtime", "builder"}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    tiny: Tiny = good_tree(tmp_path_factory.mktemp("good") / "tiny")
    return gather(tiny.workspace, (), Looking(OwnShelf(own_stores(tiny.workspace).of), deep=True, now=0))[0]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every path to a value, also to those that hold others."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from paths(item, (*path, key))


def changed(data: Any, path: Path, value: Any) -> Any:
    result: Any = copy.deepcopy(data)
    target = result
    for key in path[:-1]:
        target = target[key]
    if target[path[-1]] == value:
        target[path[-1]] = "other"
    else:
        target[path[-1]] = value
    return result


def with_file(facts: Facts, name: str, data: bytes) -> Facts:
    """The facts with one file of the environment changed."""
    (deployed,) = facts.environments
    files = {**deployed.files, name: data}
    environment, unread = read_environment(deployed.name, files)
    chosen = frozenset({deployed.name})
    return replace(
        facts, chosen=chosen, environments=(replace(deployed, files=files, environment=environment, unread=unread),)
    )


def with_release(facts: Facts, data: bytes) -> Facts:
    """The facts with the newest release.yaml changed (and nothing else, as if it had been written so)."""
    filed = facts.releases[-1]
    files = {**filed.files, "release.yaml": data}
    release, unread = read_release(filed.folder, files)
    chosen = frozenset({filed.folder})
    return replace(
        facts,
        chosen=chosen,
        releases=(*facts.releases[:-1], replace(filed, files=files, release=release, unread=unread)),
    )


@pytest.mark.parametrize("value", [None, 7, [], {}], ids=str)
def test_no_value_of_an_environment_changes_unseen(facts: Facts, value: Any):
    files = [path for path in facts.environments[0].files if path.startswith(("instances/", "gates/", "front/"))]
    unseen = []
    for name in files:
        text = facts.environments[0].files[name].decode()
        head = text.partition("\n")[0]
        objects = [document.data for document in parse_objects(text, name)]
        for number, item in enumerate(objects):
            for path in paths(item):
                edited = [*objects[:number], changed(item, path, value), *objects[number + 1 :]]
                data = f"{head}\n" + "---\n".join(format_yaml(one) for one in edited)
                if not findings(with_file(facts, name, data.encode())) and path not in FREE:
                    unseen.append((name, item["kind"], path))

    assert unseen == []


@pytest.mark.parametrize("value", [None, "x", 7, [], {}], ids=str)
def test_no_value_of_a_release_changes_unseen(facts: Facts, value: Any):
    text = facts.releases[-1].files["release.yaml"].decode()
    head = text.partition("\n")[0]
    data = parse_canonical(text, "release.yaml").data
    unseen = []
    for path in paths(data):
        edited = f"{head}\n{format_yaml(changed(data, path, value))}".encode()
        if not findings(with_release(facts, edited)) and path[-1] not in STATED:
            unseen.append(path)

    assert unseen == []
