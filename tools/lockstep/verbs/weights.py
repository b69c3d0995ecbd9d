"""weights lock: one pass over the bytes that each pointer means, and weights.lock beside them. Works on the working
copy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lockstep.adapters import files
from lockstep.adapters.dvc import Place, candidates, files_of, missing
from lockstep.core.component import Component, parse_component
from lockstep.core.errors import UsageError, refuse_if
from lockstep.core.names import ComponentName, Digest, ImageRef
from lockstep.core.pointer import parse_pointer
from lockstep.core.source import LOCK
from lockstep.core.weights import WeightsFile, WeightsLock, beside_an_image, format_lock, parse_lock
from lockstep.oci.statcache import read_cache, write_cache
from lockstep.oci.store import Store
from lockstep.oci.weights import Work, lock_weights
from lockstep.verbs.workspace import Workspace


@dataclass(frozen=True)
class Locked:
    """What locking one component gave.

    Args:
        component: Which one.
        lock: What weights.lock says now; None where the weights are an image already, which its digest pins.
        changed: Whether the file changed.
        named: That image; None where there is a lock.
    """

    component: ComponentName
    lock: WeightsLock | None
    changed: bool
    named: ImageRef | None = None

    @property
    def files(self) -> tuple[WeightsFile, ...]:
        """The locked files."""
        return self.lock.files if self.lock else ()

    @property
    def digest(self) -> Digest | None:
        """Of the weights image's manifest."""
        if self.lock:
            return self.lock.image
        return self.named.digest if self.named else None


def lock_components(
    workspace: Workspace, names: tuple[str, ...], store_of: Callable[[str], Store] | None
) -> tuple[Locked, ...]:
    """The locks of these components (all that have weights, for none), written to their weights.lock.

    Args:
        workspace: Where.
        names: Components.
        store_of: Stores that get the layers in the same pass; None to hash only.

    Raises:
        UsageError: no such component, or it has no weights.
        Refused: a weights.lock beside weights that are an image already.
        WrongBytes: the bytes are not those that a pointer names.
    """
    weighty = _with_weights(workspace)
    for name in names:
        if name not in weighty:
            raise UsageError(
                f"there is no component `{name}` with weights here",
                where="components/",
                fix="choose one of: " + (", ".join(sorted(weighty)) or "(none has weights)"),
            )
    chosen = names or tuple(sorted(weighty))
    with workspace.using_store("lockstep weights lock"):
        return tuple(_lock(workspace, weighty[ComponentName(name)], store_of) for name in chosen)


def _with_weights(workspace: Workspace) -> dict[ComponentName, Component]:
    found = {}
    for path in sorted((workspace.folder / "components").glob("*/component.yaml")):
        component = parse_component(
            path.read_text(encoding="utf-8"), f"components/{path.parent.name}/component.yaml", path.parent.name
        )
        if component.weights:
            found[component.name] = component
    return found


def _lock(workspace: Workspace, component: Component, store_of: Callable[[str], Store] | None) -> Locked:
    name, folder = component.name, workspace.folder / "components" / component.name
    if component.weights_image:
        refuse_if([beside_an_image(name)] if (folder / LOCK).exists() else [], "these weights have no lock")
        return Locked(name, None, changed=False, named=component.weights_image.image)
    files.sweep(folder)
    cache = workspace.local / "cache" / "weights.json"
    old = (folder / LOCK).read_bytes() if (folder / LOCK).exists() else b""
    place = Place(name, folder)
    pointed = [parse_pointer(files.read(folder / path).decode(), path, name) for path in component.pointers]
    pointers = [file for pointer in pointed for file in files_of(pointer, place)]
    store = store_of(f"{name}-weights") if store_of else None
    last = parse_lock(old.decode(), f"components/{name}/{LOCK}", name) if old else None
    work = Work(name, lambda pointer: candidates(pointer, place), lambda pointer: missing(pointer, place), store, last)
    workspace.say(f"{name}: {sum(pointer.size for pointer in pointers):,} bytes in {len(pointers)} files")
    lock, learnt = lock_weights(work, pointers, read_cache(cache))
    write_cache(cache, learnt)
    new = format_lock(lock, name).encode()
    if new != old:
        files.write(folder / LOCK, new)
    return Locked(name, lock, changed=new != old)
