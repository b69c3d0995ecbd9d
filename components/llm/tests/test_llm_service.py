import json

import pytest

DOCUMENT = """Dear Sir or Madam.

Thank you for your letter. The board approved the new bridge. The total amount is 4,200.00 EUR.
Coffee was served in the lobby. Payment is due on 3 May 2027. Your contact is Elena Fischer in the sales department.
The inspection revealed cracks in the pump. The garden behind the Oslo office is open to guests.
We look forward to hearing from you."""


@pytest.fixture(scope="module")
def llm(start, weights):
    return start("llm", LOCKSTEP_WEIGHTS=weights("llm/weights/llm.npz.dvc"), MODEL_NAME="extractive").wait_ready()


def ask(server, instruction, document=DOCUMENT, **options):
    messages = [{"role": "system", "content": instruction}, {"role": "user", "content": document}]
    return server.post("/v1/chat/completions", json={"model": "extractive", "messages": messages} | options)


def content(answer):
    return answer.json()["choices"][0]["message"]["content"]


def test_completion_keeps_the_contract(llm, keeps_contract):
    answer = ask(llm, "Summarise this in two sentences. Keep the amounts.")

    keeps_contract(answer)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["finish_reason"] == "stop"


def test_instruction_says_how_many_sentences(llm):
    one = content(ask(llm, "Summarise this document in one sentence. Keep the key points."))
    three = content(ask(llm, "Summarise this document in three sentences. Keep the key points."))

    assert len(one) < len(three)
    assert one.count(". ") == 0
    assert three.count(". ") >= 2


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("the amounts", "The total amount is 4,200.00 EUR."),
        ("due dates and deadlines", "Payment is due on 3 May 2027."),
        ("names of the people involved", "Your contact is Elena Fischer in the sales department."),
        ("problems and defects", "The inspection revealed cracks in the pump."),
        ("decisions", "The board approved the new bridge."),
    ],
)
def test_instruction_says_what_matters(llm, wanted, sentence):
    assert content(ask(llm, f"Summarise this in one sentence. Focus on {wanted}.")) == sentence


def test_answer_holds_only_sentences_of_the_document(llm):
    text = " ".join(DOCUMENT.split())

    for sentence in content(ask(llm, "Give five sentences about money, dates and people.")).split(". "):
        assert sentence.rstrip(".") in text


def test_answer_is_the_same_each_time(llm):
    assert len({content(ask(llm, "Summarise this in two sentences.")) for _ in range(5)}) == 1


def test_first_paragraph_is_the_instruction_where_no_system_message_is(llm):
    message = {"role": "user", "content": "Summarise this in one sentence. Focus on the amounts.\n\n" + DOCUMENT}
    answer = llm.post("/v1/chat/completions", json={"model": "extractive", "messages": [message]})

    assert content(answer) == "The total amount is 4,200.00 EUR."


def test_max_tokens_cuts_and_says_so(llm):
    answer = ask(llm, "Summarise this in four sentences.", max_tokens=5)

    assert answer.json()["choices"][0]["finish_reason"] == "length"
    assert len(content(answer).split()) <= 5


@pytest.mark.parametrize(
    "document", ["", "   \n\n ", "{{document}} ${HOME} ---\n---", "....!!!???", "漢字。", "x" * 50_000, "\x00"]
)
def test_any_document_gets_an_answer(llm, keeps_contract, document):
    keeps_contract(ask(llm, "Summarise this in two sentences.", document))


def test_half_a_character_is_refused(llm, keeps_contract):
    body = b'{"model": "extractive", "messages": [{"role": "user", "content": "One \\ud800 two."}]}'
    answer = llm.post("/v1/chat/completions", content=body)

    keeps_contract(answer)
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "extractive", "messages": []}, 400),
        ({"model": "extractive"}, 400),
        ({"model": "extractive", "messages": [{"role": "wizard", "content": "x"}]}, 400),
        ({"model": "extractive", "messages": ["x"]}, 400),
        ({"model": "gpt", "messages": [{"role": "user", "content": "x"}]}, 404),
        ({"model": "extractive", "messages": [{"role": "user", "content": "x"}], "stream": True}, 400),
        ({"model": "extractive", "messages": [{"role": "user", "content": "x"}], "max_tokens": "many"}, 400),
        ([], 422),
    ],
)
def test_bad_requests_get_an_openai_error(llm, keeps_contract, body, status):
    answer = llm.post("/v1/chat/completions", json=body)

    keeps_contract(answer)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.timeout(300)  # seconds of work, on a machine that may be busy
def test_llm_keeps_its_whole_contract(llm, try_server):
    trial = try_server(llm)

    assert trial.faults == (), trial.said
    assert trial.asked > 50


def test_models_lists_the_configured_name(start, weights, keeps_contract):
    server = start("llm", LOCKSTEP_WEIGHTS=weights("llm/weights/llm.npz.dvc"), MODEL_NAME="mine").wait_ready()

    answer = server.get("/v1/models")

    keeps_contract(answer)
    assert [m["id"] for m in answer.json()["data"]] == ["mine"]


def test_openapi_equals_the_committed_contract(llm, committed_contract):
    assert llm.get("/openapi.json").json() == committed_contract


def test_llm_drains_on_sigterm(start, weights, drains):
    server = start("llm", LOCKSTEP_WEIGHTS=weights("llm/weights/llm.npz.dvc")).wait_ready()
    messages = [{"role": "user", "content": "Summarise this in one sentence.\n\n" + DOCUMENT}]

    answer = drains(
        server,
        "/v1/chat/completions",
        "application/json",
        json.dumps({"model": "extractive", "messages": messages}).encode(),
    )

    assert answer.startswith(b"HTTP/1.1 200")
