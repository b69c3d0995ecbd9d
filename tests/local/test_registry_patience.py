"""What a registry cannot do now is asked again, where that can help and cannot harm: over real connections, with a
clock that passes only by waiting.
"""

from __future__ import annotations

import socket

import pytest

from fake_auth import DROP, Clock, FakeTokens, Guarded, docker_config, giving, guarding
from fakes import digest
from lockstep.adapters.docker_logins import DockerLogins
from lockstep.core.errors import OutsideError
from lockstep.oci.http import Access, Host
from lockstep.verbs.images.stores import own_stores
from lockstep.verbs.workspace import open_workspace
from tiny import tiny_bundle

EMPTY = {"content-length": "0"}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def said():
    return []


@pytest.fixture
def registry():
    return Guarded(blobs={"ocr": {digest(b"x"): b"x"}}, uploads={"1": b""})


@pytest.fixture
def host(registry, clock, said):
    with guarding(registry) as name:
        yield Host(name, Access(logins=DockerLogins({}), patience=clock.patience(), say=said.append))


def blob(host, data=b"x"):
    return f"{host.url}ocr/blobs/{digest(data)}"


def upload(host, data=b""):
    return f"{host.url}ocr/blobs/uploads/" + (f"1?state=a%2Fb&digest={digest(data)}" if data else "")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for_whatever_the_method(host, registry, clock, said, method, status):
    registry.planned = [(status, {"retry-after": "2"})]

    answer = host.send(method, blob(host) if method == "GET" else upload(host), EMPTY)

    assert answer.status == (200 if method == "GET" else 202)
    assert clock.waits == [2]
    assert said == [f"{host.name} answered {status}: waiting 2 s (try 2 of 5)"]


def test_a_date_is_waited_for_too_and_never_longer_than_a_minute(host, registry, clock):
    clock.now = 1_795_262_400.0  # 2026-11-21 12:00:00 UTC
    registry.planned = [(429, {"retry-after": "Sat, 21 Nov 2026 12:00:09 GMT"}), (429, {"retry-after": "7200"})]

    assert host.send("GET", blob(host)).status == 200
    assert clock.waits == [9, 60]


def test_five_tries_are_all_and_waits_double(host, registry, clock, said):
    registry.planned = [(500, {})] * 9

    answer = host.send("GET", blob(host))

    assert answer.status == 500
    assert len(registry.shown) == 5
    assert clock.waits == [0.5, 1, 2, 4]
    assert said[-1] == f"{host.name} answered 500: waiting 4 s (try 5 of 5)"


def test_no_try_begins_later_than_the_total(host, registry, clock):
    registry.planned = [(429, {"retry-after": "60"})] * 9

    assert host.send("GET", blob(host)).status == 429
    assert clock.waits == [60, 60, 60]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failure_after_the_request_was_taken_is_not_repeated_for_a_post(host, registry, clock, status):
    registry.planned = [(status, {})]

    assert host.send("POST", upload(host), EMPTY).status == status
    assert (len(registry.shown), clock.waits) == (1, [])


def test_a_caller_may_say_that_a_post_can_be_repeated(host, registry):
    registry.planned = [(500, {}), (DROP, {})]

    assert host.send("POST", upload(host), EMPTY, repeatable=True).status == 202


@pytest.mark.parametrize("status", [400, 403, 404, 408, 413, 416])
def test_what_asking_again_cannot_help_is_not_asked_again(host, registry, clock, status):
    registry.planned = [(status, {"retry-after": "1"})]

    assert host.send("GET", blob(host)).status == status
    assert (len(registry.shown), clock.waits) == (1, [])


@pytest.mark.parametrize("failure", [DROP, 500, 429])
@pytest.mark.parametrize("body", [b"abcd", lambda: iter([b"ab", b"cd"])])
def test_a_body_that_can_be_sent_again_arrives_whole(host, registry, failure, body):
    registry.planned = [(failure, {}), (failure, {})]

    answer = host.send("PUT", upload(host, b"abcd"), {"content-length": "4"}, body)

    assert answer.status == 201
    assert registry.blobs["ocr"][digest(b"abcd")] == b"abcd"


@pytest.mark.parametrize("failure", [500, 429])
def test_an_iterable_is_sent_once(host, registry, clock, failure):
    registry.planned = [(failure, {"retry-after": "1"})]

    answer = host.send("PUT", upload(host, b"abcd"), {"content-length": "4"}, [b"ab", b"cd"])

    assert answer.status == failure
    assert (len(registry.shown), clock.waits) == (1, [])


