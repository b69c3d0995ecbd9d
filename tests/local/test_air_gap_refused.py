"""What import refuses: every byte that is not as export wrote it, and every release that is not the one in Git."""

from __future__ import annotations

import hashlib
import io
import json
import random
import subprocess
import tarfile

import pytest

from carried import (
    ONE,
    REF,
    RELEASE,
    canonical,
    findings_of,
    imported,
    members_of,
    packed,
    tags_of,
)
from lockstep.core.errors import LockstepError, Refused
from lockstep.core.names import digest_of
from lockstep.oci.layer import END, header


def refused(tiny, data):
    """What an import that must be refused says; no tag was set."""
    with pytest.raises(LockstepError) as caught:
        imported(tiny, data)
    assert caught.value.exit_code == 1
    assert tags_of(tiny) == {}
    return "\n".join(f"{one.rule} {one.component} {one.where} {one.what}" for one in caught.value.findings)


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
