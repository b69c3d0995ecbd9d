"""Proxies and certificates of one's own, over real TLS. 0.0.0.0 leads to this machine and is not named a loopback."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from fake_auth import Clock, Guarded, _served, basic, docker_config, guarding, made_certificate
from lockstep.adapters.docker_logins import DockerLogins
from lockstep.core.errors import OutsideError
from lockstep.core.names import digest_of
from lockstep.oci.http import Access, Host
from lockstep.oci.registry import Registries

ANYWHERE = "0.0.0.0"  # noqa: S104 - see above
ABSENT = digest_of(b"absent")


@pytest.fixture(autouse=True)
def _no_proxies_of_this_machine(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return made_certificate(tmp_path_factory.mktemp("tls"), ANYWHERE)


@pytest.fixture
def guarded():
    return Guarded()


@pytest.fixture
def tls(guarded, certificate):
    with guarding(guarded, ANYWHERE, certificate) as name:
        yield name


def asked(name, **access):
    """Whether something is there that is not: only an answer says False."""
    given = {"logins": DockerLogins({}), "patience": Clock().patience(), **access}
    return Registries(Access(**given)).at(f"{name}/docs/ocr").has(ABSENT)


class _Tunnel(BaseHTTPRequestHandler):
    """A proxy that connects, and remembers to where and for whom."""

    seen: list[tuple[str, str]]

    def log_message(self, *_: Any) -> None:
        pass

    def do_CONNECT(self) -> None:
        self.seen.append((self.path, self.headers.get("proxy-authorization", "")))
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=self._copy, args=(there, self.connection), daemon=True)
            back.start()
            self._copy(self.connection, there)
            back.join()

    def _copy(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def tunnel():
    """Address and memory of a proxy."""
    seen: list[tuple[str, str]] = []
    with _served(type("Handler", (_Tunnel,), {"seen": seen}), "127.0.0.1", None) as port:
        yield f"127.0.0.1:{port}", seen


def test_an_unknown_authority_is_refused_at_once(tls):
    clock = Clock()

    with pytest.raises(OutsideError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        asked(tls, patience=clock.patience())

    assert "SSL_CERT_FILE" in caught.value.fix
    assert f"/etc/docker/certs.d/{tls}/ca.crt" in caught.value.fix
    assert clock.waits == []


def test_ssl_cert_file_names_an_authority(tls, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    assert not asked(tls)


def test_ssl_cert_dir_names_authorities(tls, certificate, monkeypatch, tmp_path):
    shutil.copy(certificate, tmp_path)
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    assert not asked(tls)


def test_dockers_folder_of_a_host_names_its_authority_and_no_others(tls, certificate, tmp_path):
    (tmp_path / tls).mkdir()
    shutil.copy(certificate, tmp_path / tls / "ca.crt")

    assert not asked(tls, certificates=tmp_path)
    (tmp_path / tls).rename(tmp_path / "other.example:5000")
    with pytest.raises(OutsideError, match="CERTIFICATE_VERIFY_FAILED"):
        asked(tls, certificates=tmp_path)


def test_dockers_folder_adds_to_what_the_system_trusts(tls, certificate, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    (tmp_path / tls).mkdir()
    made_certificate(tmp_path / tls, "127.0.0.9")

    assert not asked(tls, certificates=tmp_path)


def test_a_file_in_dockers_folder_that_is_no_certificate_is_named(tls, tmp_path):
    (tmp_path / tls).mkdir()
    (tmp_path / tls / "ca.crt").write_text("not PEM")

    with pytest.raises(OutsideError, match="not a certificate") as caught:
        asked(tls, certificates=tmp_path)

    assert caught.value.where == str(tmp_path / tls / "ca.crt")


def test_a_login_goes_over_tls_and_not_to_plain_http_on_the_same_host(tls, guarded, certificate, tmp_path):
    """Neither to an upload's address without TLS nor through a redirect to one."""
    guarded.users = {"ada": "secret"}
    docker_config(tmp_path, tls, "ada", "secret")
    shutil.copytree(certificate.parent, tmp_path / tls)
    access = Access(logins=DockerLogins({"DOCKER_CONFIG": str(tmp_path)}), certificates=tmp_path)
    made, plain = Host(tls, access), Guarded(users=guarded.users)

    with guarding(plain, ANYWHERE) as other:
        assert made.send("GET", f"https://{tls}/v2/docs/ocr/blobs/{ABSENT}").status == 404
        guarded.planned = [(302, {"location": f"http://{other}/v2/docs/ocr/blobs/{ABSENT}"})]
        found = made.send("GET", f"https://{tls}/v2/docs/ocr/blobs/{ABSENT}")
        directly = made.send("PUT", f"http://{other}/v2/docs/ocr/blobs/uploads/1", body=b"x")

    assert (found.status, directly.status) == (401, 401)
    assert guarded.shown[-1][2] == basic("ada", "secret")
    assert [shown for _, _, shown in plain.shown] == ["", ""]


