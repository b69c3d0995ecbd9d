"""The runtimes that Docker makes, several at a time. Each is stored as it is finished, so that a failure of one costs
no other: a rerun finds them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

from lockstep.core.errors import Finding, LockstepError, OutsideError, Refused
from lockstep.core.names import ComponentName
from lockstep.verbs.images.runtime import Base, Builds, base_of, runtime_of
from lockstep.verbs.plan import Planned


def make_runtimes(builds: Builds, planned: Planned, jobs: int, *, held: bool = False) -> None:
    """Nothing; every runtime that Docker makes is in the store then.

    Args:
        builds: What building needs.
        planned: The plan.
        jobs: How many are built at once.
        held: Also those of components that `pin` holds.

    Raises:
        Refused: images cannot be used; every finding.
        OutsideError: some do not build, with the end of what each said; the others were built and stored all the same.
    """
    names = sorted(name for name in builds.source.contexts if held or name not in planned.pinned)
    if not names:
        return
    bases = {name: base_of(builds, builds.store_of(name)) for name in names}  # one after another: fetched once
    with ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(_make, builds, planned, name, bases[name]) for name in names]
        try:
            wait(running)
        finally:
            pool.shutdown(cancel_futures=True)  # after Ctrl-C no further build begins
    errors = [error for one in running if (error := one.exception())]
    for error in errors:
        if not isinstance(error, LockstepError):
            raise error
    findings: list[Finding] = [item for error in errors if isinstance(error, Refused) for item in error.findings]
    outside = [error for error in errors if isinstance(error, LockstepError) and not isinstance(error, Refused)]
    if len(outside) > 1:
        what = "\n".join(f"{error.what}\n  fix: {error.fix}" for error in outside)
        raise OutsideError(
            what, where=", ".join(error.where for error in outside), fix="correct each, then run it again"
        )
    if outside:
        raise outside[0]
    if findings:
        raise Refused("some images cannot be used", findings)


def _make(builds: Builds, planned: Planned, name: ComponentName, base: Base | None) -> None:
    last = planned.latest.components.get(name) if planned.latest else None
    builds.found[name] = runtime_of(builds, name, last, base)
