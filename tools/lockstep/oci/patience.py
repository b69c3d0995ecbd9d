"""When a request is made once more, and after how long. Decisions only: time and chance come in as values.

Made once more is what a second try can help and cannot harm:

- no answer: what can be repeated (see `Asked`); a connection that never came about, for every method
- 429, and 503 with Retry-After: every method, because such a request was not processed
- 500, 502, 504, and 503 without it: idempotent methods

and all of that only if the body can be sent again.
Source: RFC 9110, sections 9.2.2, 10.2.3 and 15; RFC 6585, section 4.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_BROKEN = frozenset({500, 502, 503, 504})


@dataclass(frozen=True)
class Patience:
    """How often and how long. All times are in seconds.

    Args:
        tries: Requests at most, the first among them.
        first: Longest wait after the first failure; it doubles with each (full jitter: any part of it is waited).
        longest: Longest single wait, also where a registry asks for more.
        total: No try begins later than this after the first failure.
        clock: A clock that never goes back.
        now: Time since the epoch, UTC: for dates in headers.
        sleep: Waits.
        chance: A number from 0 up to 1.
    """

    tries: int = 5
    first: float = 0.5
    longest: float = 60.0
    total: float = 180.0
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def wait(self, failures: int, asked: str | None) -> float:
        """How long to wait after so many failures. What a registry asks for is waited to the letter, up to `longest`.

        Args:
            failures: At least 1.
            asked: Its Retry-After, if it sent one; one that cannot be read does not count.
        """
        told = parse_retry_after(asked, self.now()) if asked else None
        backoff = self.first * 2 ** (failures - 1) * self.chance()
        return min(self.longest, backoff if told is None else told)


@dataclass(frozen=True)
class Asked:
    """A request, as far as repeating it is concerned.

    Args:
        method: GET and so on.
        again: Whether its body can be sent again.
        repeatable: Whether doing it twice is as good as once, though its method does not say so.
    """

    method: str
    again: bool = True
    repeatable: bool = False

    def after_answer(self, status: int, headers: Mapping[str, str]) -> bool:
        """Whether to make the request once more after this answer. Header names are in lower case."""
        untouched = status == 429 or (status == 503 and "retry-after" in headers)
        return self.again and (untouched or (status in _BROKEN and self._harmless))

    def after_silence(self, *, sent: bool) -> bool:
        """Whether to make the request once more after no answer. `sent`: whether any of it may have arrived."""
        return self.again and (self._harmless or not sent)

    @property
    def _harmless(self) -> bool:
        return self.repeatable or self.method in IDEMPOTENT


def parse_retry_after(text: str, now: float) -> float | None:
    """Seconds to wait, at least 0; None if the header cannot be read. Source: RFC 9110, section 10.2.3.

    Args:
        text: Seconds in digits, or an HTTP date.
        now: Time since the epoch, in seconds.
    """
    if text.strip().isascii() and text.strip().isdigit():
        return float(text.strip()[:9])  # more digits are more than 30 years
    try:
        date = parsedate_to_datetime(text)
        return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now)
    except (ValueError, OverflowError):
        return None
