from difflib import SequenceMatcher
from pathlib import Path

import pytest

from lockstep.truth.serving import Questions, damaged

PAGES = Path(__file__).parent / "pages"
COMPONENTS = Path(__file__).parents[2]
IDS = {
    name: f"{name}-{number:010x}"
    for number, name in enumerate(("gateway", "ocr", "embedding", "summarizer", "llm"), 10)
}


@pytest.fixture(scope="module")
def root(start, weights, world):
    """All five components, found by name."""
    urls = {f"{name.upper()}_URL": f"http://{instance}" for name, instance in IDS.items()} | {"http_proxy": world.url}
    servers = {}
    for name, instance in IDS.items():
        own = {
            "MAX_CONNECTION_AGE_SECONDS": "60",
            "LOCKSTEP_INSTANCE": instance,
            "LOCKSTEP_PROMPTS": str(COMPONENTS / name / "prompts"),
        }
        if name in {"ocr", "embedding", "llm"}:
            own["LOCKSTEP_WEIGHTS"] = weights(f"{name}/weights/{name}.npz.dvc")
        servers[name] = start(name, **urls, **own)
        world.route(instance, servers[name])
    return servers["gateway"].wait_ready()


@pytest.mark.parametrize(
    ("name", "media", "sentence"),
    [
        ("invoice.png", "image/png", "The total amount is 946.00 EUR including tax."),
        ("letter.png", "image/png", "The rent rose to 4,150.00"),
        ("report.jpg", "image/jpeg", "Revenue reached $1,284,000.00 in the quarter."),
    ],
)
def test_page_becomes_text_embedding_and_summary(root, name, media, sentence):
    answer = root.post("/documents", content=(PAGES / name).read_bytes(), headers={"content-type": media}).json()

    printed = (PAGES / name).with_suffix(".txt").read_text(encoding="utf-8")
    assert SequenceMatcher(None, answer["text"], printed.strip(), autojunk=False).ratio() > 0.92
    assert sentence in answer["summary"]
    assert len(answer["embedding"]) == 64
    assert answer["served_by"] == IDS


@pytest.mark.timeout(300)  # seconds of work, on a machine that may be busy
def test_gateway_keeps_its_whole_contract_before_a_whole_chain(root, try_server):
    pages = {"image/png": PAGES / "letter.png", "image/jpeg": PAGES / "minutes.jpg"}

    trial = try_server(root, Questions(bodies={media: damaged(page.read_bytes()) for media, page in pages.items()}))

    assert trial.faults == (), trial.said
    assert trial.asked > 20


@pytest.mark.parametrize("consumer", ["gateway", "summarizer"])
def test_calls_and_answers_inside_a_real_chain_are_those_of_the_use_files(root, world, consumer):
    root.post("/documents", content=(PAGES / "letter.png").read_bytes(), headers={"content-type": "image/png"})

    for use, exchanges in world.judged(consumer).values():
        assert [*use.faults(exchanges), *use.unused(exchanges)] == []
        assert [fault for exchange in exchanges for fault in use.answer_faults(exchange)] == []
