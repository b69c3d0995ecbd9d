"""A release and its stage in one environment: two commits, which a remote gets together or not at all."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lockstep.core.names import EnvironmentName
from lockstep.core.version import Version
from lockstep.verbs.edit import Edited
from lockstep.verbs.images.stores import Stores
from lockstep.verbs.landing import Writing, land
from lockstep.verbs.release import Released, release_version
from lockstep.verbs.stage import refuse_unaccepted, stage_release
from lockstep.verbs.workspace import Workspace


@dataclass(frozen=True)
class ReleasedAndStaged:
    """A release and, unless that was a dry run, its stage."""

    released: Released
    staged: Edited | None


def release_and_stage(
    workspace: Workspace, version: Version, name: EnvironmentName, stores: Stores, writing: Writing
) -> ReleasedAndStaged:
    """What releasing a version and staging it in an environment did. Either may be done already.

    Raises:
        Refused: as release_version and stage_release; a remote has neither commit then.
        Conflict: somebody else wrote first; a remote has neither commit then.
    """
    gathering = replace(writing, gathers=bool(writing.remote))
    released = release_version(workspace, version, stores, gathering)
    refuse_unaccepted(workspace, name, released.release)
    if writing.dry:
        return ReleasedAndStaged(released, None)
    after = workspace.at(released.edited.commit or workspace.state.commit)
    staged = stage_release(after, name, version, gathering)
    last = staged.commit or released.edited.commit
    if last and writing.remote:
        title = f"{released.edited.said}, stage it in {name}" if staged.commit else released.edited.said
        land(workspace, last, writing, title)
    return ReleasedAndStaged(released, staged)
