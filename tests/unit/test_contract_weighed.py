"""What a change of contracts weighs, which calls fit, and which indexes must be built anew."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract_pairs import compared, contract
from lockstep.core.bindings import Bindings, parse_bindings
from lockstep.core.bundle import parse_bundle
from lockstep.core.contract.edges import Contracts, EdgeState, edges, releveled
from lockstep.core.contract.finding import Level
from lockstep.core.contract.index import Embedder, index_findings, unsaid
from lockstep.core.contract.levels import all_rules
from lockstep.core.contract.reindex import callers_of, reindexes
from lockstep.core.contract.told import judged_lines, judged_markdown
from lockstep.core.contract.weigh import Asking, Judged, edge_findings, finding_text, weigh
from lockstep.core.errors import Refused
from lockstep.core.names import ComponentName
from lockstep.core.version import Bump, Version

CONTRACT = Path(__file__).resolve().parents[2] / "tools" / "lockstep" / "core" / "contract"
DOOR, MODEL, OTHER = map(ComponentName, ("door", "model", "other"))
CALLS = {DOOR: (OTHER,), OTHER: (MODEL,), MODEL: ()}
GET = "paths: {/a: {get: {summary: words, responses: {'200': {description: fine}}}}}"


def embedded(model: str) -> str:
    return f"paths: {{/a: {{get: {{x-lockstep: {{embedding: {{model: {model}, dimension: 3}}}}, responses: {{}}}}}}}}"


def bump(new: str, old: str) -> Bump:
    return weigh(contract(new), contract(old), Asking(DOOR, is_entry=True)).bump


def test_a_break_is_major_a_gain_is_minor_and_words_are_a_patch() -> None:
    more = GET.replace("get:", "put: {responses: {}}, get:")

    assert bump(GET, more) is Bump.MAJOR
    assert bump(more, GET) is Bump.MINOR
    assert bump(GET.replace("words", "other words").replace("fine", "good"), GET) is Bump.PATCH
    assert bump(GET + "\nservers: [{url: 'https://example.org'}]", GET) is not Bump.PATCH


def test_a_property_that_is_called_like_a_word_for_people_is_no_word_for_people() -> None:
    text = "paths: {}\ncomponents: {schemas: {A: {properties: {description: {type: string}}}}}"

    assert bump(text.replace("description", "summary"), text) is Bump.MINOR


def test_a_level_of_the_team_decides_and_the_rules_own_is_shown() -> None:
    rule = compared(provider="paths: {}", needed=GET)[0].rule

    lowered = weigh(contract("paths: {}"), contract(GET), Asking(DOOR, levels={rule: Level.INFO}))

    assert lowered.bump is Bump.MINOR
    assert [(one.level, one.was) for one in lowered.findings] == [(Level.INFO, Level.ERR)]
    assert "INFO, by its rule ERR" in finding_text(lowered.findings[0])
    assert releveled(lowered.findings, {rule: Level.INFO}) == lowered.findings


def test_a_level_of_an_unknown_rule_is_refused_and_the_nearest_is_named() -> None:
    text = "name: a\nentry: a\nenvironments: {staging: {}}\ncontracts: {levels: {LEVEL}}\n"

    assert parse_bundle(text.replace("LEVEL", "tokenizer-changed: WARN"), "lockstep.yaml").contracts.levels
    for levels, said in (
        ("tokeniser-changed: INFO", "did you mean `tokenizer-changed`"),
        ("tokenizer-changed: LOW", "WARN"),
    ):
        with pytest.raises(Refused) as refused:
            parse_bundle(text.replace("LEVEL", levels), "lockstep.yaml")
        assert said in refused.value.findings[0].what
        assert refused.value.findings[0].where.startswith("lockstep.yaml:4")


def words_of_the_schema_rules() -> set[str]:
    """Every literal of the schema engine that is written as a rule, or as a part of one."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (CONTRACT / "schema").glob("*.py")]
    texts = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {text for text in texts if isinstance(text, str) and re.fullmatch(r"-?[a-z]+(-[a-z]+)+-?", text)}


def test_every_word_of_the_schema_rules_is_in_an_id_that_may_have_a_level() -> None:
    known = "\n".join(sorted(all_rules()))

    assert len(words_of_the_schema_rules()) > 20
    assert [word for word in sorted(words_of_the_schema_rules()) if word not in known] == []


def test_every_id_that_contracts_can_give_may_have_a_level() -> None:
    known = all_rules()
    seen = {
        one.rule for new, old in ((GET, "paths: {}"), ("paths: {}", GET)) for one in compared(provider=new, needed=old)
    }

    assert seen
    assert seen <= known


