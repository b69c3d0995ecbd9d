"""What there is to lock: one task for each component; and what is said of it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lockstep.adapters import files
from lockstep.adapters.dvc import Place, candidates, missing
from lockstep.adapters.dvc_fetch import Fetching
from lockstep.core.component import Component, parse_component
from lockstep.core.errors import Finding, UsageError, refuse_if
from lockstep.core.names import ComponentName, Digest, ImageRef
from lockstep.core.pointer import Pointer, parse_pointer
from lockstep.core.source import LOCK
from lockstep.core.weights import WeightsLock, beside_an_image, parse_lock, too_large
from lockstep.oci.measured import Meter
from lockstep.oci.statcache import Hashes, Stamp, read_cache
from lockstep.oci.store import BlobStore, Store
from lockstep.oci.weights import Done, Work
from lockstep.verbs.images.stores import Stores
from lockstep.verbs.weights.sending import Either
from lockstep.verbs.workspace import Workspace


@dataclass(frozen=True)
class Goal:
    """Where layers go, in the same pass.

    Args:
        stores: The bundle's store and its registry.
        keeps: Whether the bundle's store is to have them all.
        pushes: Whether the registry is to have them all, under a tag.
    """

    stores: Stores
    keeps: bool = False
    pushes: bool = False


@dataclass(frozen=True)
class FileWork:
    """What was done for one file; in a dry run, what would be.

    Args:
        path: Its pointer's path in the component.
        name: Its path in the image.
        size: Bytes.
        is_read: Whether its bytes were read; if not, nothing has changed since they were.
        is_fetched: Whether DVC brought them.
        sent_bytes: Bytes that went to the registry; in a dry run, at most. Of a layer that files share, the first says.
    """

    path: str
    name: str
    size: int
    is_read: bool
    is_fetched: bool = False
    sent_bytes: int = 0


@dataclass(frozen=True)
class Locked:
    """What locking one component gave: its lock, and whether the file changed; in a dry run neither.

    Args:
        component: Its name.
        lock: What weights.lock says now; None in a dry run, and where the weights are an image already.
        files: What was done, in the order of the work.
        changed: Whether weights.lock is another one.
        pushed: Full name and tag of the image in the registry; empty if it was not asked for.
        named: The image that the weights are already, which its digest pins; None where there is a lock.
    """

    component: ComponentName
    lock: WeightsLock | None
    files: tuple[FileWork, ...]
    changed: bool = False
    pushed: str = ""
    named: ImageRef | None = None

    @property
    def digest(self) -> Digest | None:
        """Of the weights image's manifest."""
        if self.lock:
            return self.lock.image
        return self.named.digest if self.named else None


@dataclass(frozen=True)
class Task:
    """One component to lock: where, what it points to, what was locked and hashed before."""

    component: ComponentName
    folder: Path
    pointed: tuple[Pointer, ...]
    old: bytes
    known: Mapping[Stamp, Hashes]
    cache: Path
    named: ImageRef | None

    @property
    def last(self) -> WeightsLock | None:
        """What weights.lock says now."""
        where = f"components/{self.component}/{LOCK}"
        return parse_lock(self.old.decode(), where, self.component) if self.old else None

    @property
    def still(self) -> Place:
        """Where its pointers are, asking DVC for nothing."""
        return Place(self.component, self.folder, Fetching(is_allowed=False))


def tasks(workspace: Workspace, names: tuple[str, ...]) -> Iterator[Task]:
    """One for each of these components; for each that has weights, where none is named.

    Raises:
        UsageError: no such component, or it has no weights.
        Refused: a pointer cannot be locked; or a weights.lock lies beside weights that are an image already.
    """
    weighty = _with_weights(workspace)
    for name in names:
        if name not in weighty:
            raise UsageError(
                f"there is no component `{name}` with weights here",
                where="components/",
                fix="choose one of: " + (", ".join(sorted(weighty)) or "(none has weights)"),
            )
    cache = workspace.local / "cache" / "weights.json"
    for name in names or tuple(sorted(weighty)):
        component, folder = weighty[ComponentName(name)], workspace.folder / "components" / name
        pointed = tuple(
            parse_pointer(files.read(folder / path).decode(), path, component.name) for path in component.pointers
        )
        old = (folder / LOCK).read_bytes() if (folder / LOCK).exists() else b""
        named = component.weights_image.image if component.weights_image else None
        refuse_if([beside_an_image(component.name)] if named and old else [], "these weights have no lock")
        yield Task(component.name, folder, pointed, old, read_cache(cache), cache, named)


def _with_weights(workspace: Workspace) -> dict[ComponentName, Component]:
    found = {}
    for path in sorted((workspace.folder / "components").glob("*/component.yaml")):
        component = parse_component(
            path.read_text(encoding="utf-8"), f"components/{path.parent.name}/component.yaml", path.parent.name
        )
        if component.weights:
            found[component.name] = component
    return found


def large_layers(workspace: Workspace, found: Iterable[Task]) -> tuple[Finding, ...]:
    """The files that the registry will not take. Of folders only those that were locked before: what a folder has is
    not known without DVC's list.
    """
    limit = workspace.bundle.layer_limit if workspace.repository.resolve("HEAD") else None
    return tuple(finding for task in found for finding in too_large(task.component, _sizes(task), limit))


def _sizes(task: Task) -> Iterator[tuple[str, int]]:
    for pointer in task.pointed:
        if not pointer.is_folder:
            yield pointer.name, pointer.size
    folders = {pointer.path for pointer in task.pointed if pointer.is_folder}
    yield from ((file.name, file.size) for file in (task.last.files if task.last else ()) if file.path in folders)


def target_of(workspace: Workspace, task: Task, goal: Goal) -> Store:
    """The repository of the registry that the component's weights go to."""
    return goal.stores.at(f"{workspace.registry}/{task.component}-weights")


def store_of(task: Task, goal: Goal | None, target: Store | None) -> BlobStore | None:
    """Where a layer is looked for before it is made, and where it is written; None to hash only."""
    if goal is None or not (goal.keeps or goal.pushes):
        return None
    own = goal.stores.of(f"{task.component}-weights")
    return Either(own, target) if target and not goal.keeps else own


def work_of(task: Task, place: Place, store: BlobStore | None, meter: Meter, done: Callable[[Done], None]) -> Work:
    """What locking the component needs."""
    return Work(
        component=task.component,
        candidates=lambda pointer: candidates(pointer, place),
        missing=lambda pointer: missing(pointer, place),
        store=store,
        locked=task.last,
        meter=meter,
        done=done,
    )
