"""Where a demo's releases run: behind this port the story is the same on this machine and on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class BrokenPromise(Exception):  # noqa: N818 - what the demo is there to find
    """Something that Lockstep promises did not hold."""


class Place(Protocol):
    """Runs one environment of the clone. Instances are named by their ids.

    Attributes:
        since: What a way back is measured from, in words.
        reach: Options with which `lockstep release` and `lockstep push` reach its registry.
        touches: What the story changes outside of its clone, in words; empty for nothing.
    """

    since: str
    reach: tuple[str, ...]
    touches: str

    def settle(self) -> None:
        """Edits the clone's lockstep.yaml for this place, before the first release; the caller commits."""

    def released(self, version: str) -> None:
        """A release was made: its images go where this place takes them from."""

    def committed(self) -> None:
        """An edit of the environment was committed: this place is told, if it does not look by itself."""

    def look(self) -> tuple[str, ...]:
        """Options with which `lockstep status` looks at what runs here."""

    def start(self) -> None:
        """Starts following the environment; its first release is staged and promoted."""

    def stop(self) -> None:
        """Stops what `start` started."""

    def url(self) -> str:
        """Where the front answers: http://host:port."""

    def served(self) -> str:
        """The release that the front names; empty for none yet."""

    def root(self) -> str:
        """The root that the front names."""

    def states(self) -> Mapping[str, str]:
        """Every instance that is there: ready, starting or another word for what it is."""

    def lives(self) -> Mapping[str, str]:
        """Every instance that is ready: what becomes another whenever it is started again."""

    def failing(self, instances: list[str]) -> str:
        """The first of these instances that failed to start; empty if none did."""

    def seen_ns(self, reverted_ns: int) -> int:
        """When the newest move of the front was ordered, on the monotonic clock; `since` says what that means.

        Args:
            reverted_ns: When `git revert` returned.
        """

    def check(self) -> None:
        """Nothing while it runs.

        Raises:
            BrokenPromise: it ended by itself.
        """
