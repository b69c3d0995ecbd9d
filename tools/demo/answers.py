"""What came back from the front, and what is wrong with it. Shared by the demo and the cluster tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One request.

    Args:
        sent_ns: When it was sent, on the monotonic clock.
        began_ns: When the answer's headers came.
        status: HTTP status; 0 if there was no answer.
        root: What the header x-lockstep-release said.
        served_by: The instance of every component that took part.
        error: What went wrong, empty if nothing.
        ended_ns: When its last byte came; 0 where nobody looked.
        lane: The kind of client that asked.
        lines: For a stream: the roots that wrote it, each once, in order.
    """

    sent_ns: int
    began_ns: int
    status: int
    root: str
    served_by: Mapping[str, str]
    error: str = ""
    ended_ns: int = 0
    lane: str = ""
    lines: tuple[str, ...] = ()


def failed(answers: Iterable[Answer]) -> list[Answer]:
    """The requests that got no whole, good answer."""
    return [answer for answer in answers if answer.error or not answer.root]


def mixed(answers: Iterable[Answer], closures: Mapping[str, frozenset[str]]) -> list[Answer]:
    """The good answers that were not made by exactly the instances of one release.

    Args:
        answers: All answers; a stream is made by its root alone.
        closures: For every root, the instances that make up its release.
    """
    return [answer for answer in answers if not answer.error and answer.root and _is_mixed(answer, closures)]


def _is_mixed(answer: Answer, closures: Mapping[str, frozenset[str]]) -> bool:
    if answer.lines:
        return answer.lines != (answer.root,)
    return frozenset(answer.served_by.values()) != closures.get(answer.root, frozenset())


def last_began(answers: Iterable[Answer], root: str, after_ns: int) -> int:
    """When the last answer of a root began, not before `after_ns`; `after_ns` if none did."""
    return max(
        (answer.began_ns for answer in answers if answer.root == root and answer.began_ns > after_ns), default=after_ns
    )
