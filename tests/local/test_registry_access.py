"""A registry that wants a login gets it, once it has asked, and nobody else does."""

from __future__ import annotations

import json
import threading

import pytest

from fake_auth import Clock, FakeTokens, Guarded, basic, docker_config, giving, guarding
from fakes import digest
from lockstep.adapters.docker_logins import DockerLogins
from lockstep.core.errors import OutsideError
from lockstep.core.names import digest_of
from lockstep.oci.http import Access, Answer, Host
from lockstep.oci.layout import Layout
from lockstep.oci.memory import Memory
from lockstep.oci.registry import Registries
from lockstep.oci.store import copy_image, read_blob, writing
from store_contract import StoreContract, an_image

PASSWORD = "hunter2-never-said"  # noqa: S105 - the tests' own
IDENTITY = "identity-never-said"
ABSENT = digest_of(b"absent")
PULL, PUSH = "repository:docs/ocr:pull", "repository:docs/ocr:pull,push"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tokens(clock):
    return FakeTokens(clock, users={"ada": PASSWORD})


@pytest.fixture
def guarded(tokens):
    with giving(tokens) as realm:
        yield Guarded(tokens=tokens, realm=realm)


@pytest.fixture
def host(guarded):
    with guarding(guarded) as name:
        yield name


@pytest.fixture
def logins(tmp_path, host):
    """A login as `docker login` leaves it."""
    docker_config(tmp_path / "docker", host, "ada", PASSWORD)
    return DockerLogins({"DOCKER_CONFIG": str(tmp_path / "docker")})


@pytest.fixture
def access(logins, clock):
    return Access(logins=logins, patience=clock.patience())


def blob_url(host, content=b"absent", repository="docs/ocr"):
    return f"http://{host}/v2/{repository}/blobs/{digest(content)}"


def upload_url(host, content):
    return f"http://{host}/v2/docs/ocr/blobs/uploads/1?state=a%2Fb&digest={digest(content)}"


def said(error):
    return f"{error.what} {error.where} {error.fix}"


class TestWithTokens(StoreContract):
    @pytest.fixture
    def stores(self, host, access):
        registries = Registries(access)
        return registries.at(f"{host}/docs/ocr"), registries.at(f"{host}/docs/llm")


class TestWithBasic(TestWithTokens):
    @pytest.fixture
    def guarded(self):
        return Guarded(users={"ada": PASSWORD})


def test_basic_is_shown_once_it_is_asked_for_and_then_always(guarded, host, access):
    guarded.tokens, guarded.users = None, {"ada": PASSWORD}
    store = Registries(access).at(f"{host}/docs/ocr")

    assert not store.has(ABSENT)
    assert not store.has(ABSENT)

    assert [shown for _, _, shown in guarded.shown] == ["", *[basic("ada", PASSWORD)] * 2]


def test_bearer_shows_the_password_to_the_token_server_alone(guarded, host, access, tokens):
    assert not Registries(access).at(f"{host}/docs/ocr").has(ABSENT)

    assert tokens.asked == [("GET", [PULL], basic("ada", PASSWORD))]
    assert [shown for _, _, shown in guarded.shown] == ["", "Bearer token-0"]


def test_bearer_goes_before_basic_where_both_are_offered(guarded, host, access):
    guarded.challenge = f'Basic realm="x", Bearer realm="{guarded.realm}",service="registry"'

    assert not Registries(access).at(f"{host}/docs/ocr").has(ABSENT)
    assert guarded.shown[-1][2] == "Bearer token-0"


def test_who_has_no_login_asks_for_a_token_without_one(host, tokens, clock):
    tokens.users.clear()

    access = Access(logins=DockerLogins({}), patience=clock.patience())

    assert not Registries(access).at(f"{host}/docs/ocr").has(ABSENT)
    assert tokens.asked == [("GET", [PULL], "")]


def test_an_identity_token_is_posted_to_the_token_server(tmp_path, host, tokens, clock):
    tokens.identities.add(IDENTITY)
    (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"identitytoken": IDENTITY}}}))
    access = Access(logins=DockerLogins({"DOCKER_CONFIG": str(tmp_path)}), patience=clock.patience())

    assert not Registries(access).at(f"{host}/docs/ocr").has(ABSENT)

    assert tokens.asked == [("POST", [PULL], "")]


