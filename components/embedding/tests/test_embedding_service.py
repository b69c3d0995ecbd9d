import json

import httpx
import numpy as np
import pytest

from lockstep.truth.serving import Questions, try_contract

POINTER = "embedding/weights/embedding.npz.dvc"


@pytest.fixture(scope="module")
def embedding(start, weights):
    return start("embedding", LOCKSTEP_WEIGHTS=weights(POINTER)).wait_ready()


def vector(server, text):
    return np.array(server.post("/embed", json={"text": text}).json()["embedding"])


def test_embed_returns_a_unit_vector_of_the_stated_dimension(embedding, keeps_contract):
    answer = embedding.post("/embed", json={"text": "The tenant paid the rent."})

    keeps_contract(answer)
    assert answer.status_code == 200
    assert len(answer.json()["embedding"]) == answer.json()["dimension"] == 64
    assert np.linalg.norm(answer.json()["embedding"]) == pytest.approx(1, abs=1e-4)


def test_embed_puts_a_paraphrase_nearer_than_shared_words(embedding):
    text = vector(embedding, "The customer settled the invoice yesterday, because of bad weather.")
    paraphrase = vector(embedding, "On account of the storm, our client transferred money for the bill one day ago.")
    other = vector(embedding, "The customer misplaced the medicine yesterday, for safety reasons.")

    assert text @ paraphrase > text @ other + 0.2


def test_embed_gives_the_same_text_the_same_vector(embedding):
    assert (vector(embedding, "Pump 42 in Oslo") == vector(embedding, "Pump 42 in Oslo")).all()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"text": ""}',
        b'{"text": 7}',
        b'{"txt": "x"}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"text": "\\uD800"}',
    ],
)
def test_embed_refuses_what_is_not_a_text(embedding, keeps_contract, body):
    answer = embedding.post("/embed", content=body)

    keeps_contract(answer)
    assert answer.status_code == 422
    assert answer.json()["error"]["fix"]


def test_embed_refuses_a_body_over_its_limit(embedding, keeps_contract):
    answer = embedding.post("/embed", content=json.dumps({"text": "a " * 700_000}))

    keeps_contract(answer)
    assert answer.status_code == 413


def test_embed_survives_any_characters(embedding):
    for text in ("éàü 漢字 🙂", "\x00\x01", "{{x}} ${y} --- %s", "."):
        assert embedding.post("/embed", json={"text": text}).status_code == 200


def test_openapi_equals_the_committed_contract(embedding, committed_contract):
    assert embedding.get("/openapi.json").json() == committed_contract


@pytest.mark.timeout(300)  # seconds of work, on a machine that may be busy
def test_embedding_keeps_its_whole_contract(embedding, try_server):
    trial = try_server(embedding)

    assert trial.faults == (), trial.said
    assert trial.asked > 50


@pytest.mark.timeout(300)  # seconds of work, on a machine that may be busy
def test_contract_that_promises_more_than_is_sent_is_caught(embedding, committed_contract, tmp_path):
    committed_contract["components"]["schemas"]["Vector"]["required"].append("language")
    false = tmp_path / "openapi.json"
    false.write_text(json.dumps(committed_contract))
    (tmp_path / "trial").mkdir()

    trial = try_contract(false, embedding.url, tmp_path / "trial", Questions(examples=2))

    assert trial.faults == ("POST /embed: Response violates schema",)
    assert '"language" is a required property' in trial.said


def test_unknown_paths_and_methods_get_a_json_problem(embedding):
    assert embedding.get("/nothing").json()["error"]["fix"] == "ask one of: POST /embed"
    wrong = embedding.get("/embed")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_embedding_drains_on_sigterm(start, weights, drains):
    server = start("embedding", LOCKSTEP_WEIGHTS=weights(POINTER)).wait_ready()

    answer = drains(server, "/embed", "application/json", json.dumps({"text": "x " * 200}).encode())

    assert answer.startswith(b"HTTP/1.1 200")


def test_requests_are_logged_as_json_only_when_asked(start, weights):
    loud = start("embedding", LOCKSTEP_WEIGHTS=weights(POINTER), LOG_REQUESTS="1").wait_ready()
    loud.post("/embed", json={"text": "x"})
    loud.stop()

    lines = [json.loads(line) for line in loud.log.read_text().splitlines()]
    asked = [line for line in lines if line.get("path") == "/embed"]
    assert [(line["instance"], line["status"]) for line in asked] == [("embedding-0123456789", 200)]
    assert asked[0]["ms"] > 0


def test_missing_weights_end_the_process_with_the_fix(start, tmp_path):
    server = start("embedding", LOCKSTEP_WEIGHTS=str(tmp_path))

    assert server.process.wait(timeout=10) == 1
    assert "fix: dvc pull" in server.log.read_text()


def test_many_connections_at_once_are_all_accepted(embedding):
    opened = [embedding.connect() for _ in range(300)]
    answer = httpx.post(embedding.url + "/embed", json={"text": "x"}, trust_env=False)

    assert answer.status_code == 200
    for connection in opened:
        connection.close()
