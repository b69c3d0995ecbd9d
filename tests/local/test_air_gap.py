"""export and import: a release goes where no network leads, whole and byte for byte, or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes import FakeRegistry, serving
from lockstep.cli.main import main, program
from lockstep.core.bundle import Platform
from lockstep.core.errors import LockstepError, OutsideError, Refused, UsageError
from lockstep.core.names import Digest, digest_of
from lockstep.core.version import Version
from lockstep.oci.archive import Archive
from lockstep.oci.image import InvalidManifest, image_of, parse_manifest
from lockstep.oci.layer import END, header, padding
from lockstep.oci.layout import Layout
from lockstep.oci.registry import Registries
from lockstep.oci.store import copy_image, layer_of, put_image, verify_blob, writing
from lockstep.verbs.export import export_release
from lockstep.verbs.import_ import import_release
from lockstep.verbs.push import push_release
from lockstep.verbs.release import build_commit
from lockstep.verbs.stores import own_stores
from lockstep.verbs.verify import verify_bundle
from tiny import Tiny, base_image, set_identity, tiny_bundle, with_base

TOOLS = Path(__file__).resolve().parents[2] / "tools"
ONE = Version("1.0.0")
LARGE = 48 << 20
RELEASE = "releases/1.0.0/release.yaml"
REF = "org.opencontainers.image.ref.name"
INDEX = "application/vnd.oci.image.index.v1+json"
# A process that is killed before one of its renames: each makes a blob or a tag visible.
KILLED = """
import os, signal, sys
left, done = int(sys.argv[1]), 0
def audit(event, arguments):
    global done
    if event == "os.rename":
        if done == left:
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
sys.addaudithook(audit)
from lockstep.cli.main import main
assert main(["import", sys.argv[2], "-C", sys.argv[3]]) == 0
print(done)
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The tiny bundle with release 1.0.0, and what an export of it gives."""
    folder = tmp_path_factory.mktemp("released")
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        tiny = tiny_bundle(folder / "bundle")
        tiny.release("1.0.0")
    exported(tiny, folder / "release.tar")
    return tiny


@pytest.fixture(scope="module")
def archive(released):
    """The bytes of the archive."""
    return (released.folder.parent / "release.tar").read_bytes()


@pytest.fixture
def other(released, tmp_path, monkeypatch):
    """A clone on the other side: Git has the release, the store has nothing."""
    set_identity(monkeypatch)
    return clone(released, tmp_path / "other")


@pytest.fixture
def fake():
    return FakeRegistry(page=1000)


@pytest.fixture
def host(fake):
    with serving(fake) as name:
        yield name


def clone(tiny, folder):
    tiny.git("clone", "-q", str(tiny.folder), str(folder))
    return Tiny(folder)


def exported(tiny, file):
    return export_release(tiny.workspace, ONE, own_stores(tiny.workspace), file)


def imported(tiny, data, *, dry=False, workspace=None):
    workspace = workspace or tiny.workspace
    return import_release(workspace, Archive(io.BytesIO(data), "x.tar"), own_stores(workspace), dry=dry)


def store_of(tiny, repository=""):
    return Layout(tiny.folder / ".lockstep/store", repository)


def tags_of(tiny):
    path = tiny.folder / ".lockstep/store/index.json"
    if not path.exists():
        return {}
    entries = json.loads(path.read_bytes())["manifests"]
    return {entry["annotations"][REF]: entry["digest"] for entry in entries}


def findings_of(tiny):
    return verify_bundle(tiny.workspace, ("1.0.0",), own_stores(tiny.workspace).of, deep=True).findings


def members_of(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        return [(one.name, opened.extractfile(one).read()) for one in opened]


def packed(members, end=END):
    """An archive of any members, written as ours are."""
    parts = [header(name, b"0", 0o644, size=len(data)) + data + padding(len(data)) for name, data in members]
    return b"".join(parts) + end


def refused(tiny, data):
    """What an import that must be refused says; no tag was set."""
    with pytest.raises(LockstepError) as caught:
        imported(tiny, data)
    assert caught.value.exit_code == 1
    assert tags_of(tiny) == {}
    return "\n".join(f"{one.rule} {one.component} {one.where} {one.what}" for one in caught.value.findings)


def test_a_release_comes_to_the_other_side_as_it_was(released, other, archive):
    assert {finding.rule for finding in findings_of(other)} == {"store/absent"}

    done = imported(other, archive)

    blobs = {name.rpartition("/")[2]: data for name, data in members_of(archive) if name.startswith("blobs/")}
    here = {path.name: path.read_bytes() for path in (other.folder / ".lockstep/store/blobs/sha256").iterdir()}
    there = released.folder / ".lockstep/store/blobs/sha256"
    document = (released.folder / RELEASE).read_bytes()
    assert findings_of(other) == ()
    assert done.is_in_git
    assert done.release.digest == released.workspace.state.release(ONE).digest
    assert here == blobs
    assert document in blobs.values()
    assert all((there / name).read_bytes() == data for name, data in blobs.items() if (there / name).exists())
    assert len([name for name in blobs if (there / name).exists()]) == len(blobs) - 3, "all but the artifact's own"
    assert sorted(tags_of(other)) == [
        "front-door:release-1.0.0", "model-weights:release-1.0.0", "model:release-1.0.0", "release.yaml:release-1.0.0",
    ]  # fmt: skip


def test_what_was_imported_is_pushed_and_serves(other, archive, fake, host):
    other.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/far/tiny")
    other.commit("the registry of this side")
    imported(other, archive)

    push_release(other.workspace, ONE, own_stores(other.workspace), dry=False)
    other.serve("1.0.0")

    assert sorted(fake.tags) == ["far/tiny/front-door", "far/tiny/model", "far/tiny/model-weights"]
    assert verify_bundle(other.workspace, (), own_stores(other.workspace).of, deep=True).findings == ()


def test_the_same_release_gives_the_same_bytes_from_either_side(released, other, archive, tmp_path):
    imported(other, archive)

    exported(other, tmp_path / "back.tar")
    exported(released, tmp_path / "again.tar")

    assert (tmp_path / "back.tar").read_bytes() == (tmp_path / "again.tar").read_bytes() == archive
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.tar", "back.tar", "other"]


def test_a_second_import_writes_nothing(other, archive):
    imported(other, archive)
    before = stamps(other)

    again = imported(other, archive)

    assert stamps(other) == before
    assert again.new_bytes == 0
    assert not any(one.new_blobs or one.is_new for one in again.images)


def stamps(tiny):
    paths = [tiny.folder / ".lockstep/store", *(tiny.folder / ".lockstep/store").rglob("*")]
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def test_a_dry_import_checks_all_of_the_file_and_writes_nothing(other, archive):
    said = imported(other, archive, dry=True)
    with pytest.raises(Refused):
        imported(other, archive[:-1], dry=True)

    assert not (other.folder / ".lockstep").exists()
    assert said == imported(other, archive)


def test_a_dry_export_says_what_the_export_writes_and_writes_nothing(released, archive, tmp_path):
    said = exported(released, None)

    assert said.size == len(archive)
    assert said == exported(released, tmp_path / "x.tar")


def test_an_unpacked_archive_is_a_layout_with_its_tags(released, archive, tmp_path):
    (tmp_path / "x.tar").write_bytes(archive)
    (tmp_path / "layout").mkdir()
    subprocess.run(["tar", "xf", "../x.tar"], cwd=tmp_path / "layout", check=True)
    release = released.workspace.state.release(ONE)

    for name, pinned in release.components.items():
        store = Layout(tmp_path / "layout", name)
        assert store.tags() == {"release-1.0.0": pinned.image.reference.digest}
        manifest = parse_manifest(store.manifest(pinned.image.reference.digest), name)
        assert [verify_blob(store, one.digest) for one in manifest.layers] == [one.size for one in manifest.layers]
    artifact = Layout(tmp_path / "layout", "release.yaml")
    data = json.loads(artifact.manifest(artifact.tags()["release-1.0.0"]))
    assert data["artifactType"] == "application/vnd.lockstep.release.v1"
    assert data["annotations"]["dev.lockstep.release.digest"] == release.digest
    assert data["layers"][0]["digest"] == digest_of((released.folder / RELEASE).read_bytes())
    assert data["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2
    }  # fmt: skip


def test_a_flipped_byte_anywhere_is_refused(other, archive):
    """Each region of each member: header, content, padding, and the end. None is harmless."""
    chance, workspace = random.Random(7), other.workspace
    flipped = {}
    for kind, begin, end in regions(archive):
        for place in sorted({begin, end - 1, *(chance.randrange(begin, end) for _ in range(3))}):
            data = bytearray(archive)
            data[place] ^= chance.randrange(1, 256)
            with pytest.raises(LockstepError) as caught:
                imported(other, bytes(data), workspace=workspace)
            assert (caught.value.exit_code, tags_of(other)) == (1, {}), f"byte {place}, {kind}"
            flipped[kind] = flipped.get(kind, 0) + 1

    assert set(flipped) == {"header", "layout", "index", "blob", "padding", "end"}
    assert min(flipped.values()) >= 4
    imported(other, archive, workspace=workspace)
    assert findings_of(other) == ()


def regions(data):
    """Kind, first byte and the one after the last, of everything in an archive."""
    kinds = {"oci-layout": "layout", "index.json": "index"}
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        for one in opened:
            end = one.offset_data + one.size
            yield "header", one.offset, one.offset_data
            yield kinds.get(one.name, "blob"), one.offset_data, end
            if end % 512:
                yield "padding", end, end + -end % 512
    yield "end", len(data) - len(END), len(data)


def test_a_cut_file_is_refused_wherever_it_ends(other, archive):
    workspace = other.workspace
    edges = {place for _, begin, end in regions(archive) for place in (begin, end - 1)}

    for length in sorted(edges):
        with pytest.raises(LockstepError) as caught:
            imported(other, archive[:length], workspace=workspace)
        assert (caught.value.exit_code, tags_of(other)) == (1, {}), length

    assert len(edges) > 50


def test_a_changed_blob_names_the_component(other, archive):
    members = members_of(archive)
    name, data = members[-1]

    said = refused(other, packed([*members[:-1], (name, data[:-1] + b"x")]))

    assert said.startswith(f"import/blob model x.tar:{name} its bytes have ")


@pytest.mark.parametrize("index", [0, 1, 2, 4, 7, -1])
def test_a_missing_member_is_refused(other, archive, index):
    members = members_of(archive)
    name, _ = members.pop(index)

    said = refused(other, packed(members))

    assert f"x.tar:{name} " in said
    assert "in its place" in said or "the archive ends before it" in said


def test_members_that_nobody_expects_are_refused(other, archive):
    members = members_of(archive)
    stray = (f"blobs/sha256/{hashlib.sha256(b'stray').hexdigest()}", b"stray")

    for place in (0, 2, len(members)):
        assert "import/archive" in refused(other, packed([*members[:place], stray, *members[place:]]))
    assert "import/archive" in refused(other, packed([*members, members[-1]])), "a member stands twice"
    assert "more bytes follow" in refused(other, archive + b"\0")
    assert not (other.folder / ".lockstep/store/blobs/sha256" / hashlib.sha256(b"stray").hexdigest()).exists()


@pytest.mark.parametrize(
    ("name", "kind", "target", "said"),
    [
        ("../../escaped", b"0", "", "a file '../../escaped'"),
        ("/escaped", b"0", "", "a file '/escaped'"),
        ("blobs/sha256/link", b"2", "/etc/passwd", "a symbolic link 'blobs/sha256/link'"),
        ("blobs/sha256/link", b"1", "index.json", "a hard link 'blobs/sha256/link'"),
        ("blobs/", b"5", "", "a folder 'blobs/'"),
        ("blobs/sha256/null", b"3", "", "a device 'blobs/sha256/null'"),
        ("blobs/" + 30 * "long/", b"0", "", "a file with a pax header"),
    ],
)
def test_entries_of_other_kinds_and_names_are_refused(other, archive, name, kind, target, said):
    entry = header(name, kind, 0o644, target=target)
    first = archive.index(b"blobs/sha256/")
    last = len(archive) - len(END)

    for place in (0, first, last):
        assert said in refused(other, archive[:place] + entry + archive[place:])

    assert not any(path.name == "escaped" for path in other.folder.parent.rglob("*"))


def test_a_link_in_the_place_of_a_blob_is_refused(other, archive):
    name = members_of(archive)[-1][0]
    place = archive.rindex(name.encode())
    link = header(name, b"2", 0o777, target="/etc/passwd")

    said = refused(other, archive[:place] + link + archive[place + 512 :])

    assert f"a symbolic link '{name}' stands in its place" in said


def test_an_archive_packed_again_by_tar_is_refused(other, archive, tmp_path):
    (tmp_path / "x.tar").write_bytes(archive)
    (tmp_path / "layout").mkdir()
    subprocess.run(["tar", "xf", "../x.tar"], cwd=tmp_path / "layout", check=True)
    subprocess.run(
        ["tar", "cf", "../y.tar", "--", "oci-layout", "index.json", "blobs"], cwd=tmp_path / "layout", check=True
    )

    assert "import/archive" in refused(other, (tmp_path / "y.tar").read_bytes())


def test_an_archive_that_fits_itself_and_not_its_release_is_refused(released, archive):
    """Somebody made a whole archive of other images: release.yaml pins other digests."""
    members = dict(members_of(archive))
    index = json.loads(members["index.json"])
    model = next(one for one in index["manifests"] if "model:" in one["annotations"][REF])
    front = next(one for one in index["manifests"] if "front-door:" in one["annotations"][REF])
    front["digest"] = model["digest"]

    for change in (lambda: None, lambda: index["manifests"].remove(model)):
        change()
        members["index.json"] = canonical(index)
        with pytest.raises(Refused) as caught:
            imported(released, packed(members.items()), dry=True)
        assert {one.rule for one in caught.value.findings} == {"import/image"}
        assert "front-door" in {one.component for one in caught.value.findings}

    assert [one.component for one in caught.value.findings] == ["front-door", "model"]


def canonical(data):
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def retyped(entries):
    entries[1]["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json"


def called_an_artifact(entries):
    entries[1]["artifactType"] = "application/vnd.lockstep.release.v1"


def called_no_artifact(entries):
    del entries[0]["artifactType"]


def annotated(entries):
    entries[1]["annotations"]["note"] = "x"


def reordered(entries):
    entries[1], entries[2] = entries[2], entries[1]


def doubled(entries):
    entries.append(entries[1])


def renamed(entries):
    entries[0]["annotations"][REF] = "release.yaml:release-2.0.0"


@pytest.mark.parametrize(
    "change", [retyped, called_an_artifact, called_no_artifact, annotated, reordered, doubled, renamed]
)
def test_an_index_that_says_something_else_of_the_same_images_is_refused(released, archive, change):
    """Nothing hashes the index, so each of its words is compared with what the documents give."""
    members = members_of(archive)
    index = json.loads(members[1][1])
    change(index["manifests"])
    members[1] = ("index.json", canonical(index))

    with pytest.raises(LockstepError) as caught:
        imported(released, packed(members), dry=True)

    assert caught.value.exit_code == 1


def test_an_artifact_that_says_another_release_is_refused(released, archive):
    members = members_of(archive)
    index = json.loads(members[1][1])
    artifact = json.loads(members[2][1])
    artifact["annotations"]["dev.lockstep.release.digest"] = digest_of(b"another")
    data = canonical(artifact)
    index["manifests"][0] |= {"digest": digest_of(data), "size": len(data)}
    members[1:3] = [("index.json", canonical(index)), (f"blobs/sha256/{digest_of(data).hex}", data)]

    with pytest.raises(Refused) as caught:
        imported(released, packed(members), dry=True)

    (finding,) = caught.value.findings
    assert finding.rule == "import/release"
    assert digest_of(b"another") in finding.what
    assert released.workspace.state.release(ONE).digest in finding.what


def test_another_release_in_git_is_refused_with_both_digests(other, archive):
    carried = (other.folder / RELEASE).read_bytes()
    other.replace(RELEASE, "replicas: 1", "replicas: 2")
    other.commit("somebody edits a release")

    with pytest.raises(Refused) as caught:
        imported(other, archive)

    (finding,) = caught.value.findings
    assert (finding.rule, finding.where) == ("import/release", RELEASE)
    assert digest_of(carried) in finding.what
    assert digest_of((other.folder / RELEASE).read_bytes()) in finding.what
    assert not (other.folder / ".lockstep").exists()


def test_a_release_that_git_does_not_have_yet_comes_in_and_it_is_said(other, archive, tmp_path):
    other.git("reset", "-q", "--hard", "v1.0.0")
    (tmp_path / "x.tar").write_bytes(archive)

    said = CliRunner().invoke(program, ["import", str(tmp_path / "x.tar"), "-C", str(other.folder)])
    other.git("merge", "-q", "--ff-only", "origin/main")

    assert said.exit_code == 0, said.output
    assert "not in Git: releases/1.0.0/release.yaml is not there yet" in said.stdout
    assert digest_of((other.folder / RELEASE).read_bytes()) in said.stdout
    assert findings_of(other) == ()


def test_a_killed_import_has_tagged_nothing_by_half_and_the_next_completes_it(other, archive, tmp_path):
    (tmp_path / "x.tar").write_bytes(archive)
    steps = int(run_killed(other, tmp_path, 1000).stdout.splitlines()[-1])
    whole, blobs = tags_of(other), names_of(other)

    tagged = set()
    for step in sorted({0, 5, *range(9, steps, 4), steps - 1}):
        shutil.rmtree(other.folder / ".lockstep")
        assert run_killed(other, tmp_path, step).returncode == -signal.SIGKILL
        tagged.add(len(tags_of(other)))
        assert_whole(other)
        imported(other, archive)
        assert (tags_of(other), names_of(other)) == (whole, blobs)
        assert findings_of(other) == ()

    assert steps >= 16
    assert {0, 1} < tagged, "some were killed before all tags, some between two"


def run_killed(tiny, folder, step):
    command = [sys.executable, "-c", KILLED, str(step), str(folder / "x.tar"), str(tiny.folder)]
    environment = {**os.environ, "PYTHONPATH": str(TOOLS)}
    return subprocess.run(command, env=environment, capture_output=True, check=False)


def names_of(tiny):
    return sorted(path.name for path in (tiny.folder / ".lockstep/store").rglob("*") if path.name != ".lock")


def assert_whole(tiny):
    """Everything that a tag names is there."""
    store = store_of(tiny)
    for digest in tags_of(tiny).values():
        manifest = parse_manifest(store.manifest(Digest(digest)), digest)
        assert [verify_blob(store, one.digest) for one in (manifest.config, *manifest.layers)]


def test_a_damaged_blob_ends_the_export_and_leaves_the_file_as_it_was(released, tmp_path):
    tiny = released.copy(tmp_path / "damaged")
    layer = tiny.workspace.state.release(ONE).components["model"].image.code
    path = tiny.folder / ".lockstep/store/blobs/sha256" / layer.digest.hex
    (tmp_path / "old.tar").write_bytes(b"old")

    for damage in (path.read_bytes()[:-1] + b"x", path.read_bytes()[:-1], path.read_bytes() + b"x"):
        path.write_bytes(damage)
        for name in ("new.tar", "old.tar"):
            with pytest.raises(OutsideError, match=r"^model: damaged blob"):
                exported(tiny, tmp_path / name)

    assert sorted(one.name for one in tmp_path.iterdir()) == ["damaged", "old.tar"]
    assert (tmp_path / "old.tar").read_bytes() == b"old"


def test_a_blob_that_is_elsewhere_comes_from_the_registry(tmp_path, host, fake, monkeypatch):
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "bundle")
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny")
    tiny.commit("a registry")
    tiny.git("tag", "-f", "v1.0.0")
    tiny.release("1.0.0")
    push_release(tiny.workspace, ONE, own_stores(tiny.workspace), dry=False)
    exported(tiny, tmp_path / "own.tar")
    shutil.rmtree(tiny.folder / ".lockstep")

    exported(tiny, tmp_path / "registry.tar")
    fake.blobs["team/tiny/model"].clear()
    with pytest.raises(OutsideError) as caught:
        exported(tiny, tmp_path / "absent.tar")

    assert (tmp_path / "registry.tar").read_bytes() == (tmp_path / "own.tar").read_bytes()
    assert not (tiny.folder / ".lockstep/store").exists(), "an export writes into no store"
    assert caught.value.what.startswith("model: blob sha256:")
    assert caught.value.fix.startswith("lockstep build ")
    assert not (tmp_path / "absent.tar").exists()


def test_images_on_a_base_bring_it_and_the_other_side_builds_on_it(tmp_path, host, monkeypatch):
    """The base's layer is compressed, and stays so."""
    set_identity(monkeypatch)
    store, digest = compressed_base(tmp_path / "base")
    copy_image(store, Registries().at(f"{host}/python"), digest, "1")
    tiny = tiny_bundle(tmp_path / "bundle")
    with_base(tiny, f"{host}/python@{digest}")
    tiny.release("1.0.0")
    exported(tiny, tmp_path / "x.tar")
    other = clone(tiny, tmp_path / "other")

    done = imported(other, (tmp_path / "x.tar").read_bytes())

    tag = f"base-{digest.hex[:20]}"
    assert findings_of(other) == ()
    assert sorted(one.image.name for one in done.images if one.image.role == "base") == [
        f"front-door:{tag}", f"model-weights:{tag}", f"model:{tag}",
    ]  # fmt: skip
    assert any(one.image.name == "model-weights:copier-1.0.0" for one in done.images)
    other.replace("lockstep.yaml", host, "registry.invalid")
    other.replace("components/model/src/model.py", "Answers", "Says")
    assert set(build_commit(other.workspace, other.commit("code"), own_stores(other.workspace))) >= {"model"}


