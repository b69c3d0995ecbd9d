"""What the local runner honours of an object. What it cannot honour is an error, never ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockstep.core.errors import LockstepError

CONTAINER = {
    "name",
    "image",
    "imagePullPolicy",
    "command",
    "args",
    "ports",
    "env",
    "resources",
    "securityContext",
    "startupProbe",
    "readinessProbe",
    "livenessProbe",
    "lifecycle",
    "volumeMounts",
}


class CannotRun(LockstepError):  # noqa: N818 - an answer about an object
    """An object that the local runner does not understand or cannot honour."""

    exit_code = 1


def known(item: Mapping[str, Any], fields: set[str], place: str) -> None:
    """Nothing, if all that a part of an object says is among these fields.

    Raises:
        CannotRun: something in it would be ignored.
    """
    unknown = sorted(set(item) - fields)
    if unknown:
        raise cannot(
            f"{place} has {', '.join(unknown)}, which the local runner does not honour",
            "run this environment in Kubernetes, or leave the field out",
        )


def cannot(what: str, fix: str) -> CannotRun:
    """The error."""
    return CannotRun(what, fix=fix)