def test_one_token_serves_all_requests_of_its_scope(tmp_path, host, access, tokens, guarded):
    store = Registries(access).at(f"{host}/docs/ocr")
    source = Layout(tmp_path / "source")

    copy_image(source, store, an_image(source).digest, "x")

    assert [scopes for _, scopes, _ in tokens.asked] == [[PULL], [PUSH]]
    assert [status for _, _, status in guarded.requests].count(401) == 1, "later scopes are asked for in advance"


@pytest.mark.parametrize(("life", "valid"), [(300, 300), (None, 60)])
def test_a_token_is_renewed_before_it_expires(host, access, tokens, guarded, clock, life, valid):
    tokens.life = life
    store = Registries(access).at(f"{host}/docs/ocr")
    store.has(ABSENT)

    clock.now += valid * 0.8
    store.has(ABSENT)
    assert len(tokens.asked) == 1
    clock.now += valid * 0.19
    store.has(ABSENT)

    assert len(tokens.asked) == 2
    assert [status for _, _, status in guarded.requests] == [401, 404, 404, 404]


def test_a_token_refused_in_mid_upload_is_renewed_and_the_same_bytes_are_sent_again(host, access, tokens, guarded):
    made = Host(host, access)
    made.send("POST", f"http://{host}/v2/docs/ocr/blobs/uploads/", {"content-length": "0"})
    tokens.given.clear()

    answer = made.send("PUT", upload_url(host, b"abcd"), {"content-length": "4"}, lambda: iter([b"ab", b"cd"]))

    assert answer.status == 201
    assert guarded.blobs["docs/ocr"] == {digest(b"abcd"): b"abcd"}
    assert len(guarded.sent("PUT")) == 2


def test_a_body_that_cannot_be_sent_again_says_to_run_the_command_again(host, access, tokens, guarded):
    made = Host(host, access)
    made.send("POST", f"http://{host}/v2/docs/ocr/blobs/uploads/", {"content-length": "0"})
    tokens.given.clear()

    with pytest.raises(OutsideError, match="cannot be sent again") as caught:
        made.send("PUT", upload_url(host, b"abcd"), {"content-length": "4"}, iter([b"ab", b"cd"]))

    assert "run the same command again" in caught.value.fix
    assert len(guarded.sent("PUT")) == 1
    assert "docs/ocr" not in guarded.blobs


def test_an_upload_in_pieces_outlives_its_tokens(tmp_path, host, access, tokens, guarded):
    guarded.on_piece = lambda _: tokens.given.clear()
    data = bytes(range(256)) * 20
    store = Registries(access, Memory(tmp_path / "uploads", piece=2000)).at(f"{host}/docs/ocr")

    layer = store.put("x", writing(data))

    assert guarded.blobs["docs/ocr"] == {layer.digest: data}
    assert [status for method, _, status in guarded.requests if method == "PATCH"] == [202, 401, 202, 401, 202]


def test_what_is_refused_twice_is_not_tried_a_third_time(host, access, tokens, guarded):
    tokens.denies = {"repository:docs/ocr:push"}
    store = Registries(access).at(f"{host}/docs/ocr")

    with pytest.raises(OutsideError, match="answered 401") as caught:
        store.put("x", writing(b"content"))

    assert [status for method, _, status in guarded.requests if method == "POST"] == [401, 401]
    assert "ada" in caught.value.fix


def test_a_mount_asks_for_the_other_repository_too(tmp_path, host, access, tokens):
    registries = Registries(access)
    registries.at(f"{host}/docs/ocr").put("x", writing(b"content"))
    source = Layout(tmp_path / "source")
    layer = source.put("x", writing(b"content"))

    sent = registries.at(f"{host}/docs/llm").add("x", layer, source)

    assert sent == 0, "mounted"
    assert ["repository:docs/llm:pull,push", PULL] in [scopes for _, scopes, _ in tokens.asked]
    assert read_blob(registries.at(f"{host}/docs/llm"), layer.digest) == b"content"


