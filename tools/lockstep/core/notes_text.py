"""Notes as lines for a terminal, and for the message of a tag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lockstep.core.changelog import ReleaseNotes
from lockstep.core.notes import Cause, ComponentNotes, Fact, Notes, State
from lockstep.core.shown import visible
from lockstep.core.version import Bump, Version

_NOTHING = "nothing"


def headline(old: Version | None, new: Version) -> str:
    """What is compared: `1.3.0 -> 1.4.0`."""
    return f"{old} -> {new}" if old else str(new)


def release_lines(release: ReleaseNotes) -> list[str]:
    """A release and what it did, from its version on."""
    date = f" ({release.date})" if release.date else ""
    return [f"{release.version}{date}: {counted(release)}", *("  " + line for line in notes_lines(release.notes))]


def counted(release: ReleaseNotes) -> str:
    """What a release is counted from: `a minor release since 1.3.0, after 1.4.0-rc.1`."""
    since = release.notes.old
    kind = "pre-release" if release.version.is_prerelease else "release"
    named = kind if release.bump is Bump.NONE else f"{release.bump} {kind}"
    words = f"a {named} since {since}" if since else f"the first {kind}"
    earlier = ", ".join(map(str, release.prereleases))
    return words + (f", with all of {earlier}" if earlier else "")


def notes_lines(notes: Notes) -> list[str]:
    """What differs, by component; every line but names of components is indented. Equal releases give one line.

    The indent also keeps the text of prompts from being read as part of a signature or a trailer of a tag.
    """
    lines = [f"{one.component}: {visible(one.sentence)}" for one in notes.reindexes]
    lines += [f"{_label(fact)}: {sides(fact)}" for fact in notes.facts]
    for one in notes.components:
        lines += [f"{one.component}: {summary(one)}", *("  " + line for line in _component(one))]
    lines += [f"as before: {', '.join(notes.same)}"] if notes.components and notes.same else []
    return lines or ["nothing differs"]


def summary(one: ComponentNotes) -> str:
    """What happened to a component, in a few words."""
    if one.state is State.FOLLOWS:
        return "; ".join(map(cause_text, one.causes)) or "follows"
    if one.state is State.CHANGED:
        return ", ".join(one.kinds) or ", ".join(dict.fromkeys(fact.what for fact in one.facts)) or "changed"
    return one.state


def cause_text(cause: Cause) -> str:
    """Why a component follows: `calls summarizer, where llm changed`."""
    origin = f", through which it reaches {cause.origin}" if cause.origin != cause.callee else ""
    return f"calls {cause.callee}{origin}, which changed"


def sides(fact: Fact) -> str:
    """Both sides of a fact: `54.0 kB 1a2b3c4d5e -> 108.2 kB 9f8e7d6c5b`."""
    return " -> ".join(side(text) for text in (fact.old, fact.new))


def side(text: str | None) -> str:
    """One side of a fact, in one line."""
    return _NOTHING if text is None else visible(text) or "(empty)"


def _label(fact: Fact) -> str:
    return visible(f"{fact.what} {fact.name}".rstrip())


def _component(one: ComponentNotes) -> Iterator[str]:
    yield from _facts(one)
    for prompt in one.prompts:
        yield f"prompt {visible(prompt.name)}"
        yield from ("  " + line for line in prompt.lines)


def _facts(one: ComponentNotes) -> Iterable[str]:
    labels = [_label(fact) for fact in one.facts]
    width = max(map(len, labels), default=0)
    for label, fact in zip(labels, one.facts, strict=True):
        shown = side(fact.new) if one.state is State.ADDED else sides(fact)
        yield f"{label:<{width}}  {shown}"
