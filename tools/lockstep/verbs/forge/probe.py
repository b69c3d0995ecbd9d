"""A probe: whether a registry lets a tag be moved. It writes two images of about a kilobyte into a repository of their
own, and takes them away.

1. the tag is set to one of them, unless an earlier probe left it: one that was killed, or could not delete;
2. it is set to the other one: refused, or not;
3. both are deleted, where the registry lets anybody. Their blobs go when its collector runs.
"""

from __future__ import annotations

from lockstep.core.bundle import Platform
from lockstep.core.doctor.images import Probed
from lockstep.core.errors import OutsideError, Refused
from lockstep.core.names import Digest
from lockstep.oci.image import Image, Settings, image_of
from lockstep.oci.store import Store, layer_of, put_image, writing
from lockstep.verbs.images.stores import Stores

REPOSITORY = "lockstep-doctor"  # in no release, so `gc` does not look at it
TAG = "release-0.0.0-probe"  # as tags of releases are, for rules that go by their form
_EMPTY = writing(bytes(1024))  # an empty tar archive: POSIX.1-2017, pax, "ustar Interchange Format"


def probe_tags(stores: Stores, registry: str) -> tuple[Probed, str]:
    """What became of a tag that was set twice, and what could not be taken away again (empty: nothing is left).

    Raises:
        OutsideError: the registry cannot be reached, or lets us write nothing.
    """
    name = f"{registry}/{REPOSITORY}"
    store, (one, other) = stores.at(name), (_image("1"), _image("2"))
    there = store.digest_of(TAG)
    one, other = (other, one) if there == other.digest else (one, other)
    if there is None:
        _put(store, one)
    try:
        probed = _moved(store, other, is_new=there is None)
    finally:
        kept = [image for image in (one, other) if not _is_gone(store, image.digest)]
    return probed, f"{name}:{TAG}" if kept else ""


def _image(number: str) -> Image:
    return image_of([layer_of(_EMPTY)], Platform(), Settings(labels={"lockstep.dev/probe": number}))


def _put(store: Store, image: Image) -> None:
    store.put("a probe's layer", _EMPTY)
    put_image(store, image, TAG)


def _moved(store: Store, image: Image, *, is_new: bool) -> Probed:
    """Step 2. Registries refuse in many words; who could write a moment ago and cannot now has been told of a rule."""
    try:
        _put(store, image)
    except Refused:
        return Probed.KEPT
    except OutsideError:
        if not is_new:
            raise
        return Probed.KEPT
    return Probed.MOVED


def _is_gone(store: Store, digest: Digest) -> bool:
    """Step 3 for one of them."""
    try:
        store.delete(digest)
    except OutsideError:
        return store.digest_of(digest) is None
    return True