def compressed_base(folder):
    """A base image whose layer no reader of ours unpacks."""
    store, image = base_image(folder)
    layer = store.put("gzip", writing(b"\x1f\x8b" + bytes(range(256))))
    manifest = json.loads(image.manifest)
    manifest["layers"][0] = {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer.digest, "size": layer.size
    }  # fmt: skip
    return store, store.tag("gzip", canonical(manifest))


@pytest.fixture
def served_model(tmp_path, host, monkeypatch):
    """A bundle whose model is served by a third-party image of the fake registry; and that image."""
    set_identity(monkeypatch)
    store, image = base_image(tmp_path / "third")
    copy_image(store, Registries().at(f"{host}/llm/server"), image.digest, "1")
    return of_third_party(tmp_path / "bundle", f"{host}/llm/server@{image.digest}"), image


def of_third_party(folder, reference):
    tiny = tiny_bundle(folder)
    tiny.replace(
        "components/model/component.yaml",
        "image: {dockerfile: Dockerfile, code: [src]}",
        f'image: {{reference: "{reference}"}}',
    )
    tiny.commit("another server")
    tiny.git("tag", "-f", "v1.0.0")
    tiny.release("1.0.0")
    return tiny


def test_a_third_party_image_is_fetched_carried_and_named_for_a_mirror(served_model, fake, host, tmp_path):
    tiny, image = served_model
    other = clone(tiny, tmp_path / "other")
    exported(tiny, tmp_path / "x.tar")
    fake.refuses["GET"] = fake.refuses["HEAD"] = (500, b"")

    said = CliRunner().invoke(program, ["import", str(tmp_path / "x.tar"), "-C", str(other.folder)])
    exported(other, tmp_path / "back.tar")

    assert said.exit_code == 0, said.output
    assert f"third-party: pods pull {host}/llm/server@{image.digest} from there; mirror it" in said.stdout
    assert store_of(other, f"{host}/llm/server").tags() == {"release-1.0.0": image.digest}
    assert findings_of(other) == ()
    assert (tmp_path / "back.tar").read_bytes() == (tmp_path / "x.tar").read_bytes(), "no registry was asked"