def test_a_lost_connection_is_made_again_for_what_can_be_repeated(host, registry, said):
    registry.planned = [(DROP, {})]

    assert host.send("GET", blob(host)).status == 200
    assert said == [f"{host.name} gave no answer: waiting 0.5 s (try 2 of 5)"]


@pytest.mark.parametrize(("method", "body"), [("POST", b""), ("PATCH", b"ab"), ("PUT", iter([b"ab"]))])
def test_a_lost_connection_is_an_error_for_what_cannot(host, registry, clock, method, body):
    registry.planned = [(DROP, {})]

    with pytest.raises(OutsideError, match="no whole answer"):
        host.send(method, upload(host, b"ab"), {"content-length": str(2 * bool(body))}, body)

    assert (len(registry.shown), clock.waits) == (1, [])


def test_a_stream_is_begun_again(host, registry):
    cut = {"content-length": "5", "connection": "close"}
    registry.planned = [(503, {}), (DROP, {}), (404, cut)]

    with host.stream(blob(host)) as stream:
        assert stream.read() == b"x"
    assert len(registry.shown) == 4


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_registry_that_is_down_for_a_moment_is_waited_for(clock, method):
    """Nothing was sent as long as nobody listened: every method may try again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    host = Host(f"127.0.0.1:{port}", Access(logins=DockerLogins({}), patience=clock.patience()))

    with pytest.raises(OutsideError, match="Connection refused"):
        host.send(method, upload(host), EMPTY)

    assert clock.waits == [0.5, 1, 2, 4]


def test_a_name_that_nobody_knows_is_said_at_once(clock):
    host = Host("registry.invalid", Access(patience=clock.patience()))

    with pytest.raises(OutsideError, match=r"no whole answer from registry\.invalid"):
        host.send("GET", host.url)

    assert clock.waits == []


def test_a_disk_that_fails_is_no_lost_connection(host, clock, tmp_path):
    def chunks():
        yield b"ab"
        yield (tmp_path / "absent").read_bytes()

    with pytest.raises(OutsideError, match="cannot be read: No such file") as caught:
        host.send("PUT", upload(host, b"abcd"), {"content-length": "4"}, chunks)

    assert caught.value.where == str(tmp_path / "absent")
    assert clock.waits == []


def test_a_body_that_ends_with_our_own_error_is_not_repeated(host, clock):
    def chunks():
        yield b"ab"
        raise OutsideError("damaged")

    with pytest.raises(OutsideError, match="damaged"):
        host.send("PUT", upload(host, b"abcd"), {"content-length": "4"}, chunks)

    assert clock.waits == []


@pytest.mark.parametrize(("failures", "status"), [(4, 404), (99, 0)])
def test_a_token_server_is_waited_for_and_its_tries_do_not_multiply(tmp_path, clock, failures, status):
    tokens = FakeTokens(clock, users={"ada": "secret"}, planned=[503] * failures)
    with giving(tokens) as realm, guarding(Guarded(tokens=tokens, realm=realm)) as name:
        docker_config(tmp_path, name, "ada", "secret")
        logins = DockerLogins({"DOCKER_CONFIG": str(tmp_path)})
        host = Host(name, Access(logins=logins, patience=clock.patience()))

        if status:
            assert host.send("GET", blob(host)).status == status
        else:
            with pytest.raises(OutsideError, match="no token for repository:ocr:pull: the token server answered 503"):
                host.send("GET", blob(host))

    assert len(tokens.asked) == 5


def test_a_token_server_that_is_not_there_is_asked_five_times(clock):
    with socket.create_server(("127.0.0.1", 0)) as server:
        realm = f"http://127.0.0.1:{server.getsockname()[1]}/token"
    with guarding(Guarded(challenge=f'Bearer realm="{realm}"')) as name:
        host = Host(name, Access(logins=DockerLogins({}), patience=clock.patience()))

        with pytest.raises(OutsideError, match="no whole answer") as caught:
            host.send("GET", blob(host))

    assert caught.value.where == realm
    assert clock.waits == [0.5, 1, 2, 4]


def test_who_runs_a_command_hears_of_each_wait(tmp_path, said):
    workspace = open_workspace(tiny_bundle(tmp_path / "bundle").folder, said.append)
    with guarding(Guarded(planned=[(429, {"retry-after": "0"})])) as name:
        own_stores(workspace).at(f"{name}/ocr").tags()

    assert said == [f"{name} answered 429: waiting 0 s (try 2 of 5)"]