def test_a_registry_with_tls_may_not_name_a_token_server_without(tls, guarded, certificate, tmp_path):
    guarded.challenge = 'Bearer realm="http://127.0.0.1:9/token"'
    shutil.copytree(certificate.parent, tmp_path / tls)

    with pytest.raises(OutsideError, match="its token server is not an https address"):
        asked(tls, certificates=tmp_path)


def test_a_registry_without_tls_names_one_elsewhere_only_if_that_was_asked_for():
    guarded = Guarded(challenge='Bearer realm="http://tokens.invalid/token"')
    with guarding(guarded) as name:
        with pytest.raises(OutsideError, match="its token server is not an https address"):
            asked(name)
        with pytest.raises(OutsideError, match=r"no whole answer from tokens\.invalid"):
            asked(name, plain_http=True)


def test_a_proxy_is_asked_for_hosts_elsewhere(monkeypatch, guarded):
    with guarding(guarded) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy}")

        assert not asked("registry.invalid", plain_http=True)

    assert guarded.requests[0][1] == f"http://registry.invalid/v2/docs/ocr/blobs/{ABSENT}"


def test_tls_goes_through_a_proxy_end_to_end(monkeypatch, tls, certificate, tunnel):
    address, seen = tunnel
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("https_proxy", f"http://ada:s%3Acret@{address}")

    assert not asked(tls)

    assert seen == [(tls, basic("ada", "s:cret"))]


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_proxy_leaves_hosts_out(monkeypatch, tls, certificate, tunnel, name):
    address, seen = tunnel
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("HTTPS_PROXY", address)
    monkeypatch.setenv(name, f"example.org,{tls}")

    assert not asked(tls)

    assert seen == []


def test_the_loopback_is_never_behind_a_proxy(monkeypatch, guarded):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with guarding(guarded) as name:
        assert not asked(name)


def test_a_proxy_that_is_down_is_tried_again_and_then_named(monkeypatch):
    clock = Clock()
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:never-said@127.0.0.1:9")

    with pytest.raises(OutsideError) as caught:
        asked("registry.invalid", patience=clock.patience())

    assert "HTTPS_PROXY" in caught.value.fix
    assert "never-said" not in f"{caught.value.what}{caught.value.where}{caught.value.fix}"
    assert len(clock.waits) == 4


def test_a_proxy_of_an_unknown_kind_is_named_without_its_password(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks5://ada:never-said@127.0.0.1:9")

    with pytest.raises(OutsideError, match="the proxy cannot be used") as caught:
        asked("registry.invalid")

    assert caught.value.where == "socks5://127.0.0.1:9"


def test_a_proxy_that_wants_a_login_says_where_it_goes(monkeypatch, guarded):
    guarded.planned = [(407, {})]
    with guarding(guarded) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)

        with pytest.raises(OutsideError, match="answered 407") as caught:
            asked("registry.invalid", plain_http=True)

    assert "http://USER:PASSWORD@HOST:PORT" in caught.value.fix
