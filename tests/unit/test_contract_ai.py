"""What operations say of the models behind them: read strictly, compared, and true for the bundle that ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contract_pairs import breaks, compared, contract, rules
from lockstep.core.contract.ai import RULES
from lockstep.core.contract.contract import parse_contract
from lockstep.core.contract.embedding import Embedding, Metric
from lockstep.core.contract.fields import embeddings_of, fields_of
from lockstep.core.contract.finding import Level
from lockstep.core.contract.satisfies import satisfies
from lockstep.core.errors import Refused

ROOT = Path(__file__).resolve().parents[2]
EMBEDDING = "embedding: {model: minilm, revision: '1', dimension: 384, metric: cosine, normalised: true}"
GENERATION = "generation: {tokenizer: bpe, chat_template: '1', context_length: 4096, languages: [de, en]}"
embeddings = st.builds(
    Embedding,
    model=st.none() | st.sampled_from(["minilm", "e5"]),
    revision=st.none() | st.sampled_from(["1", "2"]),
    dimension=st.none() | st.integers(1, 4),
    metric=st.none() | st.sampled_from(Metric),
    normalised=st.none() | st.booleans(),
)


def operation(fields: str) -> str:
    return f"paths: {{/a: {{post: {{x-lockstep: {{{fields}}}, responses: {{}}}}}}}}"


def written(one: Embedding) -> str:
    return operation(f"embedding: {yaml.safe_dump(dict(one.stated), default_flow_style=True, width=1000).strip()}")


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("minilm", "e5", "embedding-model-changed"),
        ("revision: '1'", "revision: '2'", "embedding-revision-changed"),
        ("384", "768", "embedding-dimension-changed"),
        ("cosine", "dot", "embedding-metric-changed"),
        ("normalised: true", "normalised: false", "embedding-normalisation-changed"),
        (", normalised: true", "", "embedding-normalisation-changed"),
    ],
)
def test_another_embedding_of_the_same_shape_breaks_whoever_needs_it(old: str, new: str, rule: str) -> None:
    found = compared(provider=operation(EMBEDDING.replace(old, new)), needed=operation(EMBEDDING))

    assert breaks(found) == [rule]
    assert found[0].operation == "POST /a"
    assert str(found[0].provider).startswith("provider.yaml:2")


@pytest.mark.parametrize(
    ("old", "new", "rule", "level"),
    [
        ("bpe", "words", "tokenizer-changed", Level.ERR),
        ("chat_template: '1'", "chat_template: '2'", "chat-template-changed", Level.ERR),
        ("4096", "2048", "context-length-decreased", Level.ERR),
        ("4096", "8192", "context-length-increased", Level.INFO),
        ("[de, en]", "[en]", "language-removed", Level.ERR),
        ("[de, en]", "[de, en, fr]", "language-added", Level.INFO),
    ],
)
def test_another_generation_is_judged_field_by_field(old: str, new: str, rule: str, level: Level) -> None:
    found = compared(provider=operation(GENERATION.replace(old, new)), needed=operation(GENERATION))

    assert [(one.rule, one.level) for one in found] == [(rule, level)]


def test_a_use_file_needs_only_what_it_states() -> None:
    assert breaks(compared(provider=operation(EMBEDDING), needed=operation("embedding: {dimension: 384}"))) == []
    assert breaks(compared(provider=operation(GENERATION), needed=operation("generation: {languages: [en]}"))) == []
    assert breaks(compared(provider=operation(EMBEDDING), needed=operation(""))) == []


def test_what_is_needed_and_not_said_does_not_fit() -> None:
    assert breaks(compared(provider=operation(""), needed=operation(EMBEDDING))) == ["embedding-removed"]
    assert breaks(compared(provider=operation(EMBEDDING), needed=operation(GENERATION))) == ["generation-removed"]


def test_the_schema_of_generated_text_is_compared_as_an_answer() -> None:
    text = "generation: {{output_schema: {{type: object, required: [{0}], properties: {{a: {{type: string}}}}}}}}"
    needs, says = operation(text.format("a")), operation(text.format(""))

    assert rules(compared(provider=needs, needed=needs)) == []
    assert breaks(compared(provider=says, needed=needs))
    assert breaks(compared(provider=needs, needed=says)) == []


def test_a_reference_of_the_output_schema_must_lead_somewhere() -> None:
    with pytest.raises(Refused) as refused:
        contract(operation("generation: {output_schema: {$ref: '#/components/schemas/Answer'}}"))

    assert refused.value.findings[0].rule == "contract/reference"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (operation("embeding: {}"), "unknown field"),
        (operation("embedding: {dimensions: 3}"), "unknown field"),
        (operation("embedding: {dimension: 0}"), "greater than or equal to 1"),
        (operation("embedding: {revision: 2}"), "valid string"),
        (operation("embedding: {metric: manhattan}"), "'cosine', 'dot' or 'euclidean'"),
        ("paths: {/a: {x-lockstep: {}, get: {responses: {}}}}", "belongs into an operation"),
        ("paths: {}\ncomponents: {schemas: {A: {x-lockstep: {embedding: {}}}}}", "belongs into an operation"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(text: str, what: str) -> None:
    with pytest.raises(Refused) as refused:
        fields_of(contract(text))

    (found,) = refused.value.findings
    assert found.rule == "contract/field"
    assert what in found.what
    assert found.where.partition(":")[2].isdigit()


@given(embeddings, embeddings)
def test_an_embedding_satisfies_what_it_states_and_no_more(one: Embedding, other: Embedding) -> None:
    provider, needed = contract(written(one)), contract(written(other))

    assert satisfies(provider, provider) == ()
    assert breaks(satisfies(provider, needed)) == [] if one.fits(other) else breaks(satisfies(provider, needed)) != []


def test_every_rule_has_a_level_and_a_name_of_its_own() -> None:
    assert len(RULES) == len({*RULES})
    assert {*RULES.values()} == {Level.ERR, Level.INFO}


def test_the_shipped_embedding_says_what_its_weights_are() -> None:
    text = _shipped("embedding")
    lock: Any = yaml.safe_load((ROOT / "components/embedding/weights.lock").read_text(encoding="utf-8"))
    trained: Any = yaml.safe_load((ROOT / "components/embedding/training/params.yaml").read_text(encoding="utf-8"))

    (said,) = embeddings_of(parse_contract({"openapi.yaml": text}, "openapi.yaml"))

    assert lock["files"][0]["sha256"].removeprefix("sha256:").startswith(said.revision or "-")
    assert said.dimension == trained["embedding"]["dimension"]
    assert said.model == "hashed-projection"
    assert f'"model": "{said.model}"' in (ROOT / "components/embedding/src/embedding/app.py").read_text(
        encoding="utf-8"
    )


def _shipped(component: str) -> bytes:
    return (ROOT / "components" / component / "contract" / "openapi.yaml").read_bytes()
