"""Progress of long transfers: bytes that have arrived, said now and then, never less than before; and how they end
early.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from lockstep.verbs.workspace import Say


class Stopped(Exception):  # noqa: N818 - nothing went wrong here
    """Another transfer failed, or the person said stop: this one ended at a place from which it goes on."""


_PAUSE = 2.0  # seconds between two lines


@dataclass
class Progress:
    """Bytes of one transfer after the other. May be told from several threads.

    Args:
        say: Where lines go.
        clock: Seconds that never go back.
    """

    say: Say
    clock: Callable[[], float] = time.monotonic
    _is_stopped: bool = field(default=False, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _what: str = field(default="", init=False)
    _total: int = field(default=0, init=False)
    _done: int = field(default=0, init=False)
    _began: float = field(default=0.0, init=False)
    _said: float = field(default=0.0, init=False)
    _part: int = field(default=0, init=False)

    def expect(self, what: str, size: int) -> None:
        """A transfer of so many bytes begins. `what` is said before the numbers."""
        with self._lock:
            self._what, self._total, self._done, self._is_stopped = what, size, 0, False
            self._part = 0
            self._began = self._said = self.clock()

    def also(self, size: int) -> None:
        """So many bytes more are to be moved than was expected (fewer, if negative). The part that is said stays until
        the real one has passed it.
        """
        with self._lock:
            self._total += size

    def stop(self) -> None:
        """Whoever reports the next bytes is told to stop."""
        self._is_stopped = True

    def moved(self, size: int) -> None:
        """So many bytes more have arrived, and are remembered.

        Raises:
            Stopped: enough of it.
        """
        if self._is_stopped:
            raise Stopped
        with self._lock:
            self._done += size
            now = self.clock()
            if self._total > 0 and now - self._said >= _PAUSE:
                self._said = now
                rate = self._done / (now - self._began) / 1e6
                self._part = max(self._part, min(100, 100 * self._done // self._total))
                words = f"{self._done / 1e6:,.0f} of {self._total / 1e6:,.0f} MB, {self._part} %, {rate:,.0f} MB/s"
                self.say(f"{self._what}: {words}")
