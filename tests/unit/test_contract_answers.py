"""Answers: what is read must be given."""

import pytest

from contract_pairs import breaks, compared, rules


def answers(written: str) -> str:
    return f"paths: {{/a: {{get: {{responses: {{{written}}}}}}}}}"


def typed(*kinds: str) -> str:
    content = ", ".join(f"? {kind} : {{schema: {{type: string}}}}" for kind in kinds)
    return answers(f"'200': {{content: {{{content}}}}}")


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("'200': {}", "'201': {}", "response-success-status-removed"),
        ("'200': {}", "default: {}", "response-success-status-removed"),
        ("'200': {}", "'2XX': {}", None),
        ("'2XX': {}", "'200': {}", None),
        ("'2xx': {}", "'2XX': {}", None),
        ("'2XX': {}", "'400': {}", "response-success-status-removed"),
        ("'200': {}, '404': {}", "'200': {}", None),
        ("'200': {}", "'200': {}, '404': {}, '202': {}", None),
    ],
)
def test_the_status_of_success_that_is_read_must_be_given(old: str, new: str, rule: str | None) -> None:
    assert breaks(compared(provider=answers(new), needed=answers(old))) == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (["application/json"], ["text/plain"], "response-media-type-removed"),
        (["application/json"], ["application/json", "text/plain"], None),
        (["application/json", "text/plain"], ["application/json"], "response-media-type-removed"),
        (["application/json"], ["application/problem+json"], None),
        (["application/problem+json"], ["application/json"], "response-media-type-name-generalized"),
        (["application/json"], ["application/json; charset=utf-8"], None),
        (["application/json; charset=utf-8"], ["application/json"], "response-media-type-parameter-removed"),
        (["application/json; v=1"], ["application/json; v=2"], "response-media-type-parameter-changed"),
        (["application/json; a=1; b=1"], ["application/json; a=2; c=1"], "response-media-type-name-changed"),
        (["application/*"], ["application/json"], None),
        (["application/json"], ["'*/*'"], "response-media-type-removed"),
    ],
)
def test_an_answer_must_be_of_a_media_type_that_is_read(old: list[str], new: list[str], rule: str | None) -> None:
    assert breaks(compared(provider=typed(*new), needed=typed(*old))) == ([rule] if rule else [])


def test_an_answer_keeps_its_schema() -> None:
    none = answers("'200': {content: {a/b: {}}}")

    assert rules(compared(provider=none, needed=typed("a/b"))) == ["response-body-media-type-schema-removed"]
    assert rules(compared(provider=typed("a/b"), needed=none)) == ["response-body-media-type-schema-added"]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("X-One: {required: true, schema: {}}", "", "required-response-header-removed"),
        ("X-One: {schema: {}}", "", "optional-response-header-removed"),
        ("", "X-One: {schema: {}}", "response-header-added"),
        ("X-One: {required: true, schema: {}}", "X-One: {schema: {}}", "response-header-became-optional"),
        ("X-One: {required: true, schema: {}}", "x-one: {required: true, schema: {}}", None),
        ("X-One: {schema: {type: string}}", "X-One: {}", "response-header-schema-removed"),
        (
            "X-One: {schema: {type: object}}",
            "X-One: {explode: true, schema: {type: object}}",
            "response-header-serialization-changed",
        ),
    ],
)
def test_a_header_that_is_read_must_be_given(old: str, new: str, rule: str | None) -> None:
    # `x-one` below `headers` is a name, not an extension
    one = "'200': {{headers: {{{}}}}}"

    found = compared(provider=answers(one.format(new)), needed=answers(one.format(old)))

    assert rules(found) == ([rule] if rule else [])
