"""weights lock: one pass over the bytes that each pointer means, and weights.lock beside them. Works on the working
copy.

1. DVC brings what is not on this machine, all of a component at once;
2. each file that changed since it was last hashed is read once, from the largest on, and its hashes are remembered;
3. its layer goes to the store, and from there to the registry while the next file is read, where that is asked for;
4. weights.lock is written, if it says something new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from lockstep.adapters import files
from lockstep.adapters.dvc import Place, candidates, was_fetched
from lockstep.core.errors import refuse_if
from lockstep.core.names import Digest
from lockstep.core.pointer import Pointer
from lockstep.core.source import LOCK
from lockstep.core.tags import made_tag
from lockstep.core.weights import WeightsFile, WeightsLock, format_lock
from lockstep.oci.statcache import write_cache
from lockstep.oci.store import put_image
from lockstep.oci.weights import Done, Work, layers_of, lock_weights, unchanged, weights_image
from lockstep.verbs.progress import Progress
from lockstep.verbs.weights.pointed import bring, place_of
from lockstep.verbs.weights.sending import Sender, sending
from lockstep.verbs.weights.task import (
    FileWork,
    Goal,
    Locked,
    Task,
    large_layers,
    store_of,
    target_of,
    tasks,
    work_of,
)
from lockstep.verbs.workspace import Workspace

_FORGET = 64 << 20  # bytes that a kill may have read again, beside the file under way: as for uploads


@dataclass
class _Record:
    """What has been done so far, so that little is done again after a kill."""

    task: Task
    done: list[Done] = field(default_factory=list)
    unsaid: int = 0

    def add(self, done: Done) -> None:
        """Remembers hashes once enough was read for them."""
        self.done.append(done)
        self.unsaid += sum(file.size for file in done.files) if done.is_read else 0
        if self.unsaid >= _FORGET:
            self.write()

    def write(self) -> None:
        """Remembers all hashes."""
        if self.done:
            write_cache(self.task.cache, self.done[-1].learnt)
            self.unsaid = 0


def lock_components(workspace: Workspace, names: tuple[str, ...], goal: Goal | None = None) -> tuple[Locked, ...]:
    """The locks of these components (all that have weights, for none), written to their weights.lock.

    Args:
        workspace: Where.
        names: Components.
        goal: Where their layers go in the same pass; None to hash only.

    Raises:
        UsageError: no such component, or it has no weights; or a push, and lockstep.yaml names no registry.
        Refused: the bytes are not those that a pointer names, or cannot be hashed again; or a push, and a file is
            larger than the registry takes.
        OutsideError: bytes are nowhere to be had, or the registry failed; a rerun goes on.
    """
    if goal and goal.pushes:
        registry = workspace.registry
        refuse_if(large_layers(workspace, tasks(workspace, names)), f"{registry} will not take these weights")
    with workspace.using_store("lockstep weights lock"):
        return tuple(_lock(workspace, task, goal) for task in tasks(workspace, names))


def _lock(workspace: Workspace, task: Task, goal: Goal | None) -> Locked:
    name = task.component
    if task.named:
        return Locked(name, None, (), named=task.named)
    progress = Progress(workspace.say)
    for finding in large_layers(workspace, [task]):
        workspace.say(f"warning: {name}: {finding.what}; {finding.fix}")
    place = place_of(workspace.folder, name, progress)
    pointers = bring(task.pointed, place, progress, workspace.say)
    record = _Record(task)
    with _sender(workspace, task, goal) as sender:

        def done(one: Done) -> None:
            record.add(one)
            if sender:
                for layer in layers_of(one.files):
                    sender.begin(f"{name}: {one.files[0].name}", layer)

        store = store_of(task, goal, sender.target if sender else None)
        work = work_of(task, place, store, progress, done)
        progress.expect(f"{name}: hashed", sum(one.size for one in pointers if _is_to_read(work, one, task)))
        workspace.say(f"{name}: {sum(one.size for one in pointers):,} bytes in {len(pointers)} files")
        try:
            lock, _ = lock_weights(work, pointers, task.known)
        finally:
            record.write()
        sent = sender.sent() if sender else {}
        pushed = _tag(workspace, task, goal, lock)
    new = format_lock(lock, name).encode()
    if new != task.old:
        files.write(task.folder / LOCK, new)
    return Locked(name, lock, tuple(_did(record, place, sent)), new != task.old, pushed)


@contextmanager
def _sender(workspace: Workspace, task: Task, goal: Goal | None) -> Iterator[Sender | None]:
    if goal is None or not goal.pushes:
        yield None
        return
    own = goal.stores.of(f"{task.component}-weights")
    target = target_of(workspace, task, goal)
    with sending(f"{task.component}: pushed", own, target, goal.stores.progress) as sender:
        yield sender


def _is_to_read(work: Work, pointer: Pointer, task: Task) -> bool:
    return unchanged(work, pointer, task.known, candidates(pointer, task.still)) is None


def _tag(workspace: Workspace, task: Task, goal: Goal | None, lock: WeightsLock) -> str:
    """Name and tag of the image in the registry; a store that has its layers gets the tag as well, so that nobody
    collects them before they are released.
    """
    if goal is None:
        return ""
    image, tag = weights_image(lock.files), made_tag(lock.image)
    own = goal.stores.of(f"{task.component}-weights")
    if all(own.has(layer.digest) for layer in image.layers):
        put_image(own, image, tag)
    if not goal.pushes:
        return ""
    put_image(target_of(workspace, task, goal), image, tag)
    return f"{workspace.registry}/{task.component}-weights:{tag}@{lock.image}"


def _did(record: _Record, place: Place, sent: Mapping[Digest, int]) -> Iterator[FileWork]:
    pointers = {one.path: one for one in record.task.pointed}
    for done in record.done:
        for number, file in enumerate(done.files):
            pointer = _as_pointer(file, pointers[file.path])
            size = sent.get(file.layer, 0) if number == 0 else 0
            yield FileWork(file.path, file.name, file.size, done.is_read, was_fetched(pointer, place), size)


def _as_pointer(file: WeightsFile, pointer: Pointer) -> Pointer:
    return Pointer(file.path, file.name, file.md5, file.size, pointer.remote, pointer.where)
