"""A registry over HTTP: does what a folder does, sends nothing twice, says what went wrong. Against the small registry
of tests/fakes.py; tests/cluster runs the same contract against a real one.
"""

import socket

import pytest

from fakes import FakeRegistry, serving
from lockstep.core.errors import OutsideError, UsageError
from lockstep.core.names import digest_of
from lockstep.oci.http import Access, Host, is_loopback
from lockstep.oci.layout import Layout
from lockstep.oci.patience import Patience
from lockstep.oci.registry import Registries
from lockstep.oci.store import copy_image
from store_contract import LARGE, StoreContract, an_image

AT_ONCE = Access(patience=Patience(sleep=lambda _: None))


@pytest.fixture
def fake():
    return FakeRegistry()


@pytest.fixture
def host(fake):
    with serving(fake) as name:
        yield name


class TestLayout(StoreContract):
    @pytest.fixture
    def stores(self, tmp_path):
        return Layout(tmp_path / "store", "ocr"), Layout(tmp_path / "store", "llm")


class TestRegistry(StoreContract):
    @pytest.fixture
    def stores(self, host):
        registries = Registries()
        return registries.at(f"{host}/documents/ocr"), registries.at(f"{host}/documents/llm")


class TestRegistryOfFewWords(TestRegistry):
    """One that says no digests, as it may."""

    @pytest.fixture
    def fake(self):
        return FakeRegistry(says_digests=False)


def copied(tmp_path, store):
    source = Layout(tmp_path / "source")
    image = an_image(source)
    return image, copy_image(source, store, image.digest, "x")


def test_a_second_copy_sends_nothing(tmp_path, fake, host):
    copied(tmp_path, Registries().at(f"{host}/documents/ocr"))
    fake.requests.clear()

    _, again = copied(tmp_path, Registries().at(f"{host}/documents/ocr"))

    assert again == 0
    assert {method for method, _, _ in fake.requests} == {"HEAD"}


def test_a_blob_is_sent_in_one_request_with_its_length(tmp_path, fake, host):
    image, sent = copied(tmp_path, Registries().at(f"{host}/documents/ocr"))

    assert len(fake.sent("PUT")) == 4, "two layers, a configuration, the manifest"
    assert fake.received == sent + len(image.manifest)


def test_a_blob_that_another_repository_has_is_mounted(tmp_path, fake, host):
    registries = Registries()
    copied(tmp_path, registries.at(f"{host}/documents/ocr"))
    before = fake.received

    image, again = copied(tmp_path, registries.at(f"{host}/documents/llm"))

    assert again == 0
    assert fake.received == before + len(image.manifest)


@pytest.mark.parametrize("status", [202, 403, 404, 405])
def test_a_registry_that_mounts_nothing_is_sent_the_blob(tmp_path, fake, host, status):
    fake.mounts, fake.mount_status = False, status
    registries = Registries()
    _, first = copied(tmp_path, registries.at(f"{host}/documents/ocr"))

    _, again = copied(tmp_path, registries.at(f"{host}/documents/llm"))

    assert again == first
    assert set(fake.blobs["documents/llm"]) == set(fake.blobs["documents/ocr"])


def test_a_registry_that_stored_other_bytes_is_not_believed(tmp_path, fake, host):
    store = Registries().at(f"{host}/documents/ocr")
    image, _ = copied(tmp_path, store)
    fake.manifests["documents/ocr"][image.digest] = image.manifest + b" "
    fake.blobs["documents/ocr"][digest_of(LARGE)] = LARGE[:-1] + b"?"

    with pytest.raises(OutsideError, match="damaged"):
        store.manifest(image.digest)
    fake.manifests["documents/ocr"][image.digest] = image.manifest
    with pytest.raises(OutsideError, match="damaged"):
        copy_image(store, Layout(tmp_path / "back"), image.digest, "x")
    assert Layout(tmp_path / "back").tags() == {}


@pytest.mark.parametrize(
    ("method", "status", "said", "fix"),
    [
        ("POST", 401, "UNAUTHORIZED: log in", "docker login 127.0.0.1"),
        ("PUT", 413, "", "limit on the size"),
        ("HEAD", 500, "", "run the same command again"),
        ("PUT", 400, "DIGEST_INVALID: no", "registry's log"),
    ],
)
def test_a_refusal_says_what_the_registry_said_and_what_to_do(tmp_path, fake, host, method, status, said, fix):
    code, _, message = said.partition(": ")
    body = f'{{"errors":[{{"code":"{code}","message":"{message}"}}]}}' if said else "<html>"
    fake.refuses[method] = (status, body.encode())

    with pytest.raises(OutsideError) as caught:
        copied(tmp_path, Registries(AT_ONCE).at(f"{host}/documents/ocr"))

    assert f"the registry answered {status}" in caught.value.what
    assert said in caught.value.what
    assert fix in caught.value.fix
    assert caught.value.where.startswith(f"http://{host}/v2/documents/ocr/")
    assert "?" not in caught.value.where


def test_a_registry_that_is_not_there_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        name = f"127.0.0.1:{server.getsockname()[1]}"

    with pytest.raises(OutsideError) as caught:
        Registries(AT_ONCE).at(f"{name}/ocr").has(digest_of(b""))

    assert caught.value.what.startswith(f"no whole answer from {name}")
    assert f"check that {name} is up" in caught.value.fix


def test_a_body_cut_short_is_an_error(fake, host, tmp_path):
    store = Registries().at(f"{host}/ocr")
    image, _ = copied(tmp_path, store)
    fake.cuts = True

    with pytest.raises(OutsideError, match="no whole answer"):
        copy_image(store, Layout(tmp_path / "back"), image.digest, "x")


def test_tls_is_the_rule_and_plain_http_is_for_this_machine_or_asked_for():
    assert Host("registry.example.org").url == "https://registry.example.org/v2/"
    assert Host("10.0.0.1:5000").url == "https://10.0.0.1:5000/v2/"
    assert Host("10.0.0.1:5000", Access(plain_http=True)).url == "http://10.0.0.1:5000/v2/"
    assert [is_loopback(name) for name in ("localhost:5000", "127.1.2.3", "[::1]:5000", "::1")] == [True] * 3 + [False]
    assert not is_loopback("localhost.example.org:5000")


def test_asking_for_tls_where_there_is_none_says_so(host):
    anywhere = host.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - leads to this machine, and is not named a loopback

    with pytest.raises(OutsideError) as caught:
        Registries().at(f"{anywhere}/ocr").has(digest_of(b""))

    assert "--plain-http" in caught.value.fix
    assert not Registries(Access(plain_http=True)).at(f"{anywhere}/ocr").has(digest_of(b""))


def test_a_name_without_a_registry_is_refused():
    with pytest.raises(UsageError, match="does not say which registry"):
        Registries().at("documents/ocr")
