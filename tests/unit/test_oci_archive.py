"""Archives: what a reader takes is what a writer wrote, and nothing else."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core.errors import LockstepError, OutsideError, Refused
from lockstep.core.names import digest_of
from lockstep.oci.archive import (
    LARGEST_DOCUMENT,
    Archive,
    Member,
    Part,
    archive_size,
    blob_member,
    copied,
    write_archive,
)
from lockstep.oci.image import Descriptor, InvalidManifest, Manifest
from lockstep.oci.index import Named, blobs_in_order, format_named, parse_named
from lockstep.oci.layer import Layer
from lockstep.oci.layout import Layout
from lockstep.oci.store import Hashed, writing

TYPE = "application/vnd.oci.image.manifest.v1+json"
DIGESTS = st.binary(max_size=4).map(digest_of)
WORDS = st.text(max_size=5)
NAMED = st.lists(
    st.builds(Named, WORDS, WORDS, DIGESTS, st.integers(0, 1 << 40), st.sampled_from(["", "a"])), max_size=3
)


def written(*contents):
    """An archive of an index and some blobs."""
    sink = io.BytesIO()
    parts = [Part(Member("index.json", len(contents[0])), writing(contents[0]))]
    parts += [Part(blob_member(digest_of(data), len(data)), writing(data)) for data in contents[1:]]
    write_archive(parts, sink)
    return sink.getvalue()


def read(data, *contents):
    """The contents again; hashes are looked at, as whoever reads an archive must."""
    archive = Archive(io.BytesIO(data), "x.tar")
    found = [archive.index()]
    for content in contents[1:]:
        hashed = Hashed(sink := io.BytesIO())
        archive.copy(blob_member(digest_of(content), len(content), "ocr"), hashed)
        if hashed.layer.digest != digest_of(content):
            raise OutsideError("hash")
        found.append(sink.getvalue())
    archive.end()
    if found[0] != contents[0]:
        raise OutsideError("index")
    return found


@given(st.lists(st.binary(max_size=1200), min_size=1, max_size=4, unique=True))
def test_read_gives_what_was_written_and_tar_reads_the_same(contents):
    data = written(*contents)

    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        seen = [(one.name, archive.extractfile(one).read()) for one in archive]

    assert read(data, *contents) == contents
    assert [content for _, content in seen] == contents
    members = [Member(name, len(content)) for name, content in seen]
    assert archive_size(members) == len(data)


def test_read_refuses_each_single_changed_byte():
    contents = (b"{}", b"a layer", bytes(512))
    data = written(*contents)

    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        with pytest.raises(LockstepError):
            read(bytes(changed), *contents)

    assert read(data, *contents) == list(contents)


def test_read_refuses_each_length_but_its_own():
    contents = (b"{}", b"a layer")
    data = written(*contents)

    for length in range(len(data)):
        with pytest.raises(Refused) as caught:
            read(data[:length], *contents)
        assert "cut" in caught.value.findings[0].what
    with pytest.raises(Refused, match="byte for byte"):
        read(data + b"\0", *contents)


def test_read_names_the_component_and_what_is_missing():
    data = written(b"{}", b"a layer")

    with pytest.raises(Refused) as caught:
        read(data[:1540], b"{}", b"a layer")

    (finding,) = caught.value.findings
    assert finding.component == "ocr"
    assert finding.where == f"x.tar:blobs/sha256/{digest_of(b'a layer').hex}"
    assert finding.what == "the file is cut: 3 of its 7 bytes are missing"


def test_a_document_that_would_fill_the_memory_is_refused():
    large = LARGEST_DOCUMENT + 1
    index = Archive(io.BytesIO(Member("index.json", large).header), "x.tar")

    with pytest.raises(Refused) as first:
        index.index()
    with pytest.raises(Refused) as second:
        Archive(io.BytesIO(), "x.tar").document(Member("x", large))

    assert (
        first.value.findings[0].what == second.value.findings[0].what == "16,777,217 bytes are too many for a document"
    )


def test_a_layer_that_ustar_cannot_say_has_a_header_that_tar_reads():
    member = blob_member(digest_of(b""), 200 << 30)

    with tarfile.open(fileobj=io.BytesIO(member.header)) as archive:
        found = archive.next()

    assert (found.name, found.size) == (member.path, 200 << 30)
    assert member.whole == len(member.header) + (200 << 30)


def test_a_copy_refuses_a_blob_of_another_size_than_its_manifest_says(tmp_path):
    store = Layout(tmp_path)
    blob = store.put("x", writing(b"bytes"))

    with pytest.raises(OutsideError, match="has 5 bytes, its manifest says 4"):
        copied(store, Layer(blob.digest, 4))(io.BytesIO())


@given(NAMED)
def test_an_index_is_read_back(images):
    assert parse_named(format_named(images), "x") == tuple(images)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"manifests":[1]}',
        b'{"manifests":[{"mediaType":"a","size":-1,"digest":"sha256:","annotations":{}}]}',
        format_named([Named("a:b", TYPE, digest_of(b""), 1)]).replace(b":1}", b":1.0}"),
        format_named([Named("a:b", TYPE, digest_of(b""), 1)]).replace(b"sha256", b"sha512"),
        format_named([Named("a:b", TYPE, digest_of(b""), 1)]) + b"\n",
    ],
)
def test_an_index_that_is_not_as_it_is_written_is_refused(data):
    with pytest.raises(InvalidManifest, match="not an index that lockstep export wrote"):
        parse_named(data, "x")


@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=5), max_size=5), st.sets(st.integers(0, 6)))
def test_each_blob_is_brought_once_by_the_first_that_needs_it(images, known):
    blobs = [Descriptor("x", digest_of(bytes([number])), number) for number in range(7)]
    manifests = [(str(at), Manifest(blobs[one[0]], tuple(blobs[n] for n in one[1:]))) for at, one in enumerate(images)]

    shares = blobs_in_order(manifests, {blobs[number].digest: number for number in known})

    brought = [blob for share in shares for blob in share]
    assert len(brought) == len(set(brought))
    assert {blob.size for blob in brought} == {number for one in images for number in one} - known
    for at, share in enumerate(shares):
        assert {blob.size for blob in share} <= set(images[at])


def test_a_blob_of_two_sizes_is_refused():
    one, other = Descriptor("x", digest_of(b""), 1), Descriptor("x", digest_of(b""), 2)

    with pytest.raises(InvalidManifest, match="2 bytes and 1 bytes"):
        blobs_in_order([("a", Manifest(one, (other,)))], {})
    with pytest.raises(InvalidManifest, match="1 bytes and 7 bytes"):
        blobs_in_order([("a", Manifest(one, ()))], {one.digest: 7})