def test_many_threads_ask_for_one_token(host, access, tokens):
    store = Registries(access).at(f"{host}/docs/ocr")
    threads = [threading.Thread(target=store.has, args=(ABSENT,)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(tokens.asked) == 1


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_a_redirect_takes_no_login_along(guarded, host, access, scheme):
    if scheme == "Basic":
        guarded.tokens, guarded.users = None, {"ada": PASSWORD}
    elsewhere = Guarded(blobs={"docs/ocr": {digest(b"x"): b"content"}})
    with guarding(elsewhere) as other:
        guarded.moved = f"http://{other}"
        made = Host(host, access)
        streamed = made.stream(blob_url(host, b"x"))
        sent = made.send("GET", blob_url(host, b"x"))

        with streamed:
            assert streamed.read() == b"content"
    assert sent.body == b"content"
    assert guarded.shown[-1][2].startswith(scheme)
    assert [shown for _, _, shown in elsewhere.shown] == ["", ""]


@pytest.mark.parametrize("way", ["Basic", "Bearer"])
def test_another_host_may_not_ask_for_the_login(guarded, host, access, tokens, way):
    thiefs = FakeTokens(tokens.clock)
    with giving(thiefs) as realm, guarding(Guarded(challenge=f'{way} realm="{realm}",service="registry"')) as other:
        guarded.moved = f"http://{other}"
        made = Host(host, access)
        found = [made.stream(blob_url(host)).status for _ in range(2)]
        directly = made.send("PUT", upload_url(other, b"x"), body=b"x")
        error = made.refused("upload x", upload_url(other, b"x"), directly)

    assert [*found, directly.status] == [401, 401, 401]
    assert f"no login is sent there, because it is not http://{host}/v2/" in error.fix
    assert thiefs.asked == []
    assert [shown for _, _, shown in guarded.shown] == ["", "Bearer token-0", "Bearer token-0"]
    assert len(tokens.asked) == 1


def test_a_redirect_on_the_same_host_keeps_the_login(guarded, host, access):
    guarded.planned = [(307, {"location": f"/v2/docs/ocr/blobs/{ABSENT}?again"})]
    guarded.tokens, guarded.users = None, {"ada": PASSWORD}
    made = Host(host, access)
    made.send("GET", blob_url(host))
    guarded.planned = [(307, {"location": f"/v2/docs/ocr/blobs/{ABSENT}?again"})]

    assert made.send("GET", blob_url(host)).status == 404
    assert guarded.shown[-1][2] == basic("ada", PASSWORD)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "/v2/docs/ocr/blobs/x"])
def test_a_redirect_that_leads_nowhere_is_an_error(guarded, host, access, location):
    guarded.planned = [(302, {"location": location})] * 9

    with pytest.raises(OutsideError, match="redirected"):
        Host(host, access).send("GET", blob_url(host))

    assert len(guarded.planned) in {3, 8}, "not tried again from the start"


@pytest.mark.parametrize(
    "realm",
    ["http://tokens.invalid/token", "ftp://127.0.0.1/token", "/token", "https://ada:x@127.0.0.1/token", "https://"],
)
def test_a_token_server_without_tls_gets_nothing(guarded, host, access, realm):
    guarded.realm = realm

    with pytest.raises(OutsideError, match="its token server is not an https address"):
        Registries(access).at(f"{host}/docs/ocr").has(ABSENT)


@pytest.mark.parametrize(
    ("challenge", "what"),
    [('Bearer realm="x', "character 8"), ("Bearer", "not an https address"), ('Negotiate, x="1', "character")],
)
def test_a_challenge_that_cannot_be_understood_is_said(guarded, host, access, challenge, what):
    guarded.challenge = challenge

    with pytest.raises(OutsideError, match=what) as caught:
        Registries(access).at(f"{host}/docs/ocr").has(ABSENT)

    assert caught.value.where == f"http://{host}/v2/"


