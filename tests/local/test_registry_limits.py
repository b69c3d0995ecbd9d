"""What a registry does not take is said before a byte goes there; and a tag that it keeps is respected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes import FakeRegistry
from lockstep.cli.main import program
from lockstep.core.errors import OutsideError, Refused
from lockstep.core.version import Version
from lockstep.oci.http import Access
from lockstep.oci.layout import Layout
from lockstep.oci.patience import Patience
from lockstep.oci.registry import Registries
from lockstep.oci.store import copy_image
from lockstep.verbs.images.stores import own_stores
from lockstep.verbs.push import push_release
from store_contract import an_image
from tiny import Tiny, pointer, tiny_bundle

BIG = b"w" * 1_100_000
ENDS = Registries(Access(patience=Patience(sleep=lambda _: None)))
IMMUTABLE = json.dumps({"errors": [{"code": "TAG_INVALID", "message": "the repository is immutable"}]}).encode()


@pytest.fixture
def tiny(tmp_path: Path, host: str) -> Tiny:
    """The tiny bundle with one large file of weights, and a registry that takes layers of 1 MB."""
    tiny = tiny_bundle(tmp_path / "bundle")
    tiny.write("components/model/weights/model.bin", BIG)
    tiny.write("components/model/weights/model.bin.dvc", pointer(BIG, "model.bin"))
    tiny.write(".gitignore", "/.lockstep/\n*.bin\n__pycache__/\n")
    tiny.replace("lockstep.yaml", "registry: lockstep.local/tiny", f"registry: {host}/team/tiny\nlargest_layer: 1M")
    tiny.commit("large weights")
    return tiny


def test_a_lock_warns_and_a_lock_that_pushes_is_refused_before_a_byte_is_read_or_sent(
    tiny: Tiny, run: Callable[..., str], fake: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tiny.read("components/model/weights.lock")

    shown = run("weights", "lock", "model", "--push", code=1)

    assert "weights/layer model: model.bin is a layer of 1,100,000 bytes, the registry takes 1,000,000 at most" in shown
    assert "split the file" in shown
    assert fake.requests == []
    assert tiny.read("components/model/weights.lock") == before
    tiny.lock()
    assert tiny.read("components/model/weights.lock") != before
    assert capsys.readouterr().out == ""


def test_plan_warns_and_push_is_refused_before_a_byte_is_sent(tiny: Tiny, fake: FakeRegistry) -> None:
    tiny.lock()
    tiny.commit("locked")
    tiny.tag("1.1.0")
    planned = CliRunner().invoke(program, ["plan", "-C", str(tiny.folder)])
    tiny.release("1.1.0")

    with pytest.raises(Refused, match="cannot be pushed") as caught:
        push_release(tiny.workspace, Version("1.1.0"), own_stores(tiny.workspace), dry=False)

    assert "warning: model: model.bin is a layer of 1,100,000 bytes" in planned.stderr, planned.output
    (finding,) = caught.value.findings
    assert (finding.rule, finding.component) == ("weights/layer", "model")
    assert fake.received == 0


def test_a_larger_limit_lets_it_go(tiny: Tiny, fake: FakeRegistry, run: Callable[..., str]) -> None:
    tiny.replace("lockstep.yaml", "largest_layer: 1M", "largest_layer: 2Mi")
    tiny.commit("a larger limit")

    run("weights", "lock", "model", "--push")

    assert fake.received > len(BIG)


@pytest.mark.parametrize(("status", "body"), [(400, IMMUTABLE), (409, b""), (412, b""), (405, b""), (403, IMMUTABLE)])
def test_a_tag_that_the_registry_keeps_is_named_with_both_digests(
    fake: FakeRegistry, host: str, tmp_path: Path, status: int, body: bytes
) -> None:
    source, target = Layout(tmp_path / "source"), ENDS.at(f"{host}/team/ocr")
    image, other = an_image(source), an_image(source, "other", "stop")
    copy_image(source, target, image.digest, "release-1.0.0")
    fake.keeps_tags = (status, body)

    with pytest.raises(Refused) as caught:
        copy_image(source, target, other.digest, "release-1.0.0")

    (finding,) = caught.value.findings
    assert (finding.rule, finding.where) == ("push/tag", f"{host}/team/ocr:release-1.0.0")
    assert image.digest in finding.what
    assert other.digest in finding.what
    assert str(status) in finding.what
    assert "immutable" in finding.fix
    assert target.digest_of("release-1.0.0") == image.digest


def test_a_tag_that_names_our_image_already_is_success(fake: FakeRegistry, host: str, tmp_path: Path) -> None:
    source, target = Layout(tmp_path / "source"), ENDS.at(f"{host}/team/ocr")
    image = an_image(source)
    copy_image(source, target, image.digest, "release-1.0.0")
    fake.keeps_tags = (400, IMMUTABLE)

    copy_image(source, target, image.digest, "release-1.0.0")

    assert target.tags() == {"release-1.0.0": image.digest}


def test_a_refusal_for_another_reason_stays_what_it_is(fake: FakeRegistry, host: str, tmp_path: Path) -> None:
    source, target = Layout(tmp_path / "source"), ENDS.at(f"{host}/team/ocr")
    image, other = an_image(source), an_image(source, "other", "stop")
    copy_image(source, target, image.digest, "release-1.0.0")
    fake.keeps_tags = (403, b"")

    with pytest.raises(OutsideError, match="403"):
        copy_image(source, target, other.digest, "release-1.0.0")
