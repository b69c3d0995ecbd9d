"""What a collection may delete: nothing that anything needs, and only what can be explained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core.collect import Needs, Tagged, collect
from lockstep.core.names import Digest, digest_of
from lockstep.core.retention import Filing, Retention, hold_findings, kept_releases
from lockstep.core.tags import Tag, TagKind, base_tag, copier_tag, made_tag, parse_tag, release_tag, runtime_tag
from lockstep.core.version import Version

DAY = 86_400
VERSIONS = [Version(f"1.{number}.0") for number in range(6)]
DIGESTS = [digest_of(bytes([number])) for number in range(8)]
FILED = Filing({version: number * DAY for number, version in enumerate(VERSIONS)}, {})

versions = st.sampled_from(VERSIONS)
tags = st.one_of(
    versions.map(release_tag), versions.map(copier_tag), st.sampled_from(DIGESTS).map(made_tag),
    st.sampled_from(DIGESTS).map(runtime_tag), st.sampled_from(DIGESTS).map(base_tag), st.just("latest"),
)  # fmt: skip
images = st.lists(
    st.builds(Tagged, st.sampled_from(["ocr", "ocr-weights"]), st.sampled_from(DIGESTS),
              st.lists(tags, max_size=4).map(tuple), st.booleans()),
    max_size=12,
)  # fmt: skip


def kept(now: float = 100 * DAY, filing: Filing = FILED, **fields: object) -> list[Version]:
    return sorted(kept_releases(Retention.model_validate(fields), VERSIONS, filing, now))


def test_without_a_rule_every_release_keeps_its_images():
    assert kept() == VERSIONS
    assert kept(hold=("1.0.0",)) == VERSIONS


def test_each_rule_keeps_what_it_says_and_the_newest():
    assert kept(last=2) == VERSIONS[-2:]
    assert kept(now=7 * DAY, days=3) == VERSIONS[-2:]
    assert kept(days=1) == VERSIONS[-1:]
    assert kept(last=1, hold=("1.1.0",)) == [VERSIONS[1], VERSIONS[-1]]
    assert kept(last=1, filing=Filing({}, {VERSIONS[2]: "serves in production"})) == [VERSIONS[2], VERSIONS[-1]]


def test_a_release_whose_age_nobody_knows_is_young():
    assert kept(days=1, filing=Filing({}, {})) == VERSIONS


def test_a_hold_on_what_is_no_release_is_found():
    (finding,) = hold_findings(Retention(hold=(Version("9.0.0"),)), VERSIONS)

    assert (finding.rule, finding.where) == ("gc/hold", "lockstep.yaml")
    assert hold_findings(Retention(hold=(VERSIONS[0],)), VERSIONS) == ()


@given(last=st.integers(1, 8), days=st.integers(1, 8), now=st.integers(0, 10), more=st.integers(0, 5))
def test_a_looser_rule_never_keeps_less(last: int, days: int, now: int, more: int):
    strict = set(kept(now=now * DAY, last=last, days=days))

    assert strict <= set(kept(now=now * DAY, last=last + more, days=days))
    assert strict <= set(kept(now=now * DAY, last=last, days=days + more))
    assert strict >= set(kept(now=now * DAY, last=last)) | set(kept(now=now * DAY, days=days))


@given(found=images, needed=st.frozensets(st.sampled_from(DIGESTS)), staying=st.frozensets(versions))
def test_what_goes_is_what_nothing_keeps(found: list[Tagged], needed: frozenset[Digest], staying: frozenset[Version]):
    needs = Needs(dict.fromkeys(staying, "kept"), frozenset(VERSIONS) - staying,
                  dict.fromkeys(needed, "a file"), frozenset({runtime_tag(DIGESTS[0])}))  # fmt: skip

    collection = collect(found, needs)

    assert not collection.findings
    assert len(collection.doomed) + len(collection.kept) == len(found)
    for one in collection.doomed:
        kinds = [parse_tag(tag) for tag in one.image.tags]
        assert one.image.digest not in needed
        assert not one.image.is_new
        assert not {kind.version for kind in kinds} & staying
        assert TagKind.FOREIGN not in {kind.kind for kind in kinds}
        assert runtime_tag(DIGESTS[0]) not in one.image.tags
    assert collect([one.image for one in collection.doomed], needs).doomed == collection.doomed


def test_a_tag_that_promises_an_unknown_release_stops_everything_until_a_person_says_that_it_was_abandoned():
    image = Tagged("ocr", DIGESTS[0], (release_tag(VERSIONS[5]),))
    needs = Needs({VERSIONS[0]: "kept"})

    (finding,) = collect([image], needs).findings
    after = collect([image], needs, frozenset({VERSIONS[5]}))

    assert (finding.rule, finding.where) == ("gc/unknown", "ocr:release-1.5.0")
    assert "--abandoned 1.5.0" in finding.fix
    assert after.findings == ()
    assert after.doomed[0].because == "1.5.0 never became a release"


def test_a_moved_tag_stops_everything():
    image = Tagged("ocr-weights", DIGESTS[0], (release_tag(VERSIONS[0]),))
    promised = {("ocr-weights", release_tag(VERSIONS[0])): DIGESTS[1]}

    (finding,) = collect([image], Needs({VERSIONS[0]: "kept"}, promised=promised)).findings

    assert (finding.rule, finding.component) == ("gc/moved", "ocr")
    assert DIGESTS[1] in finding.what


@pytest.mark.parametrize(
    ("text", "kind"),
    [("release-1.0.0", TagKind.RELEASE), ("copier-1.0.0-rc.1", TagKind.COPIER), (made_tag(DIGESTS[0]), TagKind.MADE),
     (runtime_tag(DIGESTS[0]), TagKind.RUNTIME), (base_tag(DIGESTS[0]), TagKind.BASE),
     (release_tag(VERSIONS[0], beside=DIGESTS[0]), TagKind.RELEASE)],
)  # fmt: skip
def test_our_tags_are_understood(text: str, kind: TagKind):
    assert parse_tag(text).kind is kind


def test_a_tag_beside_another_promises_its_release():
    assert parse_tag(release_tag(VERSIONS[1], beside=DIGESTS[0])) == Tag(TagKind.RELEASE, VERSIONS[1])


@pytest.mark.parametrize("text", ["latest", "release-", "release-1.0", "release-candidate", "release-1.0.0_abc", "in-",
                                  "in-abc", "code",
                                  "-1.0.0", "base-" + "g" * 20, "", "sha256-" + "0" * 64 + ".sig"])  # fmt: skip
def test_other_tags_are_foreign(text: str):
    assert parse_tag(text) == Tag(TagKind.FOREIGN)
