"""Bad input from people: refused with component, place, fix and exit code, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lockstep.cli.main import main
from tiny import WEIGHTS, Tiny, md5_of, pointer, tiny_bundle

ENTRY = "components/front-door/component.yaml"
MODEL = "components/model/component.yaml"
POINTER = "components/model/weights/model.bin.dvc"
Edit = Callable[[Tiny], object]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture
def tiny(bundle: Tiny, tmp_path: Path) -> Tiny:
    return bundle.copy(tmp_path / "tiny")


@dataclass(frozen=True)
class Bad:
    """One kind of bad input: the edit that makes it, and what the error must say."""

    edit: Edit
    said: tuple[str, ...]
    code: int = 1


def replaced(path: str, old: str, new: str) -> Edit:
    return lambda tiny: tiny.replace(path, old, new)


def written(path: str, text: str) -> Edit:
    return lambda tiny: tiny.write(path, text)


def linked(path: str, target: str) -> Edit:
    def link(tiny: Tiny) -> None:
        (tiny.folder / path).unlink(missing_ok=True)
        (tiny.folder / path).symlink_to(target)

    return link


_CALL = "calls: {model: contract/uses/model.yaml}"
_BACK = replaced(MODEL, "weights: [", "calls: {front-door: contract/openapi.yaml}\nweights: [")
_BUILT = "image: {dockerfile: Dockerfile, code: [src]}"
_NO_NAME = ("'Big_Model' is not a component name", "a good one: text-embedding")
REFUSED = {
    "corrupted weight": Bad(
        lambda tiny: tiny.remote.write_bytes(WEIGHTS.upper()),
        ("model", f"{POINTER}:2", f"md5 {md5_of(WEIGHTS.upper())}", f"md5 {md5_of(WEIGHTS)}", "dvc push"),
    ),
    "missing weight": Bad(
        lambda tiny: tiny.remote.unlink(),
        ("model", "model.bin", f"md5 {md5_of(WEIGHTS)}", "weights/model.bin.dvc:2", "dvc push"),
        code=3,
    ),
    "stale lock": Bad(
        written(POINTER, pointer(b"newer weights\n", "model.bin")),
        ("weights/stale model", f"{POINTER}:2", md5_of(b"newer weights\n"), "lockstep weights lock model"),
    ),
    "no lock": Bad(
        lambda tiny: (tiny.folder / "components/model/weights.lock").unlink(),
        ("weights/lock model", "components/model/weights.lock", "lockstep weights lock model"),
    ),
    "DVC 2": Bad(
        replaced(POINTER, "hash: md5", "hash: md5-dos2unix"),
        ("weights/pointer model", f"{POINTER}:4", "md5-dos2unix", "dvc add components/model/weights/model.bin "),
    ),
    "unknown field": Bad(
        replaced(MODEL, "owner:", "onwer: tiny-team\nowner:"),
        ("component/field model", f"{MODEL}:3", "unknown field `onwer`", "remove it, or correct its spelling"),
    ),
    "unknown bundle field": Bad(
        replaced("lockstep.yaml", "entry:", "enrty: x\nentry:"),
        ("bundle/field", "lockstep.yaml:2", "unknown field `enrty`", "remove it, or correct its spelling"),
    ),
    "duplicate key": Bad(
        replaced(MODEL, "owner: tiny-team", "owner: tiny-team\nowner: other-team"),
        ("component/yaml model", f"{MODEL}:4", "duplicate key `owner` (first at line 3)", "remove one of the two"),
    ),
    "cycle": Bad(
        _BACK,
        ("bundle/cycle", ENTRY, "front-door -> model -> front-door", "remove one of these calls"),
    ),
    "dangling call": Bad(
        replaced(ENTRY, _CALL, "calls: {modle: contract/uses/model.yaml}"),
        ("bundle/calls front-door", ENTRY, "`modle`, which is not a component", "create components/modle/"),
    ),
    "two of one name": Bad(
        lambda tiny: tiny.write("components/twin/component.yaml", tiny.read(MODEL)),
        ("component/twice twin", "components/twin/component.yaml", f"also the name in {MODEL}", "another name"),
    ),
    "bad name": Bad(
        written("components/Big_Model/component.yaml", "name: Big_Model\n"),
        ("component/field Big_Model", "components/Big_Model/component.yaml:1", *_NO_NAME),
    ),
    "path that leaves": Bad(
        replaced(ENTRY, "prompts/answer.prompt", "../model/component.yaml"),
        ("component/field front-door", f"{ENTRY}:7", "leaves the component's folder", "a good one: src/model.py"),
    ),
    "symlinked prompt": Bad(
        linked("components/front-door/prompts/answer.prompt", "/etc/hostname"),
        ("component/symlink front-door", "components/front-door/prompts/answer.prompt", "put the file itself there"),
    ),
    "symlink in the code": Bad(
        linked("components/front-door/src/other.py", "../../../model/src/model.py"),
        ("code/tree front-door", "components/front-door/src/other.py", "leaves"),
    ),
    "tag for a digest": Bad(
        replaced(MODEL, _BUILT, "image: {reference: 'vllm/vllm-openai:latest'}"),
        ("component/field model", f"{MODEL}:5", "'vllm/vllm-openai:latest' is not an image reference pinned by digest",
         "a good one: vllm/vllm-openai@sha256:"),
    ),
    "literal secret": Bad(
        replaced(ENTRY, "GREETING:", "API_TOKEN: hunter2, GREETING:"),
        ("component/secret front-door", f"{ENTRY}:10", "`API_TOKEN` looks like a literal secret", "under `secrets:`"),
    ),
    "missing file": Bad(
        lambda tiny: (tiny.folder / "components/model/contract/openapi.yaml").unlink(),
        ("component/path model", MODEL, "`components/model/contract/openapi.yaml` is not in the commit", "git add"),
    ),
    "prompt that is no text": Bad(
        lambda tiny: tiny.write("components/front-door/prompts/answer.prompt", b"\xff\xfe"),
        ("prompt/text front-door", "components/front-door/prompts/answer.prompt", "not UTF-8", "save the file"),
    ),
    "no component": Bad(
        lambda tiny: tiny.git("rm", "-rq", "components"),
        ("bundle/empty", "components/", "there is no component", "lockstep init"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_release_refuses(name: str, tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    bad = REFUSED[name]
    bad.edit(tiny)
    tiny.commit("bad input")
    tiny.git("tag", "--force", "v1.0.0")
    before = tiny.git("for-each-ref")

    code = main(["release", "1.0.0", "-C", str(tiny.folder)])

    shown = capsys.readouterr()
    assert shown.out == ""
    assert [part for part in bad.said if part not in shown.err] == [], shown.err
    assert "fix:" in shown.err
    assert "where:" in shown.err
    assert "Traceback" not in shown.err
    assert code == bad.code
    assert tiny.git("for-each-ref") == before
    assert tiny.git("status", "--porcelain") == ""


def test_a_damaged_copy_of_weights_is_passed_over_for_a_good_one(tiny: Tiny):
    tiny.write("components/model/weights/model.bin", WEIGHTS.upper())

    made = tiny.release("1.0.0")

    assert made.edited.commit


def test_a_secret_is_never_shown(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    REFUSED["literal secret"].edit(tiny)
    tiny.commit()
    tiny.git("tag", "--force", "v1.0.0")

    main(["release", "1.0.0", "-C", str(tiny.folder)])

    assert "hunter2" not in "".join(capsys.readouterr())
