"""YAML in and out: our writer and three readers agree, and what has two meanings is refused with its line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from lockstep.core.document import (
    InvalidDocument,
    format_flow,
    format_json,
    format_yaml,
    parse_authored,
    parse_canonical,
    parse_objects,
)

HOSTILE = [
    "\x85",
    "\u2028",
    "\ufeff",
    "\ufffe",
    "\x7f",
    "😀",
    "---",
    "a\n---\nb",
    "{{ x }}",
    "${X}",
    "no",
    "0x1F",
    "1.5",
    "",
    " a ",
    "#",
    "~",
    "\t",
    "\\",
    '"',
]
words = st.text(max_size=20) | st.sampled_from(HOSTILE)
data_of = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(data_of)
@example({word: [word, {word: {}}] for word in HOSTILE})
@example([[[]], [{}], {"a": [{"b": 1}, [2]]}])
def test_format_yaml_writes_what_three_readers_read_alike(data: Any) -> None:
    text = format_yaml(data)

    assert parse_canonical(text, "it").data == data
    assert yaml.safe_load(text) == data
    assert yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) == data  # noqa: S506 - libyaml's own reader


@given(data_of)
def test_format_flow_writes_one_line_that_is_both_json_and_yaml(data: Any) -> None:
    text = format_flow(data)

    assert json.loads(text) == data
    assert yaml.safe_load(f"here: {text}\n") == {"here": data}
    assert len(text.splitlines()) == 1


@given(st.dictionaries(words, words, min_size=2, max_size=6))
def test_format_yaml_does_not_depend_on_the_order_of_keys(data: dict[str, str]) -> None:
    backwards = dict(reversed(data.items()))

    assert format_yaml(backwards) == format_yaml(data)
    assert format_json(backwards) == format_json(data)


@pytest.mark.parametrize("form", [format_yaml, format_flow, format_json])
def test_format_refuses_floats(form: Any) -> None:
    with pytest.raises(ValueError, match="float"):
        form({"a": [1.5]})


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "duplicate key `a` .first at line 1."),
        ("a:\n  - x: 1\n    x: 2\n", 3, "duplicate key `x`"),
        ("a: &one 1\nb: *one\n", 1, "alias"),
        ("b: 1\na: !!python/name:os.system x\n", 2, "YAML tag"),
        ("a: !secret x\n", 1, "YAML tag"),
        ("a: 1\n---\nb: 2\n", 3, "several YAML documents"),
        ("a: 1\n? [x]\n: 2\n", 2, "a key that is not a word"),
        ("a: 1\nb: [\n", 3, "not valid YAML"),
    ],
)
@pytest.mark.parametrize("parse", [parse_authored, parse_canonical])
def test_parse_refuses_what_has_two_meanings_with_its_line(parse: Any, text: str, line: int, what: str) -> None:
    with pytest.raises(InvalidDocument, match=what) as caught:
        parse(text, "some/file.yaml")

    assert caught.value.where == f"some/file.yaml:{line}"
    assert caught.value.fix


@pytest.mark.parametrize("number", ["1.5", "1e3", ".5", "-2.", ".inf", "-.INF", ".nan", "1.5e-3"])
def test_parse_canonical_refuses_floats_with_their_line(number: str) -> None:
    with pytest.raises(InvalidDocument, match="float") as caught:
        parse_canonical(f"a: 1\nb: {number}\n", "f.yaml")

    assert caught.value.where == "f.yaml:2"


def test_parse_authored_keeps_scalars_as_they_are_spelled() -> None:
    text = "md5: 01234567890123456789012345678901\nanswer: no\nsize: 1_000\npython: 3.10\nnothing:\n"

    assert parse_authored(text, "f").data == {
        "md5": "01234567890123456789012345678901",
        "answer": "no",
        "size": "1_000",
        "python": "3.10",
        "nothing": None,
    }


def test_parse_objects_leaves_empty_documents_out() -> None:
    assert [item.data for item in parse_objects("---\n---\na: 1\n---\n", "f")] == [{"a": 1}]


def test_where_names_the_deepest_line_that_the_file_has() -> None:
    document = parse_authored("a:\n  b:\n    - c\n", "f.yaml")

    assert document.where(("a", "b", 0, "x", "y")) == "f.yaml:3"
    assert document.where(("z",)) == "f.yaml:1"


def test_format_gives_the_same_bytes_under_any_hash_seed() -> None:
    program = (
        "from lockstep.core.document import format_yaml, format_json\n"
        "data = {name: {name + other: [other] for other in 'xyz'} for name in map(chr, range(97, 117))}\n"
        "data = {key: data[key] for key in set(data)}\n"
        "print(format_yaml(data), format_json(data))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "tools"},
            capture_output=True, check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }  # fmt: skip

    assert len(texts) == 1
