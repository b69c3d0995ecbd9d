"""What differs between two releases in what they pin: not what was edited, but what will run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockstep.core.model import Value, dump
from lockstep.core.names import ComponentName
from lockstep.core.release import Pinned, Release


class Difference(Value):
    """One pinned thing that differs.

    Args:
        component: Where.
        what: Path of the field: `image`, `prompts.summary.prompt`, `config.LLM_MODEL`.
        old: What the older release pins, as text; None if it has none.
        new: What the newer one pins.
    """

    component: ComponentName
    what: str
    old: str | None
    new: str | None


def diff(old: Release, new: Release) -> tuple[Difference, ...]:
    """Everything that differs, sorted by component and field; of equal releases nothing."""
    found = []
    for name in sorted({*old.components, *new.components}):
        before, after = _flat(old.components.get(name)), _flat(new.components.get(name))
        found += [
            Difference(component=name, what=what, old=before.get(what), new=after.get(what))
            for what in sorted({*before, *after})
            if before.get(what) != after.get(what)
        ]
    return tuple(found)


_WHOLE = (
    *("kind", "address", "command", "port", "contract", "secrets"),
    *("replicas", "autoscale", "grace", "gate"),
)


def _flat(pinned: Pinned | None) -> dict[str, str]:
    """The fields of a component as text, those of prompts, config and weights each by its own name."""
    if pinned is None:
        return {}
    data = dump(pinned)
    fields: dict[str, Any] = {key: data[key] for key in _WHOLE}
    fields |= {
        f"{group}.{key}": value
        for group in ("prompts", "config", "calls", "resources", "probes")
        for key, value in data[group].items()
    }
    if pinned.image:
        fields["image"] = pinned.image.reference
        fields |= {"image.code": pinned.image.code.digest} if pinned.image.code else {}
        fields |= {"image.runtime": pinned.image.runtime.inputs} if pinned.image.runtime else {}
    if pinned.weights:
        fields["weights"] = pinned.weights.reference
        fields |= {"weights.path": pinned.weights.path} if pinned.weights.path else {}
        fields |= {f"weights.{file.name}": f"{file.sha256} ({file.size} bytes)" for file in pinned.weights.files}
    return {key: _text(value) for key, value in fields.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(item)}" for key, item in sorted(value.items()))
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
