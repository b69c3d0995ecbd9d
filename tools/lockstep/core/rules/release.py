"""Steps 1 to 4: a release's file, its history, the commit that it was made from, and what it says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lockstep.core.bundle import find_cycle
from lockstep.core.component import Kind
from lockstep.core.environment import Files
from lockstep.core.errors import Finding, LockstepError, Refused
from lockstep.core.inputs import compare
from lockstep.core.release import Release, format_release, parse_release
from lockstep.core.rules.contract import contract_findings
from lockstep.core.rules.facts import Facts, Filed
from lockstep.core.rules.source import source_findings
from lockstep.core.version import Version

FILE = "release.yaml"
_KNOWN = re.compile(r"release\.yaml|evidence/[^/]+")


def read_release(folder: str, files: Files) -> tuple[Release | None, tuple[Finding, ...]]:
    """Step 1: the release that a folder holds, None if it cannot be read; and what is wrong with its files."""
    where, found = f"releases/{folder}/{FILE}", list(_place_findings(folder, files))
    if FILE not in files:
        return None, tuple(found)
    restore = f"restore it from Git: git log -- {where}"
    try:
        release = parse_release(files[FILE].decode(), where)
    except Refused as error:
        return None, (*found, *error.findings)
    except (LockstepError, UnicodeDecodeError) as error:
        place = error.where if isinstance(error, LockstepError) else where
        return None, (*found, Finding("release/field", place, f"cannot be read: {error}", restore))
    if str(release.version) != folder:
        what = f"it says version {release.version}, its folder says {folder}"
        found.append(Finding("release/version", where, what, restore))
    elif format_release(release).encode() != files[FILE]:
        what = "its bytes are not those that its content is written as (order, quotes, blanks or header)"
        found.append(Finding("release/canonical", where, what, restore))
    return release, tuple(found)


def _place_findings(folder: str, files: Files) -> Iterator[Finding]:
    own = f"releases/{folder}"
    try:
        Version(folder)
    except ValueError as error:
        yield Finding("release/place", own, str(error), f"git rm -r {own}")
    if FILE not in files:
        what = "a release without its release.yaml"
        yield Finding("release/place", own, what, f"restore it from Git: git log -- {own}/{FILE}")
    for path in sorted(files):
        if not _KNOWN.fullmatch(path):
            what = "this file belongs to no release; nothing reads it"
            yield Finding("release/place", f"{own}/{path}", what, f"git rm {own}/{path}")


def release_findings(filed: Filed, facts: Facts) -> Iterator[Finding]:
    """Steps 2 to 4 for one release."""
    if filed.release is None:
        return
    yield from _history_findings(filed, filed.release)  # step 2
    wrong = tuple(source_findings(filed, filed.release, facts))  # step 3
    if filed.source:
        yield from wrong
    elif not facts.is_shallow:
        what = f"its commit {filed.release.commit} is not in this clone"
        fix = "git fetch --all --tags; if it is nowhere, the release cannot be traced to its source"
        yield Finding("release/commit", filed.path, what, fix)
    yield from _call_findings(filed, filed.release)  # step 4
    yield from _change_findings(filed, filed.release, facts)
    if filed.source and not wrong and filed.release.version in facts.contracts:  # else it is said already
        yield from contract_findings(filed.path, facts.contracts[filed.release.version])


def _history_findings(filed: Filed, release: Release) -> Iterator[Finding]:
    """Step 2: nobody edited it, nobody moved its tag."""
    if filed.touched:
        commits = ", ".join(commit[:10] for commit in filed.touched)
        what = f"it was edited or deleted after it was added, by {commits}; a release is never edited again"
        fix = f"git checkout {filed.touched[-1][:10]}~1 -- {filed.path}, and release a new version instead"
        yield Finding("release/edited", filed.path, what, fix)
    if filed.tag is not None and filed.tag != release.commit:
        what = f"its tag names {filed.tag}, release.yaml was made from {release.commit}"
        yield Finding("release/tag", filed.path, what, "put the tag back, and give the new commit a new version")


def _call_findings(filed: Filed, release: Release) -> Iterator[Finding]:
    """Step 4: the components fit together."""
    fix = f"git log -- {filed.path}"
    entry = release.components.get(release.entry)
    if entry is None or entry.gate is None or entry.kind is not Kind.SERVICE:
        what = f"its entry `{release.entry}` is not a service with a gate among its components"
        yield Finding("release/calls", filed.path, what, fix, release.entry)
    if set(release.inputs) != set(release.components):
        what = "its inputs are not those of its components"
        yield Finding("release/calls", filed.path, what, fix)
    for name, callees in release.calls.items():
        for callee in callees:
            if callee not in release.components:
                yield Finding("release/calls", filed.path, f"`{name}` calls `{callee}`, which is not in it", fix, name)
    if cycle := find_cycle(release.calls):
        what = "components call each other in a circle: " + " -> ".join(cycle)
        yield Finding("release/calls", filed.path, what, fix, cycle[0])


def _change_findings(filed: Filed, release: Release, facts: Facts) -> Iterator[Finding]:
    """Step 4: what it says has changed is what differs from its base."""
    fix = f"git log -- {filed.path}"
    base = facts.known.get(release.base) if release.base else None
    if release.base and base is None:
        yield Finding("release/changes", filed.path, f"its base {release.base} is not a release here", fix)
        return
    changes = compare(base.inputs if base else {}, release.inputs, release.calls).changes
    if changes != release.changes:
        odd = [change for change in {*changes, *release.changes} if (change in changes) != (change in release.changes)]
        names = ", ".join(sorted({f"{change.component} {change.kind}" for change in odd})) or "order"
        what = f"its `changes` are not those between its inputs and those of {release.base or 'nothing'}: {names}"
        yield Finding("release/changes", filed.path, what, fix)
