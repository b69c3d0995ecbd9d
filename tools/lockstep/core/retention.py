"""Which releases keep their images: all of them, unless lockstep.yaml says how many or how long. Pure.

release.yaml itself is never deleted: what a release was made of can be said for ever, and made again from its commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import Field

from lockstep.core.errors import Finding
from lockstep.core.model import Value
from lockstep.core.version import Version

_DAY = 86_400  # seconds


class Retention(Value):
    """How many releases keep their images, or how long; what either keeps is kept. Without both, every release does."""

    last: int | None = Field(default=None, ge=1, description="how many of the newest versions keep their images")
    days: int | None = Field(default=None, ge=1, description="for how many days after it was committed a release does")
    hold: tuple[Version, ...] = Field(
        default=(), description="versions that keep their images whatever else is said (a legal hold)"
    )

    @property
    def is_for_ever(self) -> bool:
        """Whether no release ever loses its images."""
        return self.last is None and self.days is None


@dataclass(frozen=True)
class Filing:
    """When releases came into the branch, and which of them something there names.

    Args:
        times: Seconds since 1970 UTC, by version; one that is absent is not known, and kept.
        named: Versions that a front or a pin names, with the words for it.
    """

    times: Mapping[Version, float]
    named: Mapping[Version, str]


def kept_releases(retention: Retention, versions: Iterable[Version], filing: Filing, now: float) -> dict[Version, str]:
    """The releases that keep their images, and why, in words. `now` is in seconds since 1970 UTC."""
    ordered = sorted(versions, reverse=True)
    reasons = {version: _reason(retention, ordered, version, filing, now) for version in ordered}
    return {version: reason for version, reason in reasons.items() if reason}


def hold_findings(retention: Retention, versions: Iterable[Version]) -> tuple[Finding, ...]:
    """A hold on a release that is not there holds nothing, and its author does not know it."""
    absent = sorted(set(retention.hold) - set(versions))
    return tuple(
        Finding(
            "gc/hold",
            "lockstep.yaml",
            f"`hold` names {version}, which is no release here",
            "correct the version; or git pull, if the release is newer than this clone",
        )
        for version in absent
    )


def _reason(retention: Retention, ordered: list[Version], version: Version, filing: Filing, now: float) -> str:
    """Why a release keeps its images; empty if it does not."""
    age = now - filing.times.get(version, now)
    reasons = (
        (version in retention.hold, "held"),
        (version in filing.named, filing.named.get(version, "")),
        (retention.is_for_ever, "no retention rule"),
        (version == ordered[0], "the newest"),
        (version in ordered[: retention.last or 0], f"one of the last {retention.last}"),
        (bool(retention.days) and age <= (retention.days or 0) * _DAY, f"younger than {retention.days} days"),
    )
    return next((words for holds, words in reasons if holds), "")
