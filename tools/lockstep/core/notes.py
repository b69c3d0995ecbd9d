"""What a release does to each component, for people: what changed and why, what follows from it, what is as before."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from lockstep.core.contract.reindex import Reindex
from lockstep.core.diff import Difference, diff
from lockstep.core.inputs import Change, InputKind, compare
from lockstep.core.model import Value
from lockstep.core.names import ComponentName
from lockstep.core.release import Pinned, PinnedWeights, Release
from lockstep.core.shown import amount, visible
from lockstep.core.version import Version

_SHORT = 10  # hexadecimal characters of a digest or a Git id that are shown
_LONGEST = 100  # characters of a value that are shown


class Fact(Value):
    """One thing that differs, short enough to read.

    Args:
        what: The kind of thing: `code`, `weights`, `config`, or the field that differs.
        name: Which one: a path, a file, a variable; empty where there is only one.
        old: Before; None if it was not there.
        new: Now; None if it is gone.
    """

    what: str
    name: str
    old: str | None
    new: str | None


class PromptText(Value):
    """A prompt whose text differs; None where it was not there, or is gone."""

    name: str
    old: str | None
    new: str | None

    @property
    def lines(self) -> tuple[str, ...]:
        """The unified diff, each line without its end and with visible controls. A text that ends without a line break
        says so, as in Git's diffs, so that no two different texts give an empty diff.
        """
        before = visible(f"a/{self.name}") if self.old is not None else "/dev/null"
        after = visible(f"b/{self.name}") if self.new is not None else "/dev/null"
        found = difflib.unified_diff(_lines(self.old), _lines(self.new), before, after, lineterm="")
        return tuple(shown for line in found for shown in _shown(line))


class Cause(Value):
    """Why a component follows: what it calls changed, or something that this calls (`origin`)."""

    callee: ComponentName
    origin: ComponentName


class State(StrEnum):
    """What a release does to a component, in the order of telling."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    FOLLOWS = "follows"


class ComponentNotes(Value):
    """What a release does to one component.

    Args:
        component: Its name.
        state: Whether it is new, gone, changed by itself, or only follows what it calls.
        kinds: The kinds of input that changed, sorted.
        facts: What differs, but for prompts.
        prompts: Prompts whose text differs, by name.
        causes: Of one that follows: why.
    """

    component: ComponentName
    state: State
    kinds: tuple[InputKind, ...] = ()
    facts: tuple[Fact, ...] = ()
    prompts: tuple[PromptText, ...] = ()
    causes: tuple[Cause, ...] = ()


class Notes(Value):
    """What differs between two releases.

    Args:
        old: The older one; None where everything is new.
        new: The newer one.
        facts: What differs in the whole: its entry, its platform.
        components: What is added, removed, changed, and what follows, in this order and by name.
        same: The components that are as before.
        reindexes: The embeddings that changed: every index of them must be built anew.
    """

    old: Version | None
    new: Version
    facts: tuple[Fact, ...]
    components: tuple[ComponentNotes, ...]
    same: tuple[ComponentName, ...]
    reindexes: tuple[Reindex, ...] = ()

    def only(self, component: ComponentName) -> Notes:
        """What they say of one component by itself: nothing of the whole, and nothing where it only follows."""
        own = [one for one in self.components if one.component == component and one.state is not State.FOLLOWS]
        moved = tuple(one for one in self.reindexes if one.component == component)
        return self.model_copy(update={"facts": (), "components": tuple(own), "same": (), "reindexes": moved})


def notes(old: Release | None, new: Release, reindexes: tuple[Reindex, ...] = ()) -> Notes:
    """What `new` does against `old`; equal releases give no component.

    Why something changed is told by the inputs of both, so a comment in component.yaml is a change without a fact.

    Args:
        old: The older release; None where everything is new.
        new: The newer one.
        reindexes: The embeddings that changed between them.
    """
    changes = compare(old.inputs if old else {}, new.inputs, new.calls).changes
    differences = diff(old, new) if old else ()
    names = sorted({*(one.component for one in changes), *(one.component for one in differences)})
    found = [
        _component(
            name,
            (old.components.get(name) if old else None, new.components.get(name)),
            [one for one in changes if one.component == name],
            [one for one in differences if one.component == name],
        )
        for name in names
    ]
    order = list(State)
    return Notes(
        old=old.version if old else None,
        new=new.version,
        facts=tuple(_whole(old, new)) if old else (),
        components=tuple(sorted(found, key=lambda one: (order.index(one.state), one.component))),
        same=tuple(sorted(set(new.components) - set(names))),
        reindexes=reindexes,
    )


