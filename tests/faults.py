"""The faults of registries that a push meets, one row each; docs/faults.md lists them, and those of other tests.

A row breaks the stand-in registry, says what the command must say, and mends it. What must hold afterwards is the same
for all of them, and is in tests/local/test_faults.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fake_auth import FakeTokens, Guarded
from fakes import Trouble

NOW = {"retry-after": "0"}
OTHER = {"docker-content-digest": "sha256:" + "0" * 64}
ALWAYS = 99
AGAIN = "run the same command again"


@dataclass
class Place:
    """A registry that can be broken.

    Args:
        registry: It.
        host: Its `host:port`.
        realm: Its token server.
        push: Pushes the release, and must succeed.
        tokens: That server.
    """

    registry: Guarded
    host: str
    realm: str
    push: Callable[[], object]
    tokens: FakeTokens


def _mended(place: Place) -> None:
    place.registry.troubles.clear()


@dataclass(frozen=True)
class Fault:
    """One row.

    Args:
        name: As in docs/faults.md.
        breaks: Breaks it.
        code: Exit code of the push; 0 where it succeeds in spite of it.
        says: What its standard error must have.
        fix: What its fix must have.
        mends: Does what the fix says, or what only time does.
    """

    name: str
    breaks: Callable[[Place], object]
    code: int = 0
    says: str = ""
    fix: str = ""
    mends: Callable[[Place], object] = field(default=_mended)


def _with(*troubles: Trouble, times: int = 1) -> Callable[[Place], None]:
    return lambda place: place.registry.troubles.extend([*troubles] * times)


def _no_mounts(place: Place) -> None:
    place.registry.mounts = False


def _asking_for_tokens(place: Place) -> None:
    """Every token ends when an upload begins, three times."""
    place.registry.tokens, place.registry.realm = place.tokens, place.realm

    def pass_time() -> None:
        place.tokens.clock.now += 1000

    place.registry.troubles += [Trouble("POST", "/blobs/uploads/", does=pass_time)] * 3


def _asking_for_a_login(place: Place) -> None:
    place.registry.users = {"ada": "secret"}


def _open(place: Place) -> None:
    place.registry.users = {}


def _moved_tag(place: Place) -> None:
    place.registry.tags["team/tiny/model"] = {"release-1.0.0": OTHER["docker-content-digest"]}
    place.registry.manifests["team/tiny/model"] = {OTHER["docker-content-digest"]: b"{}"}
    place.registry.types[OTHER["docker-content-digest"]] = "application/vnd.oci.image.manifest.v1+json"


def _without_tag(place: Place) -> None:
    del place.registry.tags["team/tiny/model"]


def _collected(place: Place) -> None:
    """One blob that only the model's weights have is gone; manifest and tag are there."""
    place.push()
    blobs = place.registry.blobs
    only = sorted(set(blobs["team/tiny/model-weights"]) - set(blobs["team/tiny/model"]))
    del blobs["team/tiny/model-weights"][only[0]]
    place.registry.stored.clear()


def _without_manifest(place: Place) -> None:
    place.push()
    place.registry.manifests["team/tiny/model"].clear()
    place.registry.stored.clear()


def _full(place: Place) -> None:
    place.registry.troubles += [Trouble("PUT", "/blobs/uploads/", 507)] * ALWAYS


