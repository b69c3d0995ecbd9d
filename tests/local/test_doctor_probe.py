"""doctor --probe: what a registry does with a tag that is written twice; and what is left of it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from fakes import FakeRegistry
from lockstep.core.doctor.images import Probed
from lockstep.core.errors import OutsideError
from lockstep.oci.store import put_image
from lockstep.verbs.forge.probe import REPOSITORY, TAG, _image, probe_tags
from lockstep.verbs.images.stores import Stores, own_stores
from tiny import Tiny

NAME = f"team/{REPOSITORY}"
IMMUTABLE = json.dumps({"errors": [{"code": "TAG_INVALID", "message": "the repository is immutable"}]}).encode()
DENIED = json.dumps({"errors": [{"code": "DENIED", "message": "requested access is denied"}]}).encode()


@pytest.fixture
def served(released: Tiny) -> Tiny:
    """Release 1.0.0."""
    return released


@pytest.fixture
def stores(tiny: Tiny) -> Stores:
    return own_stores(tiny.workspace)


def test_a_registry_that_moves_tags_is_found_out_and_nothing_is_left(
    stores: Stores, fake: FakeRegistry, host: str
) -> None:
    first, again = (probe_tags(stores, f"{host}/team") for _ in range(2))

    assert first == again == (Probed.MOVED, "")
    assert fake.tags == {NAME: {}}
    assert fake.manifests == {NAME: {}}
    assert [path.rpartition("/")[2] for path in fake.sent("PUT") if "/manifests/" in path] == [TAG] * 4


@pytest.mark.parametrize("refusal", [(409, IMMUTABLE), (403, IMMUTABLE), (403, DENIED), (400, DENIED)])
def test_a_registry_that_keeps_tags_is_fine_however_it_says_so(
    stores: Stores, fake: FakeRegistry, host: str, refusal: tuple[int, bytes]
) -> None:
    fake.keeps_tags = refusal

    assert probe_tags(stores, f"{host}/team") == (Probed.KEPT, "")
    assert fake.tags == {NAME: {}}


def test_what_a_registry_does_not_delete_is_named_and_serves_the_next_probe(
    stores: Stores, fake: FakeRegistry, host: str
) -> None:
    fake.refuses["DELETE"] = (405, b"")

    found = [probe_tags(stores, f"{host}/team") for _ in range(3)]

    assert found == [(Probed.MOVED, f"{host}/{NAME}:{TAG}")] * 3
    assert len([path for path in fake.sent("PUT") if "/manifests/" in path]) == 4, "one tag more each time"


def test_a_registry_that_lets_us_write_nothing_is_no_registry_that_keeps_tags(
    stores: Stores, fake: FakeRegistry, host: str
) -> None:
    put_image_of(stores, f"{host}/{NAME}")
    fake.keeps_tags = (403, DENIED)

    with pytest.raises(OutsideError, match="answered 403"):
        probe_tags(stores, f"{host}/team")


def put_image_of(stores: Stores, name: str) -> None:
    """What a probe that was killed leaves."""
    store = stores.at(name)
    store.put("layer", lambda sink: sink.write(bytes(1024)))
    put_image(store, _image("1"), TAG)


def test_doctor_says_what_the_probe_saw(tiny: Tiny, run: Callable[..., str], fake: FakeRegistry, host: str) -> None:
    tiny.replace("lockstep.yaml", "registry: lockstep.local/tiny", f"registry: {host}/team")
    tiny.write("CODEOWNERS", "* @team\n")
    tiny.commit("a registry")

    fake.keeps_tags = (409, IMMUTABLE)
    kept = run("doctor", "--probe")

    assert "doctor/immutable     a tag that was written refused to be moved\n" in kept
    assert kept.startswith("GitLab was not asked: it is not known which project of which GitLab this is: Git pushes it")
