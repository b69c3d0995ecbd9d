"""What nobody judges, what is malformed, and that a contract satisfies itself."""

import pytest

from contract_pairs import EVERYTHING, breaks, compared, contract, rules
from lockstep.core.contract.finding import Level
from lockstep.core.contract.judge import Question
from lockstep.core.contract.satisfies import satisfies


@pytest.mark.parametrize("question", Question)
def test_a_contract_satisfies_itself(question: Question) -> None:
    assert compared(provider=EVERYTHING, needed=EVERYTHING, question=question) == ()


def test_a_caller_needs_nothing_of_what_it_does_not_mention() -> None:
    use = """
paths:
  /a/{key}:
    post:
      security: [{key: []}]
      parameters:
      - {name: X-Trace, in: header, schema: {type: string}}
      requestBody:
        required: true
        content: {multipart/form-data: {schema: {type: object}, encoding: {a: {contentType: a/b}}}}
      responses: {'200': {content: {application/json: {schema: {type: object}}}}}
"""
    whole = use.replace("header, ", "header, required: true, ")

    assert breaks(compared(provider=EVERYTHING, needed=whole, question=Question.EDGE)) == []
    assert breaks(compared(provider=EVERYTHING, needed=use, question=Question.EDGE)) == [
        "request-parameter-became-required"
    ]


@pytest.mark.parametrize(
    ("old", "new", "level"),
    [
        ("unknown: 1", "unknown: 2", Level.WARN),
        ("unknown: 1", "", Level.WARN),
        ("", "unknown: 1", Level.INFO),
        ("x-other: 1", "x-other: 2", Level.INFO),
        ("unknown: 1", "unknown: 1", None),
        ("summary: a", "summary: b", None),
    ],
)
def test_a_field_that_nobody_judges_is_told_where_the_two_sides_differ(old: str, new: str, level: Level | None) -> None:
    operation = "paths: {{/a: {{get: {{{}}}}}}}"

    found = compared(provider=operation.format(new), needed=operation.format(old))

    assert [(one.rule, one.level) for one in found] == ([("not-judged", level)] if level else [])


@pytest.mark.parametrize(
    ("old", "new", "is_told"),
    [
        ("servers: [{url: 'https://one.example.org/v1'}]", "servers: [{url: 'https://two.example.org/v1/'}]", False),
        ("servers: [{url: https://example.org/v1}]", "servers: [{url: https://example.org/v2}]", True),
        ("servers: [{url: https://example.org/v1}]", "", False),
    ],
)
def test_servers_whose_addresses_end_differently_are_told(old: str, new: str, *, is_told: bool) -> None:
    path = "\npaths: {/a: {get: {}}}"

    assert breaks(compared(provider=new + path, needed=old + path)) == (["not-judged"] if is_told else [])


def test_a_path_may_move_into_the_address_of_the_server() -> None:
    apart = "servers: [{url: https://example.org/v1}]\npaths: {'/a/{id}': {get: {}}}"
    together = "servers: [{url: https://example.org}]\npaths: {'/v1/a/{key}': {get: {}}}"

    assert compared(provider=together, needed=apart) == ()
    assert compared(provider=apart, needed=together) == ()


@pytest.mark.parametrize(
    "place",
    [
        "paths: {/a: [1]}",
        "paths: {/a: {get: text}}",
        "paths: {/a: {get: {parameters: {name: a}}}}",
        "paths: {/a: {get: {parameters: [{name: a, in: body}]}}}",
        "paths: {/a: {get: {parameters: [{name: a, in: query, required: yes}]}}}",
        "paths: {/a: {get: {responses: []}}}",
        "paths: {/a: {get: {responses: {'200': {content: text}}}}}",
        "paths: {/a: {get: {deprecated: soon}}}",
        "paths: {/a: {get: {security: {a: b}}}}",
        "paths: {/a: {get: {security: [{a: b}]}}}",
        "paths: 1",
    ],
)
def test_a_malformed_place_is_told_once_with_its_line_and_breaks_nobody_who_had_it_before(place: str) -> None:
    needed = "paths: {/a: {get: {responses: {'200': {}}}}}"

    found = [one for one in compared(provider=f"\n{place}", needed=needed) if one.rule == "malformed"]
    same = compared(provider=f"\n{place}", needed=place)

    assert [(one.level, str(one.provider)) for one in found] == [(Level.WARN, "provider.yaml:3")]
    assert [(one.rule, one.level) for one in same] == [("malformed", Level.INFO)]


def test_findings_are_the_same_in_whatever_order_a_contract_is_written() -> None:
    one = "paths: {/a: {get: {}, post: {}}, /b: {get: {responses: {'200': {}, '201': {}}}}}"
    other = "paths: {/b: {get: {responses: {'201': {}, '200': {}}}}, /a: {post: {}, get: {}}}"

    assert satisfies(contract("paths: {/c: {get: {}}}"), contract(one)) == satisfies(
        contract("paths: {/c: {get: {}}}"), contract(other)
    )
    assert len(rules(compared(provider="paths: {}", needed=one))) == 3