PUT, BLOBS, UPLOADS = "PUT", "/blobs/", "/blobs/uploads/"
REGISTRY = (
    Fault("a mount is answered 202", _no_mounts),
    Fault(
        "429 with Retry-After in seconds",
        _with(Trouble("HEAD", BLOBS, 429, NOW), Trouble("POST", UPLOADS, 429, NOW), Trouble(PUT, UPLOADS, 429, NOW)),
        says="answered 429: waiting 0 s (try 2 of 5)",
    ),
    Fault(
        "429 with Retry-After as a date",
        _with(Trouble(PUT, UPLOADS, 429, {"retry-after": "Sat, 21 Nov 2020 12:00:09 GMT"})),
        says="answered 429: waiting 0 s (try 2 of 5)",
    ),
    Fault(
        "429 that does not end",
        _with(Trouble(PUT, UPLOADS, 429, NOW), times=ALWAYS),
        3,
        "the registry answered 429",
        "the registry asks for fewer requests: wait some minutes",
    ),
    Fault("500 in the middle of a blob", _with(Trouble(PUT, UPLOADS, 500, NOW, half=True)), says="answered 500"),
    Fault(
        "500 that does not end",
        _with(Trouble(PUT, UPLOADS, 500, NOW, half=True), times=ALWAYS),
        3,
        "the registry answered 500",
        f"see the registry's log; {AGAIN}",
    ),
    Fault(
        "a connection that breaks in the middle of a blob", _with(Trouble(PUT, UPLOADS, 0, half=True)), 0, "no answer"
    ),
    Fault(
        "connections that break again and again",
        _with(Trouble(PUT, UPLOADS, 0, half=True), times=ALWAYS),
        3,
        "no whole answer from",
        "is up and reachable from here",
    ),
    Fault(
        "an answer that is lost after the blob was stored", _with(Trouble(PUT, UPLOADS, 0, late=True)), 0, "no answer"
    ),
    Fault(
        "an answer that is lost after the tag was set", _with(Trouble(PUT, "/manifests/", 0, late=True)), 0, "no answer"
    ),
    Fault(
        "another digest answered for what was sent",
        _with(Trouble(PUT, UPLOADS, headers=OTHER, late=True)),
        3,
        f"the registry says that it has {OTHER['docker-content-digest']} where sha256:",
        f"check the network and the registry's disk, then {AGAIN}",
    ),
    Fault(
        "another digest answered for what was asked",
        _with(Trouble("HEAD", BLOBS, 200, OTHER)),
        3,
        f"the registry says that it has {OTHER['docker-content-digest']} where sha256:",
        f"check the network and the registry's disk, then {AGAIN}",
    ),
    Fault(
        "another digest answered for a manifest",
        _with(Trouble(PUT, "/manifests/", headers=OTHER, late=True)),
        3,
        f"the registry says that it has {OTHER['docker-content-digest']} where sha256:",
        f"check the network and the registry's disk, then {AGAIN}",
    ),
    Fault(
        "the release's tag names something else in the registry",
        _moved_tag,
        1,
        f"push/tag model: the tag names {OTHER['docker-content-digest']} there, this release has sha256:",
        "remove the tag there",
        _without_tag,
    ),
    Fault("a blob was collected in the registry", _collected),
    Fault("a manifest is gone from the registry", _without_manifest),
    Fault("the token ends in the middle of a push", _asking_for_tokens),
    Fault(
        "the login is missing or refused",
        _asking_for_a_login,
        3,
        "the registry answered 401",
        "docker login 127",
        _open,
    ),
    Fault(
        "the registry's disk is full",
        _full,
        3,
        "the registry answered 507",
        f"see the registry's log; {AGAIN}",
    ),
)

_STORE, _MACHINE = "local/test_faults_store.py", "local/test_faults_machine.py"
_TOGETHER = "local/test_writing_together.py"
ELSEWHERE = {
    "other bytes than were asked for": (
        f"{_STORE}::test_what_the_store_lost_comes_from_the_registry_and_is_not_believed",
        "local/test_oci_registry.py::test_a_registry_that_stored_other_bytes_is_not_believed",
    ),
    "a registry that is not there": (
        "local/test_registry_patience.py::test_a_registry_that_is_down_for_a_moment_is_waited_for",
        "local/test_air_gap_elsewhere.py::test_a_registry_that_nobody_knows_is_said_with_the_component",
    ),
    "a credential helper that hangs": ("local/test_registry_logins.py::test_a_helper_that_hangs_is_ended_and_named",),
    **dict.fromkeys(
        (
            "something in the store is missing",
            "something in the store is damaged",
            "a tag in the store is gone or moved",
            "the index or the whole store is gone",
        ),
        (
            f"{_STORE}::test_verify_names_what_the_store_lost_and_its_fixes_bring_it_back",
            f"{_STORE}::test_a_push_and_an_export_name_what_the_store_lost_and_go_on_after_the_fix",
        ),
    ),
    "the disk takes no more bytes": (
        f"{_MACHINE}::test_a_disk_that_takes_no_more_is_said_and_the_rerun_completes",
        "local/test_oci_upload.py::test_an_upload_that_cannot_be_remembered_is_not_begun",
        "unit/test_oci_store.py::test_a_full_disk_names_the_blob_and_leaves_nothing",
        "unit/test_oci_store.py::test_a_device_that_is_full_says_to_free_space",
    ),
    "two tools at once on one store": (
        f"{_MACHINE}::test_two_at_once_on_one_store_both_succeed_and_do_it_once",
        "local/test_oci_upload.py::test_two_tools_at_once_send_it_once",
    ),
    "two tools at once on one branch": (
        f"{_TOGETHER}::test_in_one_clone_a_real_race_has_a_winner_and_a_rerun_that_succeeds",
        f"{_TOGETHER}::test_in_two_clones_the_second_starts_again_from_the_first",
    ),
    "a kill at any step": (
        "local/test_writing_killed.py::test_a_command_killed_at_any_step_leaves_all_whole_and_its_rerun_completes",
    ),
    "a kill in the middle of an upload": (
        "local/test_oci_upload.py::test_after_a_kill_at_sixty_percent_the_rerun_sends_the_rest",
    ),
}
# Every fault of the matrix, in the order of docs/faults.md, and the tests that play it.
FAULTS = {
    **{fault.name: ("local/test_faults.py::test_a_push_meets_a_fault",) for fault in REGISTRY},
    **ELSEWHERE,
}
