"""What vectors are made with: the identity of an embedding, as contracts state it and indexes were built with it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field

from lockstep.core.model import Value


class Metric(StrEnum):
    """How two vectors are compared."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"


class Embedding(Value):
    """What vectors are made with. Two that differ in anything here belong into two indexes."""

    model: str | None = Field(default=None, min_length=1, description="name of the model")
    revision: str | None = Field(default=None, min_length=1, description="of its weights and of how it reads texts")
    dimension: int | None = Field(default=None, ge=1, description="numbers in a vector")
    metric: Metric | None = Field(default=None, description="how two vectors are compared")
    normalised: bool | None = Field(default=None, description="whether every vector has length 1")

    @property
    def stated(self) -> Mapping[str, Any]:
        """The fields that are given."""
        return {key: value for key, value in self.model_dump(mode="json").items() if value is not None}

    def __str__(self) -> str:
        return ", ".join(f"{key} {str(value).lower()}" for key, value in self.stated.items()) or "nothing"

    def fits(self, needed: Embedding) -> bool:
        """Whether everything that is needed is stated here, and is the same."""
        return needed.stated.items() <= self.stated.items()