def test_a_third_party_image_that_cannot_be_had_names_its_component(served_model, fake, tmp_path):
    tiny, image = served_model
    fake.manifests["llm/server"].clear()
    with pytest.raises(OutsideError) as absent:
        exported(tiny, tmp_path / "x.tar")
    index = canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
    fake.manifests["llm/server"][image.digest] = index
    fake.types[image.digest] = INDEX
    with pytest.raises(OutsideError) as several:
        exported(tiny, tmp_path / "x.tar")
    fake.refuses["HEAD"] = (500, b"")
    with pytest.raises(OutsideError) as down:
        exported(tiny, tmp_path / "x.tar")

    for caught in (absent, several, down):
        assert caught.value.what.startswith("model: ")
    assert "components/model/component.yaml" in absent.value.fix
    assert "not an index of several" in several.value.fix
    assert not (tmp_path / "x.tar").exists()


def test_an_index_of_several_platforms_is_no_image_to_carry(tmp_path, host, fake, monkeypatch):
    """A registry that gives an index whatever it is asked for."""
    set_identity(monkeypatch)
    index = canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
    fake.manifests["llm/server"] = {digest_of(index): index}
    fake.types[digest_of(index)] = "application/vnd.oci.image.manifest.v1+json"
    tiny = of_third_party(tmp_path / "bundle", f"{host}/llm/server@{digest_of(index)}")

    with pytest.raises(InvalidManifest, match=r"^model: not the manifest of one image") as caught:
        exported(tiny, None)

    assert "one platform" in caught.value.fix


