"""The front as an HTTP proxy: streams, bounded memory, clients that leave, instances that break off."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.test_runner_bundle import Bundle, gateway, new_bundle, promote

MEGABYTES = 60


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    """An environment that serves release 0; shared, for these tests change nothing in it."""
    made = new_bundle(tmp_path_factory.mktemp("front"))
    made.commit("stage", made.release(0))
    made.commit("promote", promote(0))
    made.up()
    try:
        made.until_front(gateway(0))
        yield made
    finally:
        made.down()


def _connection(bundle: Bundle) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(bundle.status()["front_url"]).netloc, timeout=60)


def _resident_peak(bundle: Bundle) -> int:
    """Megabytes that the runner held at most."""
    text = Path(f"/proc/{bundle.runner.pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) // 1024


def test_large_bodies_stream_in_bounded_memory(bundle: Bundle) -> None:
    assert bundle.ask()["root"] == gateway(0)
    before = _resident_peak(bundle)

    connection = _connection(bundle)
    connection.request(
        "POST",
        "/",
        body=(b"x" * 1024 * 1024 for _ in range(MEGABYTES)),
        encode_chunked=True,
        headers={"transfer-encoding": "chunked"},
    )
    chunked = connection.getresponse().read()
    connection.request("POST", "/", body=bytes(MEGABYTES * 1024 * 1024))
    sized = connection.getresponse().read()
    connection.request("GET", f"/bytes/{MEGABYTES * 1024 * 1024}")
    time.sleep(1)  # a client that does not read must not fill the front's memory
    received = len(connection.getresponse().read())
    connection.close()

    assert f'"posted": "{MEGABYTES * 1024 * 1024}"'.encode() in chunked
    assert f'"posted": "{MEGABYTES * 1024 * 1024}"'.encode() in sized
    assert received == MEGABYTES * 1024 * 1024
    assert _resident_peak(bundle) - before < 20


def test_connection_kept_far_beyond_the_age_of_the_roots_connections_serves_every_post(
    bundle: Bundle,
) -> None:
    connection = _connection(bundle)
    statuses = set()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        connection.request("POST", "/", body=b"x" * 1000)
        answer = connection.getresponse()
        answer.read()
        statuses.add(answer.status)
        time.sleep(0.01)
    connection.close()

    assert statuses == {200}


def test_client_that_expects_100_is_told_to_go_on(bundle: Bundle) -> None:
    address = urlsplit(bundle.status()["front_url"])
    with socket.create_connection((address.hostname, address.port), timeout=10) as client:
        client.sendall(
            b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\nconnection: close\r\n\r\n"
        )
        assert client.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.sendall(b"abc")
        answer = b""
        while chunk := client.recv(4096):
            answer += chunk

    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"posted": "3"' in answer


def test_clients_that_leave_are_no_requests_in_flight(bundle: Bundle) -> None:
    address = urlsplit(bundle.status()["front_url"])
    for request in (
        b"GET /bytes/900000000 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nabc",
    ):
        client = socket.create_connection((address.hostname, address.port), timeout=10)
        client.sendall(request)
        time.sleep(0.2)
        client.close()
    bundle.commit("stage 1", bundle.release(1))
    bundle.commit("promote 1", promote(1))
    bundle.until_front(gateway(1))
    bundle.until(lambda: bundle.events("drained"), "nothing is in flight", 5)
    bundle.revert()
    bundle.until_front(gateway(0))


def test_answer_that_breaks_off_does_not_look_whole(bundle: Bundle) -> None:
    connection = _connection(bundle)
    connection.request("GET", "/bytes/900000000")
    answer = connection.getresponse()
    answer.read(1000)
    pid = bundle.status()["instances"][gateway(0)]["pid"]
    threading.Timer(0.2, lambda: os.kill(pid, 9)).start()

    with contextlib.suppress(OSError):
        while answer.read(1 << 20):
            pass

    assert answer.length  # bytes that were promised and did not come
    connection.close()
    bundle.until(lambda: bundle.state(gateway(0)) == "failing", "noticed")
    bundle.until(lambda: bundle.state(gateway(0)) == "ready", "started again")


def test_path_headers_and_status_pass_unchanged(bundle: Bundle) -> None:
    connection = _connection(bundle)
    sent = {
        "Connection": "keep-alive, x-mine",
        "x-mine": "1",
        "x-lockstep-trace": "7",
        "accept-encoding": "gzip",
    }
    connection.request("GET", "/a%2Fb/../c//d?e=%20&f", headers=sent)
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.request("PATCH", "/")
    refused = connection.getresponse()
    connection.close()

    assert said["path"] == "/a%2Fb/../c//d?e=%20&f"
    assert {"host", "accept-encoding", "x-lockstep-trace"} <= set(said["headers"])
    assert not {"x-mine", "user-agent", "accept"} & set(said["headers"])
    assert answer.headers["x-lockstep-release"] == gateway(0)
    assert refused.status == 501
