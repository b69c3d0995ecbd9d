"""Errors of stores and registries know digests; whoever works on a component's image adds its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lockstep.core.errors import OutsideError, UsageError
from lockstep.oci.image import InvalidManifest
from lockstep.oci.store import Damaged


@contextmanager
def naming(component: str, where: str = "", again: str = "") -> Iterator[None]:
    """Errors of the block begin with the component that they are about.

    Args:
        component: Its name.
        where: The place to say where they say none.
        again: The command that makes the component's image; what is damaged is removed before it.
    """
    try:
        yield
    except (OutsideError, UsageError, InvalidManifest) as error:
        error.what = f"{component}: {error.what}"
        error.args = (error.what,)
        error.where = error.where or where
        if again and isinstance(error, Damaged):
            error.fix = f"rm -f .lockstep/store/blobs/sha256/{error.digest.hex}, then: {again}"
        raise