def test_a_third_party_image_without_a_host_is_a_question_of_usage(tmp_path, monkeypatch):
    set_identity(monkeypatch)
    tiny = of_third_party(tmp_path / "bundle", f"llm/server@{digest_of(b'?')}")

    with pytest.raises(UsageError, match=r"^model: llm/server does not say") as caught:
        exported(tiny, None)

    assert "components/model/component.yaml" in caught.value.fix


def test_two_components_of_one_image_both_get_their_tag(tmp_path, monkeypatch):
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "bundle")
    shutil.copytree(tiny.folder / "components/model", tiny.folder / "components/twin")
    shutil.rmtree(tiny.folder / "components/twin/weights")
    (tiny.folder / "components/twin/weights.lock").unlink()
    tiny.replace("components/twin/component.yaml", "name: model", "name: twin")
    tiny.replace("components/twin/component.yaml", "weights: [weights/model.bin.dvc]\n", "")
    tiny.commit("a twin")
    tiny.git("tag", "-f", "v1.0.0")
    components = tiny.release("1.0.0").release.components
    exported(tiny, tmp_path / "x.tar")
    other = clone(tiny, tmp_path / "other")

    imported(other, (tmp_path / "x.tar").read_bytes())

    assert components["twin"].image.reference.digest == components["model"].image.reference.digest
    assert {"twin:release-1.0.0", "model:release-1.0.0"} < tags_of(other).keys()
    assert findings_of(other) == ()


