"""Paths, methods and what was said beforehand about taking them away."""

import pytest

from contract_pairs import breaks, compared, rules
from lockstep.core.contract.finding import Level
from lockstep.core.contract.judge import Question

GET = "paths: {/a: {get: {responses: {'200': {description: fine}}}}}"


def operation(fields: str) -> str:
    return f"paths: {{/a: {{get: {{{fields}}}}}}}"


def test_a_path_that_is_needed_and_not_there_is_an_error() -> None:
    found = compared(provider="paths: {}", needed=GET)

    assert rules(found) == ["api-path-removed-without-deprecation"]
    assert found[0].operation == "GET /a"
    assert str(found[0].needed) == "needed.yaml:2"


def test_a_method_that_is_needed_and_not_there_is_an_error() -> None:
    found = compared(provider="paths: {/a: {post: {}}}", needed=GET)

    assert breaks(found) == ["api-removed-without-deprecation"]


def test_what_the_provider_has_beyond_is_told_and_breaks_nobody() -> None:
    found = compared(provider=GET.replace("get:", "post: {}, get:"), needed=GET)

    assert [(one.rule, one.level) for one in found] == [("endpoint-added", Level.INFO)]


def test_a_variable_of_a_path_may_have_another_name() -> None:
    one = "paths: {'/a/{NAME}': {get: {parameters: [{name: NAME, in: path, required: true, schema: {type: string}}]}}}"

    assert compared(provider=one.replace("NAME", "id"), needed=one.replace("NAME", "key")) == ()


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("deprecated: true", "api-removed-with-deprecation"),
        ("deprecated: true, x-sunset: '2030-06-16'", "api-removed-before-sunset"),
        ("deprecated: true, x-sunset: '2030-02-30'", "api-path-sunset-parse"),
        ("deprecated: true, x-sunset: '2030-06-15T10:00:00Z'", None),
        ("x-stability-level: alpha", None),
        ("x-stability-level: beta", "api-removed-without-deprecation"),
    ],
)
def test_what_was_said_beforehand_decides_about_an_operation_that_is_gone(said: str, rule: str | None) -> None:
    found = compared(provider="paths: {/a: {}}", needed=operation(said))

    assert rules(found) == ([rule] if rule else [])


@pytest.mark.parametrize("said", ["deprecated: true", "x-stability-level: alpha"])
def test_a_caller_is_broken_whatever_was_said_beforehand(said: str) -> None:
    found = compared(provider="paths: {/a: {}}", needed=operation(said), question=Question.EDGE)

    assert breaks(found) == ["api-removed-without-deprecation"]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("", "deprecated: true", "endpoint-deprecated"),
        ("deprecated: true", "", "endpoint-reactivated"),
        ("", "deprecated: true, x-sunset: '2031-01-01'", "endpoint-deprecated-with-sunset"),
        ("", "deprecated: true, x-sunset: '2030-01-01'", "api-sunset-date-too-small"),
        ("", "deprecated: true, x-sunset: soon", "api-deprecated-sunset-parse"),
        ("deprecated: true, x-sunset: '2031-01-01'", "deprecated: true", "sunset-deleted"),
        (
            "deprecated: true, x-sunset: '2031-01-01'",
            "deprecated: true, x-sunset: '2030-01-01'",
            "api-sunset-date-changed-too-small",
        ),
        ("x-stability-level: stable", "x-stability-level: beta", "api-stability-decreased"),
        ("x-stability-level: beta", "", "api-stability-increased"),
        ("", "x-stability-level: rock solid", "api-invalid-stability-level"),
        ("operationId: one", "operationId: two", "api-operation-id-removed"),
        ("tags: [one]", "", "api-tag-removed"),
    ],
)
def test_what_is_said_about_an_operation_is_compared(old: str, new: str, rule: str) -> None:
    found = compared(provider=operation(new), needed=operation(old))

    assert rules(found) == [rule]
