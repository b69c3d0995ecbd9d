"""Git, the history of one environment: its commits, with what each did to instances and front."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import gmtime, strftime

from lockstep.adapters.git import Repository
from lockstep.core.environment import FRONT_FILE, parse_front
from lockstep.core.errors import LockstepError
from lockstep.core.history import Commit
from lockstep.core.names import EnvironmentName, GitSha, InstanceId
from lockstep.core.version import Version

_FORMAT = "%x01%H%x00%ct%x00%an%x00%s"
Served = tuple[InstanceId, Version] | None


def environment_commits(repository: Repository, tip: GitSha, name: EnvironmentName) -> tuple[Commit, ...]:
    """Every first-parent commit that touched releases/<env>/, oldest first.

    A front that cannot be parsed (somebody edited it) counts as none.
    """
    folder = f"{repository.prefix}releases/{name}/"
    output = repository.git(
        "log",
        "--first-parent",
        "-m",
        "--reverse",
        "--no-renames",
        "--name-status",
        f"--format={_FORMAT}",
        tip,
        "--",
        folder,
    )
    records = [record.partition("\n") for record in output.decode(errors="replace").split("\x01") if record]
    heads = [head.rstrip("\n").split("\x00") for head, _, _ in records]
    fronts = _fronts(repository, folder, [GitSha(head[0]) for head in heads])
    changes = [_changes(body, folder) for _, _, body in records]
    before: list[Served] = [None, *fronts][: len(fronts)]
    return tuple(
        Commit(
            GitSha(sha), int(time), author, subject, _instances(change, "A"), _instances(change, "D"), front, earlier
        )
        for (sha, time, author, subject), change, front, earlier in zip(heads, changes, fronts, before, strict=True)
    )


def release_times(repository: Repository, tip: GitSha) -> dict[str, float]:
    """When each release.yaml came first, in seconds since 1970 UTC by the folder of its version; as far as this clone's
    history goes.
    """
    pathspec = f":(glob){repository.prefix}releases/*/release.yaml"
    options = ("--full-history", "-m", "--diff-filter=A", "--no-renames", "--name-only", "--format=%x01%ct")
    output = repository.git("log", *options, tip, "--", pathspec).decode(errors="replace")
    found: dict[str, float] = {}
    for record in output.split("\x01")[1:]:
        time, *paths = record.split("\n")
        found.update({path.split("/")[-2]: float(time) for path in paths if path})
    return found


def commit_days(repository: Repository, commits: Iterable[GitSha]) -> dict[GitSha, str]:
    """The day (UTC, 2026-11-21) on which each commit was made; those that this clone lacks are left out."""
    wanted = "".join(f"{commit}\n" for commit in sorted(set(commits)))
    if not wanted:
        return {}
    options = ("--no-walk=unsorted", "--ignore-missing", "--stdin", "--format=%H %ct")
    lines = repository.git("log", *options, stdin=wanted.encode()).decode().splitlines()
    days = (line.split(" ") for line in lines)
    return {GitSha(sha): strftime("%Y-%m-%d", gmtime(int(seconds))) for sha, seconds in days}


def _changes(body: str, folder: str) -> Mapping[str, str]:
    lines = (line.split("\t", 1) for line in body.split("\n") if "\t" in line)
    return {path.removeprefix(folder): status for status, path in lines}


def _instances(changes: Mapping[str, str], status: str) -> tuple[InstanceId, ...]:
    names = [
        path.removeprefix("instances/").removesuffix(".yaml")
        for path, found in changes.items()
        if found == status and path.startswith("instances/")
    ]
    return tuple(sorted(InstanceId(name) for name in names if InstanceId.pattern.fullmatch(name)))


def _fronts(repository: Repository, folder: str, commits: list[GitSha]) -> list[Served]:
    blobs = repository.blobs([f"{commit}:{folder}{FRONT_FILE}" for commit in commits]) if commits else []
    parsed: dict[bytes | None, Served] = {None: None}
    for data in blobs:
        if data is not None and data not in parsed:
            parsed[data] = _served(data)
    return [parsed[data] for data in blobs]


def _served(data: bytes) -> Served:
    try:
        front = parse_front(data, FRONT_FILE)
    except LockstepError:
        return None
    return (front.root, front.release)