def test_an_external_component_is_said_to_stay_where_it_is(tmp_path, monkeypatch):
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "bundle")
    shutil.rmtree(tiny.folder / "components/model/weights")
    (tiny.folder / "components/model/weights.lock").unlink()
    tiny.write(
        "components/model/component.yaml",
        "name: model\ndescription: Hosted.\nowner: tiny-team\nkind: external\n"
        "address: http://model.invalid\ncontract: contract/openapi.yaml\n",
    )
    tiny.commit("a hosted model")
    tiny.git("tag", "-f", "v1.0.0")
    tiny.release("1.0.0")
    other = clone(tiny, tmp_path / "other")

    out = CliRunner().invoke(program, ["export", "1.0.0", str(tmp_path / "x.tar"), "-C", str(tiny.folder)])
    taken = CliRunner().invoke(program, ["import", str(tmp_path / "x.tar"), "-C", str(other.folder)])

    for said in (out, taken):
        assert said.exit_code == 0, said.output
        assert "external: model runs elsewhere; nothing of it is carried" in said.stdout
    assert "1 images" in taken.stdout


def test_large_layers_pass_through_little_memory(tmp_path, monkeypatch):
    set_identity(monkeypatch)
    image = image_of([layer_of(fill_large)], Platform())
    tiny = of_third_party(tmp_path / "bundle", f"registry.invalid/llm/server@{image.digest}")
    store = store_of(tiny, "registry.invalid/llm/server")
    store.put("large", fill_large)
    put_image(store, image, "1")
    other = clone(tiny, tmp_path / "other")

    tracemalloc.start()
    exported(tiny, tmp_path / "x.tar")
    with (tmp_path / "x.tar").open("rb") as stream:
        done = import_release(other.workspace, Archive(stream, "x.tar"), own_stores(other.workspace), dry=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert done.new_bytes > LARGE
    assert peak < LARGE / 6


def fill_large(sink):
    for number in range(LARGE >> 20):
        sink.write(bytes([number]) * (1 << 20))


def test_both_say_it_in_words_and_in_json(released, other, archive, tmp_path):
    file = tmp_path / "x.tar"
    run = CliRunner().invoke

    dry = run(program, ["export", "1.0.0", str(file), "--dry-run", "-C", str(released.folder)])
    assert not file.exists()
    out = run(program, ["export", "1.0.0", str(file), "-o", "json", "-C", str(released.folder)])
    stream = run(program, ["export", "1.0.0", "-", "-C", str(released.folder)])
    taken = run(program, ["import", str(file), "-C", str(other.folder)])
    again = run(program, ["import", "-", "-o", "json", "-C", str(other.folder)], input=archive)

    codes = [one.exit_code for one in (dry, out, stream, taken, again)]
    assert codes == [0] * 5, dry.output + out.output + taken.output + again.output
    assert f"would export 1.0.0: 3 images, 6 blobs, {len(archive):,} bytes" in dry.stdout
    assert stream.stdout_bytes == archive
    assert "imported 1.0.0" in taken.stdout
    assert "6 of 6 blobs new" in taken.stdout
    assert sorted(json.loads(out.stdout)) == [
        "bytes", "digest", "dry_run", "external", "file", "images", "schema", "seconds", "version",
    ]  # fmt: skip
    data = json.loads(again.stdout)
    assert sorted(data) == [
        "digest", "document", "dry_run", "external", "file", "images", "in_git", "new_bytes", "schema", "seconds",
        "third_party", "version",
    ]  # fmt: skip
    assert (data["schema"], data["new_bytes"], data["in_git"]) == ("lockstep.dev/cli/import/v1", 0, True)
    assert json.loads(out.stdout)["digest"] == data["digest"]


def test_the_commands_of_the_operating_page_carry_a_release(tmp_path, host, fake, monkeypatch):
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "here")
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/tiny")
    tiny.commit("a registry")
    tiny.git("tag", "-f", "v1.0.0")
    other = clone(tiny, tmp_path / "files" / "there")
    tiny.release("1.0.0")
    section = (TOOLS.parent / "docs/operating.md").read_text().partition("## Air gap\n")[2].partition("\n## ")[0]
    here, there = re.findall(r"```console\n(.*?)```", section, re.DOTALL)

    run_lines(here, tiny.folder)
    for name in ("release-1.0.0.tar", "repository.bundle"):
        (tiny.folder / name).rename(tmp_path / "files" / name)
    run_lines(there, other.folder)

    assert sorted(fake.tags) == ["tiny/front-door", "tiny/model", "tiny/model-weights"]


