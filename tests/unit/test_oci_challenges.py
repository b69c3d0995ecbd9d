"""What a registry asks for: challenges by RFC 7235, scopes by the distribution project's specification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.oci.challenges import Challenge, Scope, parse_challenges, parse_scope, scope_of

TOKEN = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)


def test_the_challenge_of_the_specification_is_read():
    header = (
        'Bearer realm="https://auth.example/token",service="registry.example",'
        'scope="repository:samalba/my-app:pull,push"'
    )

    assert parse_challenges(header) == (
        Challenge(
            "bearer",
            {
                "realm": "https://auth.example/token",
                "service": "registry.example",
                "scope": "repository:samalba/my-app:pull,push",
            },
        ),
    )


@pytest.mark.parametrize(
    ("header", "schemes"),
    [
        ('Basic realm="a, b=c", Bearer realm="https://x/t" , scope="s"', ["basic", "bearer"]),
        ("Negotiate, Basic realm=registry", ["negotiate", "basic"]),
        ('NTLM TlRMTVNTUAAC==, BASIC realm="x"', ["ntlm", "basic"]),
        (",, Basic", ["basic"]),
        ("", []),
    ],
)
def test_several_challenges_are_told_apart(header, schemes):
    assert [challenge.scheme for challenge in parse_challenges(header)] == schemes


def test_quoted_text_may_hold_everything():
    (found,) = parse_challenges(r'Basic REALM = "say \"hi\", Bearer realm=\\x"')

    assert found.parameters == {"realm": r'say "hi", Bearer realm=\x'}


@pytest.mark.parametrize(
    "header", ["realm=x", 'Bearer realm="https://x', 'Bearer realm="a" service="b"', 'Basic realm="a",realm="b"', "é"]
)
def test_what_follows_no_grammar_is_refused_with_its_place(header):
    with pytest.raises(ValueError, match=r"no challenge of RFC 7235 at character \d+"):
        parse_challenges(header)


@given(st.lists(st.tuples(TOKEN, st.dictionaries(TOKEN.map(str.lower), TEXT, max_size=3)), max_size=3))
def test_what_is_written_by_the_grammar_is_read_back(challenges):
    def quoted(text):
        return text.replace("\\", r"\\").replace('"', r"\"")

    written = ", ".join(
        f"{scheme} " + ", ".join(f'{name}="{quoted(value)}"' for name, value in parameters.items())
        for scheme, parameters in challenges
    )

    assert [(one.scheme, one.parameters) for one in parse_challenges(written)] == [
        (scheme.lower(), parameters) for scheme, parameters in challenges
    ]


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "docs/ocr/blobs/sha256:1", "repository:docs/ocr:pull"),
        ("HEAD", "docs/ocr/manifests/1.0.0", "repository:docs/ocr:pull"),
        ("GET", "docs/ocr/tags/list?n=1000", "repository:docs/ocr:pull"),
        ("POST", "docs/ocr/blobs/uploads/", "repository:docs/ocr:pull,push"),
        ("PATCH", "docs/ocr/blobs/uploads/1?state=x", "repository:docs/ocr:pull,push"),
        ("PUT", "docs/ocr/manifests/1.0.0", "repository:docs/ocr:pull,push"),
        ("DELETE", "docs/ocr/manifests/1.0.0", "repository:docs/ocr:delete"),
        (
            "POST",
            "docs/ocr/blobs/uploads/?mount=sha256%3A1&from=docs%2Fllm",
            "repository:docs/llm:pull repository:docs/ocr:pull,push",
        ),
        ("POST", "ocr/blobs/uploads/?mount=sha256%3A1&from=ocr", "repository:ocr:pull,push"),
        ("GET", "ocr/manifests/1?from=llm", "repository:ocr:pull"),
        ("GET", "", ""),
    ],
)
def test_a_request_needs_these_rights(method, path, scope):
    assert str(scope_of(method, f"https://registry.example/v2/{path}")) == scope


def test_rights_are_joined_and_have_one_form():
    one = parse_scope("repository:a:push,pull repository:b:pull")

    assert str(one | parse_scope("repository:b:delete repository(plugin):localhost:5000/c:pull")) == (
        "repository(plugin):localhost:5000/c:pull repository:a:pull,push repository:b:delete,pull"
    )
    assert one == parse_scope("repository:b:pull  repository:a:pull repository:a:push")
    assert Scope() | one == one | one == one