def test_edges_say_which_calls_fit() -> None:
    contracts = Contracts(
        {MODEL: contract(GET), OTHER: contract("paths: {}")},
        {(DOOR, MODEL): contract(GET), (DOOR, OTHER): contract(GET)},
    )

    found = edges(contracts)

    assert [(edge.caller, edge.callee, edge.state) for edge in found] == [
        (DOOR, MODEL, EdgeState.FITS),
        (DOOR, OTHER, EdgeState.DOES_NOT_FIT),
    ]
    (refused,) = edge_findings(found)
    assert refused.rule == "contract/edge"
    assert "needed at" in refused.where
    lowered = edges(contracts, {one.rule: Level.WARN for one in found[1].findings})
    assert [edge.state for edge in lowered] == [EdgeState.FITS, EdgeState.MAY_NOT_FIT]
    assert list(edge_findings(lowered)) == []


def test_a_call_of_what_is_not_there_is_no_edge() -> None:
    assert edges(Contracts({}, {(DOOR, MODEL): contract(GET)})) == ()


def test_a_reindex_names_everybody_up_to_the_entry() -> None:
    (found,) = reindexes({MODEL: contract(embedded("old"))}, {MODEL: contract(embedded("new"))}, CALLS)

    assert found.affected == callers_of(MODEL, CALLS) == (DOOR, OTHER)
    assert found.change == "model old -> new"
    assert "a reindex is needed; door, other must read a new index" in found.sentence
    assert judged_lines(Judged(reindexes=(found,))) == [f"! model: {found.sentence}"]
    assert judged_markdown(Judged(reindexes=(found,)))[0].startswith("**Reindex needed:** the embedding of `model`")


def test_no_reindex_where_an_embedding_is_said_for_the_first_time_or_in_more_words() -> None:
    more = embedded("old").replace("dimension", "revision: '1', dimension")

    assert reindexes({MODEL: contract("paths: {}")}, {MODEL: contract(embedded("new"))}, CALLS) == ()
    assert reindexes({MODEL: contract(embedded("old"))}, {MODEL: contract(more)}, CALLS) == ()
    assert reindexes({MODEL: contract(embedded("old"))}, {}, CALLS) == ()


def test_a_reindex_where_an_embedding_is_not_said_any_more() -> None:
    (found,) = reindexes({MODEL: contract(embedded("old"))}, {MODEL: contract("paths: {}")}, CALLS)

    assert found.new is None


models = st.sampled_from(["a", "b", "c"])


@given(models, models)
def test_a_reindex_is_asked_for_exactly_where_the_embedding_differs(old: str, new: str) -> None:
    before, after = contract(embedded(old)), contract(embedded(new))

    assert bool(reindexes({MODEL: before}, {MODEL: after}, CALLS)) is (old != new)
    assert weigh(after, before, Asking(MODEL)).bump is (Bump.MAJOR if old != new else Bump.PATCH)


@given(models, st.none() | models, st.lists(models, max_size=3))
def test_an_index_that_fits_lets_a_release_serve_whatever_served_before(
    target: str, served: str | None, declared: list[str]
) -> None:
    found = list(
        index_findings(
            "b.yaml",
            indexed(*declared),
            embedder(target, "2.0.0"),
            embedder(served, "1.0.0") if served else None,
        )
    )

    assert bool(found) is (target not in declared if declared else served not in {None, target})


def embedder(model: str, version: str) -> Embedder:
    return Embedder(Version(version), {MODEL: contract(embedded(model) if model else "paths: {}")}, CALLS)


def indexed(*models: str) -> Bindings:
    built = [f"{{name: n, built_with: {{component: model, model: {model}, dimension: 3}}}}" for model in models]
    return parse_bindings(f"indexes: [{', '.join(built)}]", "bindings.yaml")


@pytest.mark.parametrize(
    ("target", "served", "declared", "fits"),
    [
        ("new", "old", (), False),
        ("new", "new", (), True),
        ("new", "", (), True),
        ("new", "old", ("old",), False),
        ("new", "new", ("old",), False),
        ("new", "old", ("old", "new"), True),
        ("old", "new", ("new",), False),
        ("", "old", ("old",), True),
    ],
)
def test_an_index_must_have_been_built_with_the_embedding_that_serves(
    target: str,
    served: str,
    declared: tuple[str, ...],
    fits: bool,  # noqa: FBT001 - the table's last column
) -> None:
    found = list(index_findings("b.yaml", indexed(*declared), embedder(target, "2.0.0"), embedder(served, "1.0.0")))

    assert (found == []) is fits
    assert all(one.rule == "contract/index" and '"model": "new"' in one.fix for one in found if target == "new")


def test_nothing_served_before_and_nothing_declared_needs_no_index() -> None:
    assert list(index_findings("b.yaml", Bindings(), embedder("new", "2.0.0"), None)) == []


def test_what_cannot_be_checked_is_said() -> None:
    (note,) = unsaid(embedder("", "2.0.0"), embedder("old", "1.0.0"), Bindings())

    (first,) = unsaid(embedder("new", "2.0.0"), embedder("", "1.0.0"), Bindings())

    assert "release 2.0.0 does not say what model embeds with" in note
    assert "release 1.0.0 does not say what model embeds with" in first
    assert list(unsaid(embedder("new", "2.0.0"), embedder("", "1.0.0"), indexed("new"))) == []
    assert list(unsaid(embedder("new", "2.0.0"), embedder("new", "1.0.0"), Bindings())) == []