def run_lines(block, folder):
    """Runs the commands of a page, with this interpreter's Lockstep."""
    for line in block.splitlines():
        words = shlex.split(line)
        program = [sys.executable, "-m", "lockstep.cli.main"] if words[0] == "lockstep" else words[:1]
        environment = {**os.environ, "PYTHONPATH": str(TOOLS)}
        done = subprocess.run([*program, *words[1:]], cwd=folder, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout.decode()}{done.stderr.decode()}"


def test_exit_codes_tell_usage_finding_and_outside_apart(released, other, archive, tmp_path, capfd):
    (tmp_path / "cut.tar").write_bytes(archive[:-1])
    here, there = ["-C", str(released.folder)], ["-C", str(other.folder)]

    codes = [
        main(["export", "7.0.0", str(tmp_path / "x.tar"), *here]),
        main(["export", "1.0.0", "-", "-o", "json", *here]),
        main(["import", str(tmp_path / "nowhere.tar"), *there]),
        main(["import", str(tmp_path / "cut.tar"), *there]),
        main(["export", "1.0.0", str(tmp_path / "cut.tar/x.tar"), *here]),
        main(["export", "1.0.0", str(tmp_path / "x.tar"), *there]),
    ]

    assert codes == [2, 2, 2, 1, 3, 3]
    assert capfd.readouterr().err.count("fix:") == 4, "click says the second and the third"
