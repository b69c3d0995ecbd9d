"""An image that a component.yaml names may lie where gc looks: it stays, before a release pins it and afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import FakeRegistry
from named_weights import MODEL
from tiny import Tiny, md5_of, pointer, set_identity, tiny_bundle

MORE = b"other weights of the tiny model\n"
LISTED = "weights: [weights/model.bin.dvc]"
Run = Callable[..., str]


@pytest.fixture
def tiny(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """1.0.0, and 1.1.0 with other weights; only the newest release keeps its images."""
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "bundle")
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny\nretention: {{last: 1}}")
    tiny.commit("a registry")
    tiny.git("tag", "-f", "v1.0.0")
    tiny.release("1.0.0")
    tiny.write("components/model/weights/model.bin.dvc", pointer(MORE, "model.bin"))
    tiny.write(f".dvc/remote/files/md5/{md5_of(MORE)[:2]}/{md5_of(MORE)[2:]}", MORE)
    tiny.lock()
    tiny.commit("other weights")
    tiny.tag("1.1.0")
    tiny.release("1.1.0")
    return tiny


@pytest.mark.parametrize("words", [("--registry",), ("--days", "0")], ids=["registry", "store"])
def test_what_a_component_names_stays(
    tiny: Tiny, run: Run, host: str, fake: FakeRegistry, words: tuple[str, ...]
) -> None:
    run("push", "1.0.0")
    run("push", "1.1.0")
    weights = tiny.workspace.state.release(tiny.workspace.state.versions[0]).components["model"].weights
    assert weights is not None
    (doomed,) = [line for line in run("gc", *words).splitlines() if "model-weights@" in line]

    tiny.replace(MODEL, LISTED, f'weights: {{image: "{host}/team/tiny/{weights.reference}"}}')
    tiny.git("rm", "-q", "components/model/weights.lock", "components/model/weights/model.bin.dvc")
    unsaved = run("gc", *words)
    tiny.commit("the first weights again, as the image that they are")
    tiny.tag("1.2.0")
    run("release", "1.2.0")
    said = run("gc", *words, "--delete")

    assert weights.reference in doomed
    assert weights.reference not in unsaved
    assert weights.reference not in said
    assert weights.reference.digest in fake.manifests["team/tiny/model-weights"]
    assert run("verify", "1.2.0", "--deep")
