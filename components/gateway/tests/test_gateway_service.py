import http.client
import json
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from lockstep.truth.standing import StandIn
from lockstep.truth.using import read_use

COMPONENT = Path(__file__).parents[1]
PAGE = (Path(__file__).parent / "pages/invoice.png").read_bytes()
JPEG = (Path(__file__).parent / "pages/report.jpg").read_bytes()
NAMES = {"ocr": "ocr-00000000aa", "embedding": "embedding-00000000bb", "summarizer": "summarizer-00000000cc"}
SERVED_BY = {"gateway": "gateway-0123456789", **NAMES, "llm": "llm-00000000dd"}
MEGABYTE = 1024 * 1024
IDLE_GRACE_SECONDS = 0.25  # of gateway.aging


def teach(world, names=NAMES):
    world.say(names["ocr"], "/read", {"text": "Invoice 4711\nThe total amount is 250.00 EUR. Payment is due."})
    world.say(names["embedding"], "/embed", {"embedding": [0.6, 0.8], "dimension": 2, "model": "m"})
    world.say(names["summarizer"], "/summarize", {"summary": "Pay.", "served_by": {"llm": "llm-00000000dd"}})


@pytest.fixture(scope="module")
def launch(start, world):
    def run(**environment):
        urls = {f"{name.upper()}_URL": f"http://{host}" for name, host in NAMES.items()}
        return start("gateway", **({"http_proxy": world.url, "MAX_CONNECTION_AGE_SECONDS": "60"} | urls | environment))

    return run


@pytest.fixture(scope="module")
def shared(launch, world):
    teach(world)
    return launch().wait_ready()


@pytest.fixture
def gateway(shared, world):
    world.hosts.clear()
    teach(world)
    world.seen.clear()
    return shared


def post(server, page=PAGE, media="image/png"):
    return server.post("/documents", content=page, headers={"content-type": media})


def test_document_gets_text_embedding_summary_and_everyone_who_took_part(gateway, keeps_contract):
    answer = post(gateway)

    keeps_contract(answer)
    assert answer.status_code == 200
    assert answer.json()["summary"] == "Pay."
    assert answer.json()["embedding"] == [0.6, 0.8]
    assert answer.json()["served_by"] == SERVED_BY


def test_page_reaches_ocr_byte_for_byte_and_its_text_the_others(gateway, world):
    post(gateway, JPEG, "image/jpeg; q=1")

    text = "Invoice 4711\nThe total amount is 250.00 EUR. Payment is due."
    assert world.asked(NAMES["ocr"], "/read") == [JPEG]
    assert json.loads(world.asked(NAMES["embedding"], "/embed")[0]) == {"text": text}
    assert json.loads(world.asked(NAMES["summarizer"], "/summarize")[0]) == {"text": text}


def test_embedding_and_summarizer_are_asked_at_the_same_time(gateway, world):
    meeting = threading.Barrier(
        2, timeout=5
    )  # breaks, and fails the request, unless both are asked before either has answered
    world.say(NAMES["embedding"], "/embed", lambda _: (meeting.wait(), {"embedding": [1.0]})[1])
    world.say(NAMES["summarizer"], "/summarize", lambda _: (meeting.wait(), {"summary": "s", "served_by": {}})[1])

    assert post(gateway).status_code == 200


def test_every_answer_carries_the_release(gateway):
    for answer in (
        post(gateway),
        post(gateway, b""),
        gateway.get("/nothing"),
        gateway.get("/healthz"),
        gateway.get("/documents"),
    ):
        assert answer.headers["x-lockstep-release"] == "gateway-0123456789"


@pytest.mark.parametrize(
    "junk",
    [b"hello\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"POST /documents HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 100_000],
)
def test_what_is_not_http_gets_a_problem_with_the_release(gateway, junk):
    with gateway.connect() as connection:
        connection.sendall(junk)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"x-lockstep-release: gateway-0123456789" in head
    assert b'"fix"' in body


