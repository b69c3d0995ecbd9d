"""What every store of images does. Subclass it with a fixture `stores`: two repositories of one empty store."""

from __future__ import annotations

import pytest

from lockstep.core.bundle import Platform
from lockstep.core.errors import OutsideError, UsageError
from lockstep.core.names import digest_of
from lockstep.oci.image import Settings, image_of
from lockstep.oci.layer import CHUNK
from lockstep.oci.layout import Layout
from lockstep.oci.store import copy_image, put_image, read_blob, verify_blob, writing

LARGE = bytes(range(256)) * (3 * CHUNK // 256) + b"and a rest"


def an_image(store, tag="release-1.0.0", command="run"):
    """An image of a large and a small layer, with their bytes in the store."""
    layers = [store.put("large", writing(LARGE)), store.put("small", writing(command.encode()))]
    image = image_of(layers, Platform(), Settings(cmd=(command,)))
    put_image(store, image, tag)
    return image


class StoreContract:
    def test_a_blob_comes_back_as_it_went_in(self, stores):
        store, _ = stores

        layer = store.put("x", writing(LARGE))

        assert store.has(layer.digest)
        assert (layer.digest, layer.size) == (digest_of(LARGE), len(LARGE))
        assert read_blob(store, layer.digest) == LARGE
        assert verify_blob(store, layer.digest) == len(LARGE)

    def test_an_empty_blob_is_a_blob(self, stores):
        store, _ = stores

        assert read_blob(store, store.put("x", writing(b"")).digest) == b""

    def test_what_was_never_stored_is_not_there(self, stores):
        store, _ = stores
        absent = digest_of(b"absent")

        assert not store.has(absent)
        assert store.digest_of(absent) is None
        assert store.digest_of("release-9.9.9") is None
        assert store.tags() == {}
        for read in (store.open, store.manifest):
            with pytest.raises(OutsideError, match=absent):
                read(absent)

    def test_a_fill_that_fails_stores_nothing(self, stores):
        store, _ = stores

        def fill(sink):
            sink.write(b"half")
            raise RuntimeError

        with pytest.raises(RuntimeError):
            store.put("x", fill)

        assert not store.has(digest_of(b"half"))

    def test_a_tag_names_a_manifest_and_moves(self, stores):
        store, other = stores
        first, second = an_image(store, "a"), an_image(store, "b", "other")

        assert store.tags() == {"a": first.digest, "b": second.digest}
        store.tag("a", second.manifest)

        assert store.digest_of("a") == second.digest
        assert store.digest_of(first.digest) == first.digest
        assert store.manifest(first.digest) == first.manifest
        assert other.tags() == {}

    @pytest.mark.parametrize("tag", ["", "-a", "a b", "a:b", "ä", "a" * 129])
    def test_a_word_that_is_no_tag_is_refused(self, stores, tag):
        store, _ = stores

        with pytest.raises(UsageError):
            store.tag(tag, image_of([], Platform()).manifest)

    def test_many_tags_are_all_listed(self, stores):
        store, _ = stores
        image = an_image(store)

        for number in range(7):
            store.tag(f"t{number}", image.manifest)

        assert list(store.tags()) == ["release-1.0.0", *(f"t{number}" for number in range(7))]

    def test_copying_an_image_copies_what_is_missing(self, stores, tmp_path):
        source = Layout(tmp_path / "source")
        store, other = stores
        image = an_image(source)
        whole = sum(layer.size for layer in image.layers) + len(image.config)

        assert copy_image(source, store, image.digest, "x") == whole
        assert copy_image(source, store, image.digest, "x") == 0
        assert copy_image(source, other, image.digest, "x") == 0, "the other repository has the same blobs"
        assert store.tags() == other.tags() == {"x": image.digest}
        assert [read_blob(other, layer.digest) for layer in image.layers] == [LARGE, b"run"]

    def test_an_image_comes_back_from_where_it_was_copied_to(self, stores, tmp_path):
        store, _ = stores
        image = an_image(store)

        copy_image(store, Layout(tmp_path / "back", "ocr"), image.digest, "x")

        assert Layout(tmp_path / "back", "ocr").tags() == {"x": image.digest}

    @pytest.mark.parametrize("damage", ["flipped", "shorter", "longer"])
    def test_a_damaged_blob_is_not_copied(self, stores, tmp_path, damage):
        source = Layout(tmp_path / "source")
        store, _ = stores
        image = an_image(source)
        path = source.folder / "blobs/sha256" / image.layers[0].digest.hex
        flipped = b"\xff" + LARGE[1:]
        path.write_bytes({"flipped": flipped, "shorter": LARGE[:-1], "longer": LARGE + b"x"}[damage])

        with pytest.raises(OutsideError, match="damaged"):
            copy_image(source, store, image.digest, "x")

        assert not store.has(image.layers[0].digest)
        assert store.tags() == {}
