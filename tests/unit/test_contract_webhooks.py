"""Webhooks and callbacks: there the provider sends, and reads the answer."""

import pytest

from contract_pairs import breaks, compared, rules

REQUIRED = "{type: object, required: [a], properties: {a: {type: string}}}"
OPTIONAL = "{type: object, properties: {a: {type: string}}}"


def webhook(fields: str) -> str:
    return f"webhooks: {{sold: {{post: {{{fields}}}}}}}"


def callback(fields: str, address: str = "'{$request.body#/url}'") -> str:
    return f"paths: {{/a: {{post: {{callbacks: {{done: {{{address}: {{post: {{{fields}}}}}}}}}}}}}}}"


def body(schema: str, *, is_required: bool = False) -> str:
    return f"requestBody: {{required: {str(is_required).lower()}, content: {{a/b: {{schema: {schema}}}}}}}"


def test_a_webhook_that_is_needed_must_be_called() -> None:
    assert rules(compared(provider="webhooks: {}", needed=webhook(""))) == ["webhook-removed"]
    assert rules(compared(provider=webhook(""), needed="webhooks: {}")) == ["webhook-added"]
    assert breaks(compared(provider="webhooks: {sold: {get: {}}}", needed=webhook(""))) == [
        "api-removed-without-deprecation"
    ]


@pytest.mark.parametrize("call", [webhook, callback])
def test_what_the_provider_calls_with_must_be_what_is_read(call) -> None:
    less = breaks(compared(provider=call(body(OPTIONAL)), needed=call(body(REQUIRED))))
    more = breaks(compared(provider=call(body(REQUIRED)), needed=call(body(OPTIONAL))))

    assert less == ["response-property-became-optional"]
    assert more == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (body("{}"), "", "webhook-body-removed"),
        ("", body("{}"), None),
        (body("{}", is_required=True), body("{}"), "webhook-body-became-optional"),
        (body("{}"), body("{}", is_required=True), None),
        ("parameters: [{name: a, in: header, required: true}]", "", "webhook-parameter-removed"),
        (
            "parameters: [{name: a, in: header, required: true}]",
            "parameters: [{name: A, in: header}]",
            "webhook-parameter-became-optional",
        ),
        ("responses: {'200': {}}", "responses: {'204': {}}", "response-success-status-removed"),
        ("responses: {'200': {}}", "responses: {default: {}}", None),
        (
            "responses: {'200': {content: {a/b: {}}}}",
            "responses: {'200': {content: {c/d: {}}}}",
            "request-body-media-type-removed",
        ),
    ],
)
def test_the_provider_keeps_how_it_calls_and_what_it_takes_for_an_answer(old: str, new: str, rule: str | None) -> None:
    assert breaks(compared(provider=webhook(new), needed=webhook(old))) == ([rule] if rule else [])


def test_a_callback_that_is_needed_must_be_called() -> None:
    none = "paths: {/a: {post: {}}}"

    assert rules(compared(provider=none, needed=callback(""))) == ["callback-removed"]
    assert rules(compared(provider=callback(""), needed=none)) == ["callback-added"]
    assert rules(compared(provider=callback("", "elsewhere"), needed=callback(""))) == ["callback-removed"]


def test_callbacks_that_lead_back_to_themselves_come_to_an_end() -> None:
    ring = (
        "paths: {/a: {post: {callbacks: {done: {$ref: '#/components/callbacks/done'}}}}}\n"
        "components: {callbacks: {done: {here: {post: {callbacks: {done: {$ref: '#/components/callbacks/done'}}}}}}}"
    )

    assert compared(provider=ring, needed=ring) == ()