def test_without_a_login_the_error_names_the_command_and_the_file(guarded, host, tmp_path):
    guarded.tokens, guarded.users = None, {"ada": PASSWORD}
    access = Access(logins=DockerLogins({"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json"), "HOME": "/nowhere"}))

    with pytest.raises(OutsideError, match="answered 401; UNAUTHORIZED") as caught:
        Registries(access).at(f"{host}/docs/ocr").tags()

    assert f"docker login {host}" in caught.value.fix
    assert f"podman login {host}" in caught.value.fix
    assert f"looked into {tmp_path}/auth.json, /nowhere/.docker/config.json" in caught.value.fix
    assert len(guarded.shown) == 1, "what has no login is not asked twice"


@pytest.mark.parametrize("way", ["Basic", "Bearer"])
def test_a_login_that_is_refused_is_named_without_its_secret(guarded, host, access, tokens, tmp_path, way):
    if way == "Basic":
        guarded.tokens, guarded.users = None, {"ada": "another"}
    tokens.users["ada"] = "another"

    with pytest.raises(OutsideError, match="answered 401") as caught:
        Registries(access).at(f"{host}/docs/ocr").tags()

    assert f"the login of ada in {tmp_path}/docker/config.json is refused" in caught.value.fix
    assert f"docker login {host}" in caught.value.fix
    assert PASSWORD not in said(caught.value)
    assert len(guarded.shown) == 1 + (way == "Basic"), "the same login is not shown twice"


def test_a_password_that_is_refused_from_now_on_is_shown_once_a_request(guarded, host, access):
    guarded.tokens, guarded.users = None, {"ada": PASSWORD}
    made = Host(host, access)
    made.send("GET", blob_url(host))
    guarded.users, guarded.shown = {"ada": "another"}, []

    assert made.send("GET", blob_url(host)).status == 401
    assert len(guarded.shown) == 1


def test_a_403_names_the_right_that_is_missing(guarded, host, access):
    guarded.forbids = {"POST"}

    with pytest.raises(OutsideError, match="answered 403; DENIED") as caught:
        Registries(access).at(f"{host}/docs/ocr").put("x", writing(b"content"))

    assert caught.value.fix == f"give ada the right {PUSH} on {host}"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"hunter2", "it is not JSON"),
        (b'["hunter2"]', "it is not an object"),
        (b'{"token": "hunter2\\r\\nx: y"}', "it has no token"),
        (b'{"token": 5, "access_token": "hunter2"}', "it has no token"),
        (b'{"token": "hunter2", "expires_in": "soon"}', "its expires_in is not"),
        (b'{"token": "hunter2", "expires_in": -1}', "its expires_in is not"),
    ],
)
def test_a_token_servers_nonsense_is_said_and_not_repeated(tokens, host, access, body, what):
    tokens.answers = (200, body)

    with pytest.raises(OutsideError, match=what) as caught:
        Registries(access).at(f"{host}/docs/ocr").tags()

    assert caught.value.where.endswith("/token")
    assert "hunter2" not in said(caught.value)


def test_an_access_token_is_a_token(tokens, host, access, guarded):
    tokens.answers = (200, b'{"access_token": "other"}')

    with pytest.raises(OutsideError):
        Registries(access).at(f"{host}/docs/ocr").tags()

    assert guarded.shown[-1][2] == "Bearer other"


def test_a_server_that_repeats_a_secret_is_not_quoted(tokens, host, access):
    message = f"not {PASSWORD} nor {basic('ada', PASSWORD)} nor token-1"
    error = json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode()
    tokens.answers = (403, error)
    with pytest.raises(OutsideError, match="answered 403; DENIED: not") as caught:
        Registries(access).at(f"{host}/docs/ocr").tags()
    tokens.answers = None
    made = Host(host, access)
    made.send("GET", blob_url(host))

    refused = made.refused("read x", blob_url(host), Answer(418, {}, error))

    for one in (caught.value, refused):
        assert PASSWORD not in said(one)
        assert basic("ada", PASSWORD).split()[1] not in said(one)
    assert "nor ***" in refused.what


def test_no_repr_and_no_message_of_ours_holds_a_secret(host, access):
    made = Host(host, access)
    made.send("GET", blob_url(host))

    shown = repr((made, made._admission, made._wire, access))

    assert PASSWORD not in shown
    assert "token-0" not in shown
