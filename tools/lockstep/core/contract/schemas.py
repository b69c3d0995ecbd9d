"""Schemas: whether everything that one side may send is something that the other side reads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lockstep.core.contract.contract import Node
from lockstep.core.contract.judge import Judge


class Direction(StrEnum):
    """Who sends: in a request whoever needs the contract, in a response the provider."""

    REQUEST = "request"
    RESPONSE = "response"


class Part(StrEnum):
    """What of a message a schema describes; the word of the rule ids."""

    BODY = "body"
    PARAMETER = "parameter"
    HEADER = "header"


@dataclass(frozen=True)
class Spot:
    """Where two schemas meet.

    Args:
        operation: Method and path.
        direction: Who sends.
        part: What of the message.
        name: The place in words, such as "the query parameter `limit`" or "the answer 200 as application/json".
    """

    operation: str
    direction: Direction
    part: Part
    name: str


def schema_findings(judge: Judge, spot: Spot, provider: Node, needed: Node) -> None:
    """Notes what is found about two schemas that meet at a spot; both may be references."""
