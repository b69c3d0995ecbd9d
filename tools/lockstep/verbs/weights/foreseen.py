"""weights lock --dry-run: what a lock would fetch, read and send, from what is known without reading weights."""

from __future__ import annotations

from collections.abc import Iterator

from lockstep.adapters.dvc import absent, candidates, files_of
from lockstep.core.names import Digest
from lockstep.core.pointer import Pointer
from lockstep.oci.measured import Unmetered
from lockstep.oci.weights import unchanged
from lockstep.verbs.weights.task import FileWork, Goal, Locked, Task, store_of, target_of, tasks, work_of
from lockstep.verbs.workspace import Workspace


def foresee_locks(workspace: Workspace, names: tuple[str, ...], goal: Goal | None = None) -> tuple[Locked, ...]:
    """What lock_components would fetch, read and send at most. Reads no weights, asks DVC for nothing and writes
    nothing.
    """
    return tuple(
        Locked(task.component, None, tuple(_foreseen(workspace, task, goal)), named=task.named)
        for task in tasks(workspace, names)
    )


def _foreseen(workspace: Workspace, task: Task, goal: Goal | None) -> Iterator[FileWork]:
    place = task.still
    lacking = absent(task.pointed, place)
    target = target_of(workspace, task, goal) if goal and goal.pushes else None
    work = work_of(task, place, store_of(task, goal, target), Unmetered(), lambda _: None)
    for pointer in task.pointed:
        is_fetched = pointer in lacking
        for file in [pointer] if is_fetched else files_of(pointer, place):
            known = None if is_fetched else unchanged(work, file, task.known, candidates(file, place))
            layer = known.layer if known else _promised(task, file)
            is_there = target is None or (layer is not None and target.has(layer))
            yield FileWork(file.path, file.name, file.size, known is None, is_fetched, 0 if is_there else file.size)


def _promised(task: Task, file: Pointer) -> Digest | None:
    return next((one.layer for one in (task.last.files if task.last else ()) if one.md5 == file.md5), None)
