"""Types that parse, versions and bumps."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core.names import (
    ComponentName,
    Digest,
    DvcMd5,
    EnvironmentName,
    GitOid,
    GitSha,
    ImageRef,
    InstanceId,
    Parsed,
    blob_oid,
    without_host,
)
from lockstep.core.prompt import prompt_bump, prompt_version
from lockstep.core.version import ORDER, Bump, Version, bump_between, largest

SHA = "sha256:" + "ab" * 32
# Source: semver.org 2.0.0, item 11.
PRECEDENCE = [
    *("1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1"),
    *("1.0.0", "2.0.0", "2.1.0", "2.1.1"),
]
versions = st.builds("{}.{}.{}".format, *[st.integers(0, 20)] * 3).map(Version)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Digest, SHA),
        (DvcMd5, "0" * 32),
        (GitOid, "a" * 40),
        (GitSha, "b" * 64),
        (ComponentName, "a"),
        (ComponentName, "a" + "b" * 39),
        (InstanceId, "text-embedding-0123456789"),
        (EnvironmentName, "staging"),
        (ImageRef, f"vllm/vllm-openai@{SHA}"),
        (ImageRef, f"localhost:5000/a/b_c.d@{SHA}"),
        (ImageRef, f"ocr@{SHA}"),
    ],
)
def test_a_name_is_its_own_text(kind: type[Parsed], text: str) -> None:
    assert kind(text) == text
    assert str(kind(text)) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Digest, "ab" * 32),
        (Digest, "sha256:" + "AB" * 32),
        (Digest, SHA + "\n"),
        (Digest, "sha512:" + "ab" * 64),
        (DvcMd5, "0" * 32 + ".dir"),
        (GitSha, "abc123"),
        (GitSha, "a" * 41),
        (ComponentName, ""),
        (ComponentName, "Ocr"),
        (ComponentName, "1ocr"),
        (ComponentName, "ocr-"),
        (ComponentName, "a" * 41),
        (ComponentName, "a.b"),
        (ComponentName, "a\n"),
        (InstanceId, "ocr-012345678"),
        (InstanceId, "ocr-0123456789a"),
        (InstanceId, "ocr-012345678G"),
        (InstanceId, "-0123456789"),
        (EnvironmentName, "1.2.0"),
        (ImageRef, "ocr"),
        (ImageRef, "ocr:latest"),
        (ImageRef, f"ocr:1.0@{SHA}"),
        (ImageRef, f"Ocr@{SHA}"),
        (ImageRef, "ocr@sha256:12"),
    ],
)
def test_a_malformed_name_is_refused_with_a_good_example(kind: type[Parsed], text: str) -> None:
    with pytest.raises(ValueError, match="a good one: ") as caught:
        kind(text)

    assert kind(kind.example) in str(caught.value)


def test_a_name_is_not_made_of_something_else() -> None:
    nothing: Any = None

    with pytest.raises(ValueError, match="a good one"):
        Digest(nothing)


def test_an_instance_id_and_an_image_tell_their_parts() -> None:
    assert InstanceId("a-b-0123456789").component == "a-b"
    assert ImageRef(f"host:1/x/y@{SHA}").repository == "host:1/x/y"
    assert ImageRef(f"host:1/x/y@{SHA}").digest == SHA


@pytest.mark.parametrize(
    ("reference", "plain"),
    [
        ("ghcr.io/a/b@x", "a/b@x"),
        ("localhost/a@x", "a@x"),
        ("host:5000/a@x", "a@x"),
        ("a/b@sha256:1", "a/b@sha256:1"),
        ("ocr@sha256:1", "ocr@sha256:1"),
    ],
)
def test_without_host_leaves_out_a_registry_and_nothing_else(reference: str, plain: str) -> None:
    assert without_host(reference) == plain


def test_blob_oid_is_the_id_that_git_gives() -> None:
    """`git hash-object` of these bytes, measured once: unit tests start no Git."""
    assert blob_oid(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert blob_oid(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_versions_are_ordered_as_semver_org_says() -> None:
    parsed = [Version(text) for text in PRECEDENCE]

    assert sorted(parsed, reverse=True) == parsed[::-1]
    assert all(old < new for old, new in itertools.pairwise(parsed))


@pytest.mark.parametrize(
    "text", ["1", "1.0", "01.0.0", "1.0.0-01", "1.0.0+build", "v1.0.0", "1.0.0-", "1.0.0 ", "1.0.0\n", "", "1.0.0-a..b"]
)
def test_a_malformed_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a semantic version"):
        Version(text)


@given(versions, versions)
def test_bump_between_names_the_first_part_that_differs(old: Version, new: Version) -> None:
    parts = zip(str(old).split("."), str(new).split("."), (Bump.MAJOR, Bump.MINOR, Bump.PATCH), strict=True)

    assert bump_between(old, new) == next((bump for before, after, bump in parts if before != after), Bump.NONE)


@given(versions, st.sampled_from(ORDER[1:]))
def test_bumped_is_the_smallest_version_that_is_this_far(version: Version, bump: Bump) -> None:
    assert bump_between(version, version.bumped(bump)) is bump
    assert version < version.bumped(bump)


def test_a_final_has_no_prerelease() -> None:
    assert Version("1.2.3-rc.1").is_prerelease
    assert Version("1.2.3-rc.1").final == Version("1.2.3")
    assert not Version("1.2.3").is_prerelease


def test_largest_of_no_bumps_is_none() -> None:
    assert largest(()) is Bump.NONE
    assert largest((Bump.PATCH, Bump.MAJOR, Bump.MINOR)) is Bump.MAJOR


def _prompt(version: str, text: str = "words") -> str:
    return f"---\nversion: {version}\n---\n{text}\n"


@pytest.mark.parametrize(
    ("old", "new", "bump"),
    [
        (_prompt("1.0.0"), _prompt("1.0.0"), Bump.NONE),
        (_prompt("1.0.0"), _prompt("1.0.0", "others"), Bump.PATCH),
        (_prompt("1.0.0"), _prompt("1.0.1"), Bump.PATCH),
        (_prompt("1.0.0"), _prompt("1.1.0"), Bump.MINOR),
        (_prompt("1.9.0"), _prompt("2.0.0"), Bump.MAJOR),
        ("plain", "other", Bump.PATCH),
        ("plain", _prompt("9.0.0"), Bump.PATCH),
        (_prompt("1.0"), _prompt("2.0"), Bump.PATCH),
    ],
)
def test_prompt_bump_follows_the_prompts_own_versions(old: str, new: str, bump: Bump) -> None:
    assert prompt_bump(old, new) is bump


@pytest.mark.parametrize(
    "text",
    [
        "",
        "---\n",
        "---\nversion: [\n---\n",
        "---\n- a\n---\n",
        "x\n---\nversion: 1.0.0\n---\n",
        "---\nversion: &a 1.0.0\nb: *a\n---\n",
    ],
)
def test_prompt_version_of_anything_else_is_none(text: str) -> None:
    assert prompt_version(text) is None
