"""What is lost or damaged in the own store is said with its component and the commands that make it again; after
exactly these, everything is as it was.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broken.exhibit import EDITS
from fakes import FakeRegistry, serving
from lockstep.cli.main import main
from tiny import Tiny, set_identity, tiny_bundle

STORE = ".lockstep/store"
Lockstep = Callable[..., tuple[int, str]]


def blob(kind: str, image: str, part: str) -> Callable[[Tiny], None]:
    return lambda tiny: EDITS[kind](tiny, {"image": image, "blob": part})


def _cut(tiny: Tiny) -> None:
    layer = max((tiny.folder / STORE / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    layer.write_bytes(layer.read_bytes()[:-1])


def _moved(tiny: Tiny) -> None:
    """The tag of one image names the other's."""
    path = tiny.folder / STORE / "index.json"
    index = json.loads(path.read_bytes())
    tagged = {one["annotations"]["org.opencontainers.image.ref.name"]: one for one in index["manifests"]}
    tagged["model:release-1.0.0"]["digest"] = tagged["front-door:release-1.0.0"]["digest"]
    path.write_text(json.dumps(index))


def _gone(tiny: Tiny) -> None:
    shutil.rmtree(tiny.folder / STORE)


# What happened to the store -> how, and whether push meets it as well.
DAMAGES = {
    "a layer is missing": (blob("delete_blob", "model-weights", "layer"), True),
    "a configuration is missing": (blob("delete_blob", "model", "config"), True),
    "a manifest is missing": (blob("delete_blob", "model", "manifest"), True),
    "a layer has another byte": (blob("corrupt_blob", "model-weights", "layer"), True),
    "a manifest has another byte": (blob("corrupt_blob", "model", "manifest"), True),
    "a layer was cut short": (_cut, True),
    "a tag is gone": (lambda tiny: EDITS["untag"](tiny, {"tag": "model:release-1.0.0"}), False),
    "a tag names another image": (_moved, False),
    "the index is gone": (lambda tiny: (tiny.folder / STORE / "index.json").unlink(), False),
    "the store is gone": (_gone, True),
}


@pytest.fixture(scope="module")
def registry() -> FakeRegistry:
    return FakeRegistry(page=1000)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, registry: FakeRegistry) -> Iterator[Tiny]:
    """Release 1.1.0 pins the same images as 1.0.0, and serves."""
    with serving(registry) as host, pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        tiny = tiny_bundle(tmp_path_factory.mktemp("store") / "bundle")
        tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny")
        tiny.commit("a registry")
        tiny.git("tag", "-f", "v1.0.0")
        tiny.release("1.0.0")
        tiny.serve("1.0.0")
        tiny.write("components/front-door/prompts/answer.prompt", "Answer in two words.\n")
        tiny.commit("another prompt")
        tiny.tag("1.1.0")
        tiny.release("1.1.0")
        tiny.serve("1.1.0")
        yield tiny


@pytest.fixture
def tiny(released: Tiny, registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    set_identity(monkeypatch)
    vars(registry).update(vars(FakeRegistry(page=1000)))
    return released.copy(tmp_path / "bundle")


@pytest.fixture
def lockstep(tiny: Tiny, capfd: pytest.CaptureFixture[str]) -> Lockstep:
    """Exit code of a command, and all that it printed."""

    def command(*words: str) -> tuple[int, str]:
        code = main([*words, "-C", str(tiny.folder)])
        printed = capfd.readouterr()
        return code, printed.out + printed.err

    return command


def follow(tiny: Tiny, lockstep: Lockstep, said: str) -> None:
    """Does what each fix says: `rm FILE, then: lockstep …`."""
    for fix in dict.fromkeys(line.split("fix:")[1].strip() for line in said.splitlines() if "fix:" in line):
        for words in (part.split() for part in fix.split(", then: ")):
            if words[0] == "lockstep":
                assert lockstep(*words[1:])[0] == 0
            else:
                assert words[0] == "rm", fix
                subprocess.run(words, cwd=tiny.folder, check=True)


@pytest.mark.parametrize("name", DAMAGES)
def test_verify_names_what_the_store_lost_and_its_fixes_bring_it_back(name: str, tiny: Tiny, lockstep: Lockstep):
    assert lockstep("export", "1.1.0", str(tiny.folder.parent / "before.tar"))[0] == 0
    DAMAGES[name][0](tiny)

    code, said = lockstep("verify")

    assert code == 1
    assert re.search("- store/[a-z]+ (model|front-door): ", said)
    follow(tiny, lockstep, said)
    assert lockstep("verify", "--deep")[0] == 0
    assert lockstep("export", "1.1.0", str(tiny.folder.parent / "after.tar"))[0] == 0
    before, after = (tiny.folder.parent / f"{one}.tar" for one in ("before", "after"))
    assert before.read_bytes() == after.read_bytes()


@pytest.mark.parametrize("name", [name for name, (_, is_met) in DAMAGES.items() if is_met])
@pytest.mark.parametrize("verb", ["push", "export"])
def test_a_push_and_an_export_name_what_the_store_lost_and_go_on_after_the_fix(
    verb: str, name: str, tiny: Tiny, registry: FakeRegistry, lockstep: Lockstep
):
    words = [verb, "1.1.0", *([str(tiny.folder.parent / "x.tar")] if verb == "export" else [])]
    DAMAGES[name][0](tiny)

    code, said = lockstep(*words)

    assert code == 3
    assert re.search(r"error: (.* of )?(model|front-door)", said), said
    follow(tiny, lockstep, said)
    assert lockstep(*words)[0] == 0
    assert sorted(registry.stored) == sorted(set(registry.stored))
    assert lockstep("verify", "1.1.0", "--deep")[0] == 0


def test_what_the_store_lost_comes_from_the_registry_and_is_not_believed(
    tiny: Tiny, registry: FakeRegistry, lockstep: Lockstep
):
    """A registry that gives other bytes, then none, then the right ones."""
    words = ["export", "1.1.0", str(tiny.folder.parent / "x.tar")]
    assert lockstep("push", "1.1.0")[0] == 0
    EDITS["delete_blob"](tiny, {"image": "model-weights", "blob": "layer"})
    blobs = registry.blobs["team/tiny/model-weights"]
    layer = max(blobs, key=lambda digest: len(blobs[digest]))
    right, blobs[layer] = blobs[layer], bytes(len(blobs[layer]))

    wrong = lockstep(*words)
    blobs[layer] = right
    registry.cuts = True
    cut = lockstep(*words)

    assert (wrong[0], "error: model: damaged blob" in wrong[1]) == (3, True)
    assert cut[0] == 0, "small bodies are not cut"
    assert lockstep("verify")[0] == 1, "export writes no store"
