"""Parameters and bodies: what is sent must be read."""

import pytest

from contract_pairs import breaks, compared, rules

LIMIT = "{name: limit, in: query, schema: {type: integer}"


def operation(fields: str) -> str:
    return f"paths: {{/a: {{post: {{{fields}}}}}}}"


def parameters(*written: str) -> str:
    return operation(f"parameters: [{', '.join(written)}]")


@pytest.mark.parametrize("place", ["query", "header", "cookie"])
def test_a_parameter_that_must_be_sent_breaks_who_does_not_know_it(place: str) -> None:
    provider = parameters(f"{{name: one, in: {place}, required: true, schema: {{type: string}}}}")

    assert rules(compared(provider=provider, needed=parameters())) == ["new-required-request-parameter"]
    assert breaks(compared(provider=provider.replace("true", "false"), needed=parameters())) == []


def test_a_parameter_of_the_path_item_counts_for_each_operation_and_its_own_comes_first() -> None:
    shared = "paths: {/a: {parameters: [{name: one, in: query, required: true}], post: {FIELDS}}}"
    own = shared.replace("FIELDS", "parameters: [{name: one, in: query}]")

    found = compared(provider=shared.replace("FIELDS", ""), needed=parameters())
    assert rules(found) == ["new-required-request-default-parameter-to-existing-path"]
    assert breaks(compared(provider=own, needed=parameters())) == []
    assert compared(provider=own, needed=parameters("{name: one, in: query}")) == ()


def test_a_parameter_that_is_sent_and_not_known_is_a_warning() -> None:
    found = compared(provider=parameters(), needed=parameters(LIMIT + "}"))

    assert breaks(found) == ["request-parameter-removed"]
    assert found[0].what == "the query parameter `limit` is sent and the provider does not know it"


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("", "required: true", "request-parameter-became-required"),
        ("required: true", "", "request-parameter-became-optional"),
        ("", "deprecated: true", "request-parameter-deprecated"),
        ("deprecated: true", "", "request-parameter-reactivated"),
        ("", "deprecated: true, x-sunset: '2030-01-01'", "request-parameter-sunset-date-too-small"),
        ("", "deprecated: true, x-sunset: soon", "request-parameter-sunset-parse"),
        ("deprecated: true, x-sunset: '2031-01-01'", "deprecated: true", "request-parameter-sunset-deleted"),
        ("allowReserved: true", "", "request-parameter-reserved-characters-refused"),
        ("allowEmptyValue: true", "", "request-parameter-empty-value-refused"),
    ],
)
def test_what_is_said_about_a_parameter_is_compared(old: str, new: str, rule: str) -> None:
    found = compared(provider=parameters(f"{LIMIT}, {new}}}"), needed=parameters(f"{LIMIT}, {old}}}"))

    assert rules(found) == [rule]


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("deprecated: true", "request-parameter-removed-with-deprecation"),
        ("deprecated: true, x-sunset: '2030-07-01'", "request-parameter-removed-before-sunset"),
        ("deprecated: true, x-sunset: '2030-06-01'", None),
    ],
)
def test_what_was_said_beforehand_decides_about_a_parameter_that_is_gone(said: str, rule: str | None) -> None:
    found = compared(provider=parameters(), needed=parameters(f"{LIMIT}, {said}}}"))

    assert rules(found) == ([rule] if rule else [])


def test_the_name_of_a_header_is_the_same_in_any_case() -> None:
    one = "{name: NAME, in: header, required: true, schema: {type: string}}"

    old, new = parameters(one.replace("NAME", "X-One")), parameters(one.replace("NAME", "x-one"))

    assert compared(provider=new, needed=old) == ()


@pytest.mark.parametrize(
    ("old", "new", "is_broken"),
    [
        ("schema: {type: array}", "explode: false, schema: {type: array}", True),
        ("schema: {type: array}", "explode: true, style: form, schema: {type: array}", False),
        ("schema: {type: string}", "explode: false, schema: {type: string}", False),
        ("schema: {type: array}", "style: pipeDelimited, schema: {type: array}", True),
        ("schema: {type: array}", "content: {application/json: {schema: {type: array}}}", True),
        ("content: {application/json: {}}", "content: {text/plain: {}}", True),
        ("content: {application/json: {}}", "content: {Application/JSON: {}}", False),
    ],
)
def test_a_parameter_must_be_written_as_it_is_read(old: str, new: str, *, is_broken: bool) -> None:
    one = "{{name: one, in: query, {}}}"

    found = compared(provider=parameters(one.format(new)), needed=parameters(one.format(old)))

    assert breaks(found) == (["request-parameter-serialization-changed"] if is_broken else [])


def test_parameters_may_be_named_one_by_one_or_as_the_properties_of_an_exploded_object() -> None:
    apart = parameters("{name: a, in: query, schema: {type: string}}", "{name: b, in: query, schema: {type: string}}")
    together = parameters(
        "{name: both, in: query, schema: {type: object, properties: {a: {type: string}, b: {type: string}}}}"
    )

    assert compared(provider=together, needed=apart) == ()
    assert compared(provider=apart, needed=together) == ()


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("", "requestBody: {required: true, content: {a/b: {}}}", ["request-body-added-required"]),
        ("", "requestBody: {content: {a/b: {}}}", ["request-body-added-optional"]),
        ("requestBody: {content: {a/b: {}}}", "", ["request-body-removed"]),
        (
            "requestBody: {content: {a/b: {}}}",
            "requestBody: {required: true, content: {a/b: {}}}",
            ["request-body-became-required"],
        ),
    ],
)
def test_a_body_must_be_sent_where_it_must_be_there_and_read_where_it_is_sent(
    old: str, new: str, found: list[str]
) -> None:
    assert rules(compared(provider=operation(new), needed=operation(old))) == found


@pytest.mark.parametrize(
    ("old", "new", "is_read"),
    [
        ("application/json", "Application/JSON", True),
        ("application/json", "application/json; charset=utf-8", True),
        ("application/json", "application/*", True),
        ("application/json", "'*/*'", True),
        ("application/json", "text/plain", False),
        ("application/json", "application/merge-patch+json", False),
        ("application/json; v=1", "application/json; v=2", False),
        ("application/*", "application/json", False),
    ],
)
def test_a_body_must_be_of_a_media_type_that_is_read(old: str, new: str, *, is_read: bool) -> None:
    body = "requestBody: {{content: {{? {} : {{schema: {{type: string}}}}}}}}"

    found = compared(provider=operation(body.format(new)), needed=operation(body.format(old)))

    assert breaks(found) == ([] if is_read else ["request-body-media-type-removed"])


def test_a_schema_where_there_was_none_refuses_what_was_sent() -> None:
    body = "requestBody: {content: {a/b: {SCHEMA}}}"
    none, some = operation(body.replace("SCHEMA", "")), operation(body.replace("SCHEMA", "schema: {type: string}"))

    assert rules(compared(provider=some, needed=none)) == ["request-body-media-type-schema-added"]
    assert rules(compared(provider=none, needed=some)) == ["request-body-media-type-schema-removed"]


def test_a_field_of_a_form_must_be_written_as_it_is_read() -> None:
    body = "requestBody: {content: {multipart/form-data: {encoding: {one: {ENCODING}}}}}"
    old, new = (operation(body.replace("ENCODING", f"contentType: {kind}")) for kind in ("image/png", "image/jpeg"))

    assert rules(compared(provider=new, needed=old)) == ["request-body-encoding-changed"]
