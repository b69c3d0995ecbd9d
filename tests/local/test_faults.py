"""Each fault of a registry, played through the command line: what is said, how it ends, and what a rerun does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fake_auth import Clock, FakeTokens, Guarded, giving, guarding
from faults import REGISTRY, Fault, Place
from lockstep.cli.main import main
from lockstep.oci.layout import Layout
from lockstep.oci.store import copy_image
from tiny import Tiny, base_image, set_identity, tiny_bundle, with_base

PUSH = ("push", "1.0.0", "--jobs", "1")  # one after the other, so that each fault meets the same request
NAMED = re.compile(r"^(error: |- push/tag )(model|front-door): ", re.MULTILINE)


@dataclass
class Stage:
    """The released bundle, and its registry."""

    tiny: Tiny
    registry: Guarded
    host: str
    store: list[str]

    def kept(self) -> list[str]:
        """Every file of the store."""
        return files_below(self.tiny.folder / ".lockstep/store")


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Images that stand on one base, so that there is something to mount."""
    folder, registry = tmp_path_factory.mktemp("faults"), Guarded(page=1000)
    with guarding(registry) as host, pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        tiny = tiny_bundle(folder / "bundle")
        tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny")
        store, base = base_image(folder / "base")
        copy_image(store, Layout(tiny.folder / ".lockstep/store", "python"), base.digest, "1")
        with_base(tiny, f"registry.invalid/python@{base.digest}")
        tiny.git("tag", "-f", "v1.0.0")
        tiny.release("1.0.0")
        made = Stage(tiny, registry, host, [])
        made.store = made.kept()
        yield made


@pytest.fixture
def lockstep(stage: Stage, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Exit code and standard error of a command."""

    def command(*words: str) -> tuple[int, str]:
        code = main([*words, "-C", str(stage.tiny.folder)])
        return code, capfd.readouterr().err

    return command


@pytest.fixture
def place(
    stage: Stage, lockstep: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Place]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    vars(stage.registry).update(vars(Guarded(page=1000)))
    tokens = FakeTokens(Clock())

    def push() -> None:
        assert lockstep(*PUSH) == (0, "")

    with giving(tokens) as realm:
        yield Place(stage.registry, stage.host, realm, push, tokens)


@pytest.mark.parametrize("fault", REGISTRY, ids=[fault.name for fault in REGISTRY])
def test_a_push_meets_a_fault(
    fault: Fault, stage: Stage, place: Place, lockstep: Callable[..., tuple[int, str]]
) -> None:
    fault.breaks(place)

    code, said = lockstep(*PUSH)

    assert (code, fault.says in said) == (fault.code, True), said
    if code:
        assert NAMED.search(said), "the error names the component"
        assert fault.fix in said.partition("fix:")[2]
        fault.mends(place)
        assert lockstep(*PUSH)[0] == 0
    assert place.registry.troubles == [], "all that was to go wrong went wrong"
    stored = place.registry.stored
    assert sorted(stored) == sorted(set(stored)), "no blob was uploaded twice"
    assert_whole(place.registry)
    before = place.registry.received
    assert lockstep(*PUSH) == (0, "")
    assert place.registry.received == before, "a push that is done sends nothing"
    assert lockstep("verify", "--deep") == (0, "")
    assert lockstep("verify", "--registry", "--deep")[0] == 0
    assert stage.kept() == stage.store
    assert list((stage.tiny.folder / ".lockstep/cache/uploads").glob("*.json")) == [], "nothing is left to remember"


def assert_whole(registry: Guarded) -> None:
    """Every image is there under its tag, with every blob."""
    assert {name: sorted(tags) for name, tags in registry.tags.items()} == {
        "team/tiny/front-door": ["release-1.0.0"],
        "team/tiny/model": ["release-1.0.0"],
        "team/tiny/model-weights": ["copier-1.0.0", "release-1.0.0"],
    }
    for name, tags in registry.tags.items():
        assert set(tags.values()) <= set(registry.manifests[name])
