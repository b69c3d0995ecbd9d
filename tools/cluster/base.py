"""The two images that a cluster without a container hub needs: what components stand on, and what holds a pod."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from cluster.build import cache
from lockstep.adapters import files, process
from lockstep.core.bundle import Platform
from lockstep.core.errors import OutsideError
from lockstep.core.names import Digest
from lockstep.oci.http import Access
from lockstep.oci.image import Settings, image_of
from lockstep.oci.layer import CHUNK, Sink, bytes_entry, write_layer
from lockstep.oci.layout import Layout
from lockstep.oci.registry import Registries
from lockstep.oci.store import Fill, copy_image, put_image

Images = Mapping[str, tuple[Layout, Digest]]
# Python, what TLS needs, and the C++ library that every manylinux wheel may take for granted (PEP 600).
PACKAGES = ("python3", "ca-certificates", "libstdc++6")
TAG = "cluster"
_USER = "65532"  # whom components run as; some programs want to find their name
# Documentation, caches and logs: nobody reads them in a container.
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*")
_HOOKS = (
    'ln -s python3 "$1/usr/bin/python"',
    f'echo "lockstep:x:{_USER}:{_USER}::/tmp:/usr/sbin/nologin" >>"$1/etc/passwd"',
    f'echo "lockstep:x:{_USER}:" >>"$1/etc/group"',
    'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/var/log/* "$1"/var/lib/dpkg/*-old "$1"/etc/machine-id',
)
_EPOCH = "1735689600"  # 2025-01-01: no file is younger, so that the clock stays out of the image


def base_image(say: Callable[[str], None], more: tuple[str, ...] = ()) -> tuple[Layout, Digest]:
    """A store and in it the image of this machine's Debian with Python, made now where the cache has none. `more` are
    further packages: what runs in a cluster needs none.

    Two machines that make it from the same state of Debian's archive get the same digest; one machine keeps it.
    """
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    packages = (*PACKAGES, *more)
    command = _command(release, packages)
    key = hashlib.sha256(json.dumps([command, _EPOCH, platform.machine()]).encode()).hexdigest()[:16]
    store = Layout(cache() / f"base-{key}", "base")
    with files.locked(cache() / "base.lock"):
        if TAG not in store.tags():
            say(f"base image: Debian {release} with {' and '.join(packages)} (about a minute)")
            with files.scratch_folder(cache()) as folder:
                _bootstrap(command, folder / "root.tar")
                layer = store.put("base image", _copying(folder / "root.tar"))
            put_image(
                store, image_of([layer], _platform(), Settings({"PATH": "/usr/bin:/bin"}, "/", ("python3",))), TAG
            )
    return store, store.tags()[TAG]


def pause_image(program: Path) -> tuple[Layout, Digest]:
    """A store and in it the image of the program that keeps a pod's namespaces open."""
    data = files.read(program)
    store = Layout(cache() / f"pause-{hashlib.sha256(data).hexdigest()[:16]}", "pause")
    with files.locked(cache() / "base.lock"):
        if TAG not in store.tags():
            layer = store.put("pause image", functools.partial(write_layer, [bytes_entry("pause", data, 0o755)]))
            put_image(store, image_of([layer], _platform(), Settings(cmd=("/pause",))), TAG)
    return store, store.tags()[TAG]


def are_pushed(images: Images, registry: str) -> bool:
    """Whether the images are in the registry, after those that were not were put there; False while it is not up."""
    registries = Registries(Access(plain_http=True))
    try:
        for name, (store, digest) in images.items():
            copy_image(store, registries.at(f"{registry}/lockstep/{name}"), digest, TAG)
    except OutsideError:
        return False
    return True


def _command(release: str, packages: tuple[str, ...]) -> list[str]:
    """mmdebstrap's, but for the file that it writes; part of the image's key."""
    left_out = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    hooks = [f"--customize-hook={hook}" for hook in _HOOKS]
    chosen = ["--variant=essential", f"--include={','.join(packages)}", "--skip=output/dev", *left_out, *hooks]
    return ["mmdebstrap", "--quiet", "--mode=root", *chosen, release]


def _bootstrap(command: list[str], target: Path) -> None:
    done = process.run([*command, str(target)], environment={"SOURCE_DATE_EPOCH": _EPOCH})
    if done.code:
        raise OutsideError(
            f"mmdebstrap failed: {done.stderr.decode(errors='replace').strip()[-1500:]}",
            where=" ".join(command),
            fix="see its message; a network error is worth another try: make cluster",
        )


def _copying(path: Path) -> Fill:
    def fill(sink: Sink) -> None:
        with path.open("rb") as stream:
            shutil.copyfileobj(stream, sink, CHUNK)

    return fill


def _platform() -> Platform:
    return Platform(arch={"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()])
