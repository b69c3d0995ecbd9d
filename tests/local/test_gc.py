"""gc: what no release, environment or lock needs goes, and everything else can still be verified, run and released."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lockstep.adapters import files
from lockstep.core.names import digest_of
from lockstep.core.rules.image import our_images
from lockstep.core.version import Version
from lockstep.core.weights import parse_lock
from lockstep.oci.layout import Layout
from lockstep.oci.unpack import unpacked
from lockstep.verbs.gc import Collecting, collect_store
from tiny import WEIGHTS, Tiny, good_tree, md5_of, pointer

Run = Callable[..., str]
DAY = 86_400
LATER = ("--days", "0")  # whatever is in the store is old enough


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """1.0.0 and 1.1.0, which share their images, and 1.2.0 with other code and weights; 1.1.0 serves in staging."""
    tiny = good_tree(tmp_path_factory.mktemp("good") / "tiny")
    tiny.write("components/front-door/src/front_door.py", tiny.read("components/front-door/src/front_door.py") + "#\n")
    reweigh(tiny, WEIGHTS + b"more")
    tiny.commit("code and weights")
    tiny.tag("1.2.0")
    tiny.release("1.2.0")
    return tiny


def reweigh(tiny: Tiny, data: bytes) -> None:
    """Other weights, locked; their bytes are in the remote."""
    tiny.write("components/model/weights/model.bin.dvc", pointer(data, "model.bin"))
    name = md5_of(data)
    tiny.write(f".dvc/remote/files/md5/{name[:2]}/{name[2:]}", data)
    tiny.lock()


def retain(tiny: Tiny, rule: str) -> None:
    tiny.write("lockstep.yaml", tiny.read("lockstep.yaml") + f"retention: {rule}\n")
    tiny.commit("retention")


def blobs(tiny: Tiny) -> set[str]:
    return {path.name for path in (tiny.folder / ".lockstep/store/blobs/sha256").iterdir()}


def doomed(said: str) -> list[str]:
    return sorted(f"{one['repository']} {' '.join(tag for tag in one['tags'] if 'release' in tag)}".strip()
                  for one in json.loads(said)["images"])  # fmt: skip


def test_a_store_in_which_everything_is_needed_loses_nothing(tiny: Tiny, run: Run):
    before = blobs(tiny)

    said = run("gc", *LATER, "--delete")

    assert blobs(tiny) == before
    assert "0 images, 0 blobs" in said


def test_what_was_built_and_never_released_goes_once_it_is_old(tiny: Tiny, run: Run):
    before = blobs(tiny)
    tiny.write("components/model/src/model.py", tiny.read("components/model/src/model.py") + "# tried\n")
    tiny.commit("an experiment")
    run("build")
    tried = blobs(tiny) - before

    young = run("gc", "--delete")
    listed = run("gc", *LATER)
    kept = blobs(tiny)
    said = run("gc", *LATER, "--delete")

    assert len(tried) == 3, "a layer, a configuration and a manifest"
    assert "0 images, 0 blobs" in young
    assert kept == before | tried, "listing deletes nothing"
    assert "nothing was deleted; to delete: lockstep gc --delete" in listed
    assert blobs(tiny) == before
    assert "- model@sha256:" in said
    assert "no release and no environment names it" in said
    assert tiny.verify(deep=True).findings == ()


def test_retention_lets_a_release_go_and_verify_knows_it(tiny: Tiny, run: Run):
    retain(tiny, "{last: 1}")

    said = run("gc", *LATER, "--delete", "-o", "json")

    # 1.1.0 serves and shares its images with 1.0.0, so none of 1.0.0's can go.
    assert doomed(said) == []
    assert json.loads(said)["releases"] == {"1.1.0": "serves in staging", "1.2.0": "the newest"}
    verified = tiny.verify(deep=True)
    assert verified.findings == ()
    assert any("the images of 1.0.0" in note for note in verified.notes)


@pytest.fixture
def moved_on(tiny: Tiny, run: Run) -> Tiny:
    """1.2.0 serves, alone."""
    tiny.serve("1.2.0")
    tiny.replace("lockstep.yaml", "staging: {prereleases: true}", "staging: {retire_after_seconds: 0}")
    tiny.commit("no waiting")
    run("retire", "staging", "--drop", "1.1.0")
    return tiny


def test_images_of_releases_past_their_retention_go_and_the_rest_is_whole(moved_on: Tiny, run: Run, tmp_path: Path):
    retain(moved_on, "{last: 1}")
    before = blobs(moved_on)

    said = run("gc", *LATER, "--delete", "-o", "json")

    assert doomed(said) == ["front-door release-1.0.0 release-1.1.0", "model-weights release-1.0.0 release-1.1.0"]
    assert blobs(moved_on) < before
    assert {one["digest"].removeprefix("sha256:") for one in json.loads(said)["blobs"]} == before - blobs(moved_on)
    assert moved_on.verify(deep=True).findings == ()
    store = Layout(moved_on.folder / ".lockstep/store")
    for wanted in our_images(moved_on.workspace.state.release(Version("1.2.0"))):
        assert unpacked(store, wanted.reference.digest, tmp_path / "images").is_dir()
    assert "0 images, 0 blobs" in run("gc", *LATER, "--delete")


def test_what_went_can_be_made_again_from_its_commit(moved_on: Tiny, run: Run):
    release = moved_on.workspace.state.release(moved_on.workspace.state.versions[0])
    retain(moved_on, "{last: 1}")
    run("gc", *LATER, "--delete")

    run("build", release.commit)

    store = Layout(moved_on.folder / ".lockstep/store")
    assert all(store.has(part.image.reference.digest) for part in release.components.values() if part.image)


def test_a_hold_keeps_a_release(moved_on: Tiny, run: Run):
    retain(moved_on, "{last: 1, hold: [1.0.0]}")

    said = json.loads(run("gc", *LATER, "-o", "json"))

    assert said["images"] == []
    assert said["releases"] == {"1.0.0": "held", "1.2.0": "serves in staging"}


def test_days_are_counted_from_the_commit_of_the_release(moved_on: Tiny):
    retain(moved_on, "{days: 2}")
    committed = float(moved_on.git("log", "--format=%ct", "--diff-filter=A", "--", "releases/1.0.0/release.yaml"))
    one = Version("1.0.0")

    young, old = (
        collect_store(
            moved_on.workspace, Collecting(delete=False, abandoned=frozenset(), now=committed + age * DAY, days=0)
        )
        for age in (1.9, 2.1)
    )

    assert young.kept[one] == "younger than 2 days"
    assert one not in old.kept
    assert not young.collection.doomed
    assert old.collection.doomed


def test_layers_of_a_lock_stay_before_any_release_pins_them(tiny: Tiny, run: Run):
    data = b"weights of tomorrow\n"
    tiny.write("components/model/weights/model.bin.dvc", pointer(data, "model.bin"))
    tiny.write(f".dvc/remote/files/md5/{md5_of(data)[:2]}/{md5_of(data)[2:]}", data)
    run("weights", "lock", "model", "--store")
    before = blobs(tiny)
    (file,) = parse_lock(tiny.read("components/model/weights.lock"), "weights.lock", "model").files

    run("gc", *LATER, "--delete")

    assert file.layer.hex in blobs(tiny)
    assert blobs(tiny) == before


def test_a_release_that_this_clone_does_not_have_stops_it(tiny: Tiny, run: Run):
    older = tiny.git("rev-list", "--reverse", "HEAD", "--", "releases/1.2.0").splitlines()[0]
    tiny.git("reset", "-q", "--hard", f"{older}~1")
    before = blobs(tiny)

    said = run("gc", *LATER, "--delete", code=1)

    assert "gc/unknown" in said
    assert "--abandoned 1.2.0" in said
    assert blobs(tiny) == before
    assert "1.2.0 never became a release" in run("gc", *LATER, "--delete", "--abandoned", "1.2.0")
    assert tiny.verify(deep=True).findings == ()


def test_a_release_cannot_be_called_abandoned(run: Run):
    assert "1.0.0 is a release: it was not abandoned" in run("gc", "--abandoned", "1.0.0", code=2)


def test_a_moved_tag_stops_it(tiny: Tiny, run: Run):
    store = Layout(tiny.folder / ".lockstep/store", "front-door")
    store.tag("release-1.0.0", store.manifest(store.tags()["release-1.2.0"]))

    assert "gc/moved" in run("gc", *LATER, "--delete", code=1)


def test_a_release_or_environment_that_cannot_be_read_stops_it(tiny: Tiny, run: Run):
    before = blobs(tiny)
    for path in ("releases/1.1.0/release.yaml", "releases/staging/front/front.yaml"):
        good = tiny.read(path)
        tiny.write(path, "version: [\n")
        tiny.commit("broken")
        assert path in run("gc", *LATER, "--delete", code=1)
        tiny.write(path, good)
        tiny.commit("mended")

    assert blobs(tiny) == before


def test_a_manifest_that_cannot_be_read_stops_it(tiny: Tiny, run: Run):
    digest = Layout(tiny.folder / ".lockstep/store", "model").tags()["release-1.2.0"]
    (tiny.folder / ".lockstep/store/blobs/sha256" / digest.hex).write_bytes(b"{}")
    before = blobs(tiny)

    assert digest in run("gc", *LATER, "--delete", code=3)
    assert blobs(tiny) == before


def test_images_of_others_stay(tiny: Tiny, run: Run):
    store = Layout(tiny.folder / ".lockstep/store", "theirs")
    other = Layout(tiny.folder / ".lockstep/store", "model")
    store.tag("latest", other.manifest(other.tags()["release-1.2.0"]))

    said = json.loads(run("gc", *LATER, "-o", "json"))

    assert said["images"] == []
    assert store.tags()


def test_a_run_that_was_killed_between_its_two_steps_is_finished_by_the_next(moved_on: Tiny, run: Run):
    retain(moved_on, "{last: 1}")
    whole = json.loads(run("gc", *LATER, "-o", "json"))
    for image in whole["images"]:
        Layout(moved_on.folder / ".lockstep/store", image["repository"]).delete(image["digest"])

    rest = json.loads(run("gc", *LATER, "--delete", "-o", "json"))

    assert rest["images"] == []
    assert rest["blobs"] == whole["blobs"]
    assert moved_on.verify(deep=True).findings == ()


@pytest.fixture
def somebody(tiny: Tiny) -> Iterator[None]:
    """Somebody who writes to the store."""
    with files.held_together(tiny.folder / ".lockstep/store.lock", "lockstep release"):
        yield


@pytest.mark.usefixtures("somebody")
def test_it_waits_for_nobody_who_writes(run: Run):
    assert "lockstep release is at work here" in run("gc", *LATER, code=3)


def test_a_loose_blob_goes_and_a_foreign_file_stays(tiny: Tiny, run: Run):
    folder = tiny.folder / ".lockstep/store/blobs/sha256"
    loose = folder / digest_of(b"loose").hex
    loose.write_bytes(b"loose")
    os.utime(loose, (0, 0))
    (folder / "README").write_bytes(b"not a blob")

    said = run("gc", "--delete")

    assert "1 blob, 5 B" in said
    assert not loose.exists()
    assert (folder / "README").exists()
