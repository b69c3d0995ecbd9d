"""release.yaml; and a small release made in code, which the other tests of the core share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core.bundle import Platform
from lockstep.core.component import Gate, Kind, Probes, Resources
from lockstep.core.diff import diff
from lockstep.core.errors import Refused
from lockstep.core.names import ComponentName, Digest, DvcMd5, GitSha, ImageRef
from lockstep.core.release import (
    BumpSaid,
    Copier,
    LayerRef,
    Pinned,
    PinnedImage,
    PinnedWeights,
    Release,
    format_release,
    parse_release,
)
from lockstep.core.version import Bump, Version
from lockstep.core.weights import WeightsFile

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "charts/objects").glob("*.j2")}
REGISTRY = "registry.test/tiny"
GATEWAY, SUMMARIZER, LLM, OCR = map(ComponentName, ("gateway", "summarizer", "llm", "ocr"))
CALLS: Mapping[ComponentName, tuple[ComponentName, ...]] = {
    GATEWAY: (OCR, SUMMARIZER),
    SUMMARIZER: (LLM,),
    LLM: (),
    OCR: (),
}


def sha(digit: int) -> Digest:
    """Some digest."""
    return Digest(f"sha256:{digit:064x}")


def image(name: str, digit: int = 1) -> PinnedImage:
    """An image of ours."""
    return PinnedImage(reference=ImageRef(f"{name}@{sha(digit)}"), code=LayerRef(digest=sha(digit + 100), size=7))


def weights(name: str, digit: int = 1, *, copier: bool = False) -> PinnedWeights:
    """An image of weights with one file."""
    file = WeightsFile(
        path=f"weights/{name}.bin.dvc",
        name=f"{name}.bin",
        md5=DvcMd5(f"{digit:032x}"),
        size=9,
        sha256=sha(digit),
        layer=sha(digit + 1),
    )
    image = ImageRef(f"{name}-weights@{sha(digit)}")
    by = Copier(reference=ImageRef(f"{name}-weights@{sha(digit + 2)}"), base=ImageRef(f"python@{sha(7)}"))
    return PinnedWeights(reference=image, files=(file,), copier=by if copier else None)


def pinned(name: ComponentName, **changes: Any) -> Pinned:
    """A component of the small release, with some fields otherwise."""
    fields: dict[str, Any] = {
        "kind": Kind.SERVICE,
        "image": image(name),
        "command": ("python3", "-m", name),
        "port": 8080,
        "prompts": {"summary.prompt": "Summarize {{ text }}.\n"} if name == SUMMARIZER else {},
        "weights": weights(name) if name in {OCR, LLM} else None,
        "contract": sha(3),
        "calls": dict.fromkeys(CALLS.get(name, ()), sha(4)),
        "config": {"WORDS": "30"},
        "secrets": ("api-key",) if name == LLM else (),
        "resources": Resources(cpu="100m", memory="128Mi"),
        "replicas": 1,
        "grace": 30,
        "probes": Probes(),
        "gate": Gate(command=("python3", "-m", "gateway.gate"), deadline=60) if name == GATEWAY else None,
    }
    return Pinned(**{**fields, **changes})


def release_of(version: str = "1.0.0", **changes: Mapping[str, Any]) -> Release:
    """The small release: gateway -> ocr, summarizer -> llm; with some fields of some components otherwise."""
    components = {name: pinned(name, **changes.get(name, {})) for name in CALLS}
    return Release(
        version=Version(version),
        commit=GitSha("c" * 40),
        entry=GATEWAY,
        base=None,
        bump=BumpSaid(required=Bump.NONE, chosen=Bump.NONE),
        platform=Platform(),
        templates={},
        components=components,
        inputs={},
        changes=(),
    )


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text(), max_size=3))
def test_parse_release_is_the_inverse_of_format_release(prompt: str, config: dict[str, str]) -> None:
    release = release_of(summarizer={"prompts": {"a.prompt": prompt}, "config": config})

    again = parse_release(format_release(release), "release.yaml")

    assert again == release
    assert again.digest == release.digest
    assert format_release(again) == format_release(release)


def test_a_release_does_not_depend_on_the_order_of_its_components() -> None:
    release = release_of()
    backwards = release.model_copy(update={"components": dict(reversed(release.components.items()))})

    assert backwards.digest == release.digest
    assert format_release(backwards) == format_release(release)


def test_parse_release_says_every_problem_with_its_line() -> None:
    text = format_release(release_of()).replace("entry:", "entrance:").replace('"c' + "c" * 39, '"short')

    with pytest.raises(Refused) as caught:
        parse_release(text, "release.yaml")

    lines = text.splitlines()
    places = {finding.what: finding.where for finding in caught.value.findings}
    unknown = next(where for what, where in places.items() if "unknown field `entrance`" in what)
    assert lines[int(unknown.rpartition(":")[2]) - 1].startswith("entrance:")
    assert any("`entry` is missing" in what for what in places)
    assert any("commit" in what for what in places)


def test_diff_of_a_release_with_itself_is_empty() -> None:
    assert diff(release_of(), release_of("2.0.0")) == ()


def test_diff_names_what_will_run_otherwise() -> None:
    changes = {"prompts": {"summary.prompt": "Other.\n"}, "config": {"WORDS": "40"}}

    found = diff(release_of(), release_of(summarizer=changes, ocr={"weights": weights("ocr", 5)}))

    assert [(item.component, item.what) for item in found] == [
        ("ocr", "weights"),
        ("ocr", "weights.ocr.bin"),
        ("summarizer", "config.WORDS"),
        ("summarizer", "prompts.summary.prompt"),
    ]
    assert (found[3].old, found[3].new) == ("Summarize {{ text }}.\n", "Other.\n")
