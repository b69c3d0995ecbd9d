"""What operations say of the models behind them, compared: what is needed of a model is there, and is the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lockstep.core.contract.contract import Node
from lockstep.core.contract.embedding import Embedding
from lockstep.core.contract.fields import Generation, fields_of
from lockstep.core.contract.finding import Level
from lockstep.core.contract.judge import Draft, Judge, said
from lockstep.core.contract.operations import operations_of
from lockstep.core.contract.paths import template_of
from lockstep.core.contract.schemas import Direction, Part, Spot, schema_findings

# Whoever states a field needs it as it is: another vector space or another tokenizer has no half measure.
RULES: Mapping[str, Level] = {
    "embedding-added": Level.INFO,
    "embedding-removed": Level.ERR,
    "embedding-model-changed": Level.ERR,
    "embedding-revision-changed": Level.ERR,
    "embedding-dimension-changed": Level.ERR,
    "embedding-metric-changed": Level.ERR,
    "embedding-normalisation-changed": Level.ERR,
    "generation-added": Level.INFO,
    "generation-removed": Level.ERR,
    "tokenizer-changed": Level.ERR,
    "chat-template-changed": Level.ERR,
    "context-length-decreased": Level.ERR,
    "context-length-increased": Level.INFO,
    "language-removed": Level.ERR,
    "language-added": Level.INFO,
    "output-schema-removed": Level.ERR,
    "output-schema-added": Level.INFO,
}
_EMBEDDING = {
    "model": "embedding-model-changed",
    "revision": "embedding-revision-changed",
    "dimension": "embedding-dimension-changed",
    "metric": "embedding-metric-changed",
    "normalised": "embedding-normalisation-changed",
}
_REINDEX = "keep it; or build a new index with it, and move every caller's use file with it in this release"
_KEEP = "keep it, or move every caller's use file with it in this release"
_NOTHING = "nothing to do"


@dataclass(frozen=True)
class _Pair:
    """What both sides say in one block of one operation, and where."""

    operation: str
    provider: Node
    needed: Node

    def draft(self, rule: str, what: str, fix: str, values: tuple[Any, Any]) -> Draft:
        """A finding about a field: `values` are what is needed and what is there."""
        old, new = (None if value is None else said(value) for value in values)
        return Draft(rule, RULES[rule], self.operation, what, fix, self.provider, self.needed, old, new)

    def at(self, key: str) -> _Pair:
        """The same two sides, one key deeper where they have it."""
        return _Pair(self.operation, self.provider.get(key) or self.provider, self.needed.get(key) or self.needed)


def ai_findings(judge: Judge) -> None:
    """Notes what is found about the fields of every operation that both sides have.

    Raises:
        Refused: fields that are not understood.
    """
    there, needed = fields_of(judge.provider), fields_of(judge.needed)
    if not there and not needed:
        return
    mine = {template_of(name): (name, node) for name, node in operations_of(judge.provider).items()}
    for name, node in sorted(operations_of(judge.needed).items(), key=lambda item: item[0]):
        if (found := mine.get(template_of(name))) is None:
            continue  # that it is gone is said already
        new, new_node = there.get(found[0], (None, found[1]))
        old, old_node = needed.get(name, (None, node))
        pair = _Pair(name, new_node, old_node)
        for draft in _block(pair, "embedding", old and old.embedding, new and new.embedding):
            judge.add(draft)
        for draft in _block(pair, "generation", old and old.generation, new and new.generation):
            judge.add(draft)
        if old and new and old.generation and new.generation:
            _output_schemas(judge, pair.at("generation"))


def _block(pair: _Pair, word: str, old: Any, new: Any) -> Iterator[Draft]:
    """The findings about `embedding` or `generation`, which one side may lack."""
    here = pair.at(word)
    if old is None and new is not None:
        yield here.draft(f"{word}-added", f"it says more: {word} {_shown(new)}", _NOTHING, (None, _plain(new)))
    elif old is not None and new is None:
        what = f"{word} {_shown(old)} is needed, and nothing is said of it"
        yield here.draft(f"{word}-removed", what, _KEEP, (_plain(old), None))
    elif isinstance(old, Embedding):
        yield from _embeddings(here, old, new)
    elif isinstance(old, Generation):
        yield from _generations(here, old, new)


def _plain(block: Embedding | Generation) -> Mapping[str, Any]:
    return {key: value for key, value in block.model_dump(mode="json").items() if value is not None}


def _shown(block: Embedding | Generation) -> str:
    return ", ".join(f"{key} {said(value)}" for key, value in _plain(block).items())


def _embeddings(pair: _Pair, old: Embedding, new: Embedding) -> Iterator[Draft]:
    there = new.stated
    for key, value in old.stated.items():
        if there.get(key) != value:
            what = f"vectors are made with {key} {_or_not(there.get(key))}, needed is {said(value)}"
            yield pair.at(key).draft(_EMBEDDING[key], what, _REINDEX, (value, there.get(key)))


def _generations(pair: _Pair, old: Generation, new: Generation) -> Iterator[Draft]:
    for key, rule in (("tokenizer", "tokenizer-changed"), ("chat_template", "chat-template-changed")):
        before, now = getattr(old, key), getattr(new, key)
        if before is not None and now != before:
            what = f"the {key.replace('_', ' ')} is {_or_not(now)}, needed is {said(before)}"
            yield pair.at(key).draft(rule, what, _KEEP, (before, now))
    yield from _lengths(pair.at("context_length"), old.context_length, new.context_length)
    yield from _languages(pair.at("languages"), old.languages, new.languages)
    here = pair.at("output_schema")
    if old.output_schema is not None and new.output_schema is None:
        what = "a schema of the generated text is needed, and none is said"
        yield here.draft("output-schema-removed", what, _KEEP, (old.output_schema, None))
    if old.output_schema is None and new.output_schema is not None:
        what = "the generated text has a schema now"
        yield here.draft("output-schema-added", what, _NOTHING, (None, new.output_schema))


def _lengths(pair: _Pair, old: int | None, new: int | None) -> Iterator[Draft]:
    if old is not None and (new is None or new < old):
        what = f"the context has {_or_not(new)} tokens, needed are {old}"
        yield pair.draft("context-length-decreased", what, _KEEP, (old, new))
    elif old is not None and new is not None and new > old:
        what = f"the context has {new} tokens, {new - old} more than needed"
        yield pair.draft("context-length-increased", what, _NOTHING, (old, new))


def _languages(pair: _Pair, old: tuple[str, ...] | None, new: tuple[str, ...] | None) -> Iterator[Draft]:
    if old is None:
        return
    for language in sorted(set(old) - set(new or ())):
        what = f"it answers in {', '.join(new or ()) or 'no language that it names'}, needed is {language}"
        yield pair.draft("language-removed", what, _KEEP, (list(old), list(new) if new is not None else None))
    for language in sorted(set(new or ()) - set(old)):
        yield pair.draft("language-added", f"it answers in {language} too", _NOTHING, (list(old), list(new or ())))


def _output_schemas(judge: Judge, pair: _Pair) -> None:
    """The generated text is an answer: what the provider may write is what the caller must be able to read."""
    new, old = pair.provider.get("output_schema"), pair.needed.get("output_schema")
    if new is not None and old is not None:
        spot = Spot(pair.operation, Direction.RESPONSE, Part.BODY, "the generated text (output_schema)")
        schema_findings(judge, spot, new, old)


def _or_not(value: Any) -> str:
    return "not said" if value is None else said(value)