def png_header(width, height):
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def gif():
    buffer = BytesIO()
    Image.new("L", (9, 9)).save(buffer, "GIF")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"", "image/png", 400),
        (b"hello", "image/png", 422),
        (b"\x00" * 5000, "image/jpeg", 422),
        (gif(), "image/png", 422),
        (PAGE, "image/jpeg", 415),
        (JPEG, "image/png", 415),
        (PAGE, "application/json", 415),
        (PAGE, "", 415),
        (PAGE[:8], "image/png", 422),
        (PAGE[:20], "image/png", 422),
        (PAGE[: len(PAGE) // 2], "image/png", 422),
        (PAGE[:-12], "image/png", 422),
        (PAGE[:200] + b"\x00" + PAGE[201:], "image/png", 422),
        (JPEG[: len(JPEG) // 2], "image/jpeg", 422),
        (JPEG[:100], "image/jpeg", 422),
        (png_header(60_000, 60_000) + PAGE[33:], "image/png", 422),
        (png_header(6_000, 6_000) + PAGE[33:], "image/png", 413),
        (png_header(0, 10) + PAGE[33:], "image/png", 422),
    ],
)
def test_bad_page_gets_a_4xx_problem_and_reaches_no_model(gateway, world, keeps_contract, body, media, status):
    answer = post(gateway, body, media)

    keeps_contract(answer)
    assert answer.status_code == status
    assert answer.json()["error"]["fix"]
    assert not [path for _, method, path, _ in world.seen if method == "POST"]


def test_gateway_asks_what_its_use_files_say_and_lives_with_the_least_answers(launch):
    with ExitStack() as stack:
        callees = {
            name: stack.enter_context(StandIn(read_use(COMPONENT / f"contract/uses/{name}.yaml"))) for name in NAMES
        }
        urls = {f"{name.upper()}_URL": callee.url for name, callee in callees.items()}
        server = launch(no_proxy="127.0.0.1", **urls).wait_ready()
        answers = [post(server), post(server, JPEG, "image/jpeg; q=1")]

    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    assert {name: callee.faults() for name, callee in callees.items()} == {name: [] for name in NAMES}


def test_gateway_passes_on_the_least_refusal_of_ocr(launch, keeps_contract):
    with StandIn(read_use(COMPONENT / "contract/uses/ocr.yaml"), {"POST /read": 422}) as ocr:
        answer = post(launch(no_proxy="127.0.0.1", OCR_URL=ocr.url).wait_alive())

    keeps_contract(answer)
    assert answer.status_code == 422


@pytest.mark.parametrize("is_announced", [True, False], ids=["content-length", "chunked"])
def test_50_megabytes_are_refused_in_bounded_memory(gateway, keeps_contract, is_announced):
    post(gateway)
    before = gateway.peak_memory()
    headers = {"content-type": "image/png"} | ({"content-length": str(50 * MEGABYTE)} if is_announced else {})

    answer = gateway.post("/documents", content=(bytes(65536) for _ in range(800)), headers=headers)

    keeps_contract(answer)
    assert answer.status_code == 413
    assert gateway.peak_memory() - before < 25 * MEGABYTE


def test_sender_that_leaves_early_disturbs_nobody(gateway):
    for _ in range(20):
        with gateway.connect() as connection:
            connection.sendall(
                b"POST /documents HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 9999\r\n\r\nabc"
            )

    assert post(gateway).status_code == 200
    assert "bug" not in gateway.log.read_text()


@pytest.mark.parametrize(
    ("component", "path", "answer", "status", "expected"),
    [
        ("ocr", "/read", {"error": {"what": "broken file", "fix": "send it whole"}}, 422, 422),
        ("ocr", "/read", {}, 200, 502),
        ("ocr", "/read", {}, 500, 502),
        ("ocr", "/read", {"text": "  \n"}, 200, 422),
        ("embedding", "/embed", {"embedding": None}, 200, 502),
        ("embedding", "/embed", {"error": {"what": "busy", "fix": "wait"}}, 503, 503),
        ("summarizer", "/summarize", {"summary": "x"}, 200, 502),
        ("summarizer", "/summarize", [], 200, 502),
    ],
)
def test_failure_of_a_callee_names_its_instance(
    gateway, world, keeps_contract, component, path, answer, status, expected
):
    world.say(NAMES[component], path, answer, status)

    got = post(gateway)

    keeps_contract(got)
    assert got.status_code == expected
    assert got.json()["error"]["instance"] == NAMES[component]


def test_failure_behind_a_callee_names_the_instance_that_failed(gateway, world):
    problem = {"error": {"what": "llm cannot be reached", "fix": "see its log", "instance": "llm-00000000dd"}}
    world.say(NAMES["summarizer"], "/summarize", problem, 503)

    got = post(gateway)

    assert (got.status_code, got.json()["error"]["instance"]) == (503, "llm-00000000dd")


def test_callee_that_hangs_is_a_503_that_names_it(launch, world):
    release = threading.Event()
    world.say("ocr-hangs00000", "/read", lambda _: release.wait(5) and {})
    server = launch(OCR_URL="http://ocr-hangs00000", CALL_TIMEOUT_SECONDS="0.2").wait_ready()

    got = post(server)
    release.set()

    assert (got.status_code, got.json()["error"]["instance"]) == (503, "ocr-hangs00000")


def test_server_gets_ready_only_after_every_callee_has_been_and_then_stays_so(launch, world):
    world.hosts.clear()
    server = launch().wait_alive()
    world.say(NAMES["ocr"], "/read", {})
    time.sleep(0.1)
    assert server.get("/readyz").status_code == 503

    teach(world)
    server.wait_ready()

    world.hosts.clear()
    assert server.get("/readyz").status_code == 200


def request(connection):
    connection.request("POST", "/documents", PAGE, {"content-type": "image/png"})
    answer = connection.getresponse()
    answer.read()
    return answer


@pytest.mark.usefixtures("gateway")
def test_connection_is_closed_by_its_first_response_after_the_maximum_age(launch):
    aging = launch(MAX_CONNECTION_AGE_SECONDS="0.4").wait_ready()
    connection = http.client.HTTPConnection(urlsplit(aging.url).netloc, timeout=5)

    young = request(connection)
    time.sleep(0.45)
    old = request(connection)

    assert young.getheader("connection") is None
    assert (old.status, old.getheader("connection")) == (200, "close")
    assert connection.sock is None


def test_connection_that_is_old_before_its_first_request_is_answered_and_then_closed(launch):
    """On a busy machine a client needs more than the age between connecting and asking."""
    aging = launch(MAX_CONNECTION_AGE_SECONDS="0.2").wait_ready()
    connection = http.client.HTTPConnection(urlsplit(aging.url).netloc, timeout=5)
    connection.connect()

    time.sleep(0.8)
    answer = request(connection)

    assert (answer.status, answer.getheader("connection")) == (200, "close")


@pytest.mark.usefixtures("gateway")
def test_request_that_runs_when_its_connection_gets_old_is_answered_and_then_closed(launch, world):
    world.say("ocr-slow000000", "/read", lambda _: time.sleep(0.9) or {"text": "x"})
    aging = launch(MAX_CONNECTION_AGE_SECONDS="0.3", OCR_URL="http://ocr-slow000000").wait_ready()

    answer = request(http.client.HTTPConnection(urlsplit(aging.url).netloc, timeout=5))

    assert (answer.status, answer.getheader("connection")) == (200, "close")


@pytest.mark.usefixtures("gateway")
def test_idle_connection_is_closed_soon_after_the_maximum_age(launch):
    aging = launch(MAX_CONNECTION_AGE_SECONDS="1.5").wait_ready()  # longer than a request on a busy machine
    started = time.monotonic()
    used = http.client.HTTPConnection(urlsplit(aging.url).netloc, timeout=5)
    request(used)

    assert used.sock.recv(1) == b""
    used.close()
    assert 1.5 < time.monotonic() - started < 5


@pytest.mark.usefixtures("gateway")
def test_busy_client_with_kept_connections_loses_no_request_to_their_age(launch):
    aging = launch(MAX_CONNECTION_AGE_SECONDS="0.6").wait_ready()
    answered = time.monotonic()
    deadline, answers = answered + 3.5, []
    while time.monotonic() < deadline:
        try:
            answers.append(post(aging))
        except httpx.RemoteProtocolError:  # a client that the machine stopped for so long was not busy
            assert time.monotonic() - answered > IDLE_GRACE_SECONDS
        answered = time.monotonic()

    assert {answer.status_code for answer in answers} == {200}
    assert 3 <= sum(answer.headers.get("connection") == "close" for answer in answers) < len(answers)


def test_openapi_equals_the_committed_contract(gateway, committed_contract):
    assert gateway.get("/openapi.json").json() == committed_contract


@pytest.mark.usefixtures("gateway")
def test_gateway_finishes_a_running_document_on_sigterm(launch, world):
    entered, answers = threading.Event(), []

    def slow(_body):
        entered.set()
        time.sleep(0.4)
        return {"text": "late"}

    world.say("ocr-late000000", "/read", slow)
    server = launch(OCR_URL="http://ocr-late000000").wait_ready()
    thread = threading.Thread(target=lambda: answers.append(post(server)))
    thread.start()
    assert entered.wait(5)
    server.process.terminate()
    thread.join(5)

    assert answers[0].json()["text"] == "late"
    assert server.process.wait(timeout=5) == 0


def gate(world, url="http://gateway-0123456789", deadline="0.5"):
    environment = {
        "ROOT_URL": url,
        "GATE_DEADLINE_SECONDS": deadline,
        "http_proxy": world.url,
        "PYTHONPATH": str(COMPONENT / "src"),
    }
    return subprocess.run(
        [sys.executable, "-m", "gateway.gate"], env=environment, capture_output=True, text=True, check=False
    )


def test_gate_passes_a_root_that_answers_and_tries_until_it_does(world, gateway):
    world.hosts.pop("gateway-0123456789", None)
    threading.Timer(0.6, lambda: world.route("gateway-0123456789", gateway)).start()

    done = gate(world, deadline="5")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("break_it", "complaint"),
    [
        (lambda world: world.say(NAMES["ocr"], "/read", {"text": "something else"}), "the page says"),
        (
            lambda world: world.say(NAMES["summarizer"], "/summarize", {"summary": "", "served_by": {}}),
            "the summary or the embedding is empty",
        ),
        (
            lambda world: world.say(NAMES["embedding"], "/embed", {"embedding": [0.0]}),
            "the summary or the embedding is empty",
        ),
        (lambda world: world.hosts.pop(NAMES["ocr"]), "status 50"),
    ],
)
def test_gate_refuses_a_root_whose_answer_is_wrong(world, gateway, break_it, complaint):
    world.route("gateway-0123456789", gateway)
    break_it(world)

    done = gate(world)

    assert done.returncode == 1
    assert complaint in done.stderr


def test_gate_refuses_a_root_that_is_not_the_one_it_asked(world, gateway):
    world.route("gateway-9999999999", gateway)

    done = gate(world, "http://gateway-9999999999")

    assert done.returncode == 1
    assert "x-lockstep-release is 'gateway-0123456789'" in done.stderr


def test_listen_queue_takes_hundreds_of_connections_at_once(gateway):
    port = urlsplit(gateway.url).port
    listening = subprocess.run(["cat", "/proc/sys/net/core/somaxconn"], capture_output=True, text=True, check=True)
    assert int(listening.stdout) >= 512
    opened = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(512)]

    assert post(gateway).status_code == 200
    for connection in opened:
        connection.close()


@pytest.mark.parametrize("name", ["service.py", "callee.py"])
def test_copies_of_shared_code_are_alike(name):
    copies = sorted(COMPONENT.parent.glob(f"*/src/*/{name}"))
    texts = {path.read_text(encoding="utf-8").replace(f"from {path.parent.name}.", "from x.") for path in copies}

    assert len(copies) == {"service.py": 5, "callee.py": 2}[name]
    assert len(texts) == 1