def _whole(old: Release, new: Release) -> Iterator[Fact]:
    if old.entry != new.entry:
        yield Fact(what="entry", name="", old=old.entry, new=new.entry)
    before, after = old.platform.identity, new.platform.identity
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield Fact(what="platform", name=key, old=_short(before.get(key)), new=_short(after.get(key)))


Sides = tuple[Pinned | None, Pinned | None]


def _component(
    name: ComponentName, sides: Sides, changes: list[Change], differences: list[Difference]
) -> ComponentNotes:
    own = [change for change in changes if change.kind is not InputKind.CALLEE]
    state = _state(sides, is_own=bool(own or differences))
    kinds = {change.kind for change in own} - {InputKind.ADDED, InputKind.REMOVED}
    if state is State.REMOVED:
        return ComponentNotes(component=name, state=state)
    return ComponentNotes(
        component=name,
        state=state,
        kinds=tuple(sorted(kinds)),
        facts=(*_weights(sides), *_images(sides), *_fields(differences, state), *_files(own, differences)),
        prompts=tuple(_prompts(sides)),
        causes=tuple(_causes(changes)),
    )


def _state(sides: Sides, *, is_own: bool) -> State:
    if None in sides:
        return State.ADDED if sides[0] is None else State.REMOVED
    return State.CHANGED if is_own else State.FOLLOWS


def _causes(changes: Iterable[Change]) -> Iterator[Cause]:
    for change in changes:
        if change.kind is InputKind.CALLEE and change.because:
            yield Cause(callee=ComponentName(change.path), origin=change.because)


def _prompts(sides: Sides) -> Iterator[PromptText]:
    old, new = (pinned.prompts if pinned else {} for pinned in sides)
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield PromptText(name=name, old=old.get(name), new=new.get(name))


def _weights(sides: Sides) -> Iterator[Fact]:
    """Files of weights by name, size and digest; of an image that exists already its name."""
    old, new = (_weights_files(pinned.weights) if pinned and pinned.weights else {} for pinned in sides)
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield _digests("weights", name, old.get(name), new.get(name))


def _weights_files(weights: PinnedWeights) -> Mapping[str, str]:
    if weights.is_third_party:
        return {"": weights.reference + (f" {weights.path}" if weights.path else "")}
    return {file.name: f"{amount(file.size)} {file.sha256}" for file in weights.files}


def _images(sides: Sides) -> Iterator[Fact]:
    """Third-party images; what is built here is told by its inputs."""
    old, new = (
        pinned.image.reference if pinned and pinned.image and pinned.image.is_third_party else None for pinned in sides
    )
    if old != new:
        yield _digests("image", "", old, new)


def _fields(differences: Iterable[Difference], state: State) -> Iterator[Fact]:
    """Every other field; of a component that is new they would be all of component.yaml."""
    for one in differences:
        what, _, name = one.what.partition(".")
        told = what in {"prompts", "weights", "image", "contract"} or (what == "calls" and one.old and one.new)
        if state is State.CHANGED and not told:
            yield Fact(what=what, name=name, old=_short(one.old), new=_short(one.new))


def _files(changes: Iterable[Change], differences: Iterable[Difference]) -> Iterator[Fact]:
    """Files by Git ids, where these say what nothing else does."""
    told = {InputKind.PROMPT, InputKind.WEIGHTS, InputKind.ADDED}
    told |= {InputKind.CONFIG} if any(_is_config(one) for one in differences) else set()
    for change in changes:
        if change.kind not in told:
            old, new = (oid[:_SHORT] if oid else None for oid in (change.old, change.new))
            yield Fact(what=change.kind, name=change.path, old=old, new=new)


def _is_config(one: Difference) -> bool:
    return one.what.partition(".")[0] not in {"prompts", "weights", "image", "contract"}


def _digests(what: str, name: str, old: str | None, new: str | None) -> Fact:
    """A fact whose sides hold digests; short, but whole where they begin alike."""
    short = [re.sub(rf"sha256:([0-9a-f]{{{_SHORT}}})[0-9a-f]+", r"\1", text) if text else text for text in (old, new)]
    before, after = (old, new) if short[0] == short[1] else short
    return Fact(what=what, name=name, old=before, new=after)


def _short(value: object) -> str | None:
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _lines(text: str | None) -> list[str]:
    """The lines of a text; the last one keeps a line break inside it where it ends without one, to differ by that."""
    if not text:
        return []
    *whole, last = text.split("\n")
    return [*whole, f"{last}\n"] if last else whole


def _shown(line: str) -> Iterator[str]:
    """A line of a diff; one that ends the text without a line break is two, as in Git."""
    yield visible(line.removesuffix("\n"))
    if line.endswith("\n"):
        yield "\\ No newline at end of file"
