import struct
import zlib
from difflib import SequenceMatcher
from io import BytesIO

import pytest
from PIL import Image, ImageDraw, ImageFont

from lockstep.truth.serving import Questions, damaged

ACTIVE, FIRST, SECOND = (
    f"ocr/{place}/ocr.npz.dvc" for place in ("weights", "training/versions/1", "training/versions/2")
)
LINES = [
    "The board approved the new bridge.",
    "Payment of 4,250.00 EUR is due on 14 May 2026.",
    "Please send the signed contract to Anna Berg.",
    "The warehouse in Oslo reported no damage.",
]


def page(lines, size=22, paper=255, ink=20, kind="PNG"):
    image, font = Image.new("L", (800, 60 + 40 * len(lines)), paper), ImageFont.load_default(size)
    for i, line in enumerate(lines):
        ImageDraw.Draw(image).text((40, 25 + 40 * i), line, font=font, fill=ink)
    buffer = BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def read(server, data, media="image/png"):
    return server.post("/read", content=data, headers={"content-type": media})


def likeness(text, lines):
    return SequenceMatcher(None, text, "\n".join(lines), autojunk=False).ratio()


@pytest.fixture(scope="module", params=[ACTIVE, SECOND], ids=["active", "version-2"])
def ocr(request, start, weights):
    return start("ocr", LOCKSTEP_WEIGHTS=weights(request.param)).wait_ready()


def test_read_returns_the_printed_text(ocr, keeps_contract):
    answer = read(ocr, page(LINES))

    keeps_contract(answer)
    assert likeness(answer.json()["text"], LINES) > 0.95


@pytest.mark.timeout(300)  # seconds of work, on a machine that may be busy
def test_ocr_keeps_its_whole_contract(start, weights, try_server):
    server = start("ocr", LOCKSTEP_WEIGHTS=weights(ACTIVE)).wait_ready()
    bodies = {f"image/{kind.lower()}": damaged(page(LINES[:2], kind=kind)) for kind in ("PNG", "JPEG")}

    trial = try_server(server, Questions(bodies=bodies))

    assert trial.faults == (), trial.said
    assert trial.asked > 20


@pytest.mark.parametrize("size", [16, 19, 26])
def test_read_copes_with_sizes(ocr, size):
    assert likeness(read(ocr, page(LINES, size)).json()["text"], LINES) > 0.92


def test_read_copes_with_grey_paper_jpeg_and_white_print(ocr):
    assert likeness(read(ocr, page(LINES, paper=205, ink=60)).json()["text"], LINES) > 0.92
    assert likeness(read(ocr, page(LINES, paper=20, ink=250)).json()["text"], LINES) > 0.92
    assert likeness(read(ocr, page(LINES, kind="JPEG"), "image/jpeg").json()["text"], LINES) > 0.92


def test_read_keeps_an_empty_line_where_the_page_has_a_gap(ocr):
    assert "\n\n" in read(ocr, page([LINES[0], "", "", LINES[3]])).json()["text"]


@pytest.mark.parametrize(
    "image",
    [
        Image.new("L", (800, 500), 255),
        Image.new("L", (800, 500), 0),
        Image.new("L", (1, 1), 0),
        Image.new("RGBA", (30, 30)),
        Image.new("1", (9, 700), 1),
        Image.linear_gradient("L"),
        Image.effect_noise((300, 300), 90),
        Image.radial_gradient("L"),
    ],
    ids=["white", "black", "dot", "clear", "narrow", "gradient", "noise", "radial"],
)
def test_read_answers_for_any_image(ocr, keeps_contract, image):
    buffer = BytesIO()
    image.save(buffer, "PNG")

    answer = read(ocr, buffer.getvalue())

    keeps_contract(answer)
    assert answer.status_code == 200


def test_read_of_a_blank_page_is_empty(ocr):
    assert read(ocr, page([])).json() == {"text": ""}


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"hello", page(LINES)[:1000], page(LINES, kind="JPEG")[:4000], page(LINES)[8:]]
)
def test_read_refuses_what_is_not_a_whole_image(ocr, keeps_contract, data):
    answer = read(ocr, data)

    keeps_contract(answer)
    assert answer.status_code == 422
    assert answer.json()["error"]["fix"]


def test_read_refuses_a_decompression_bomb_before_decoding_it(ocr, keeps_contract):
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))

    answer = read(ocr, bomb + page(LINES)[33:])

    keeps_contract(answer)
    assert answer.status_code in {413, 422}
    assert ocr.peak_memory() < 200 * 1024 * 1024


def test_read_refuses_a_page_of_dots_in_bounded_memory(ocr, keeps_contract):
    tile = Image.new("L", (4, 12), 255)
    tile.paste(0, (0, 0, 1, 6))
    rows = b"".join(tile.crop((0, y, 4, y + 1)).tobytes() * 1000 for y in range(12))
    dots = Image.frombytes("L", (4000, 3000), rows * 250)
    buffer = BytesIO()
    dots.save(buffer, "PNG")

    answer = read(ocr, buffer.getvalue())

    keeps_contract(answer)
    assert (answer.status_code, "marks" in answer.json()["error"]["what"]) == (422, True)
    assert ocr.peak_memory() < 200 * 1024 * 1024


def test_version_2_reads_a_scanned_serif_page_that_version_1_cannot(start, weights, request):
    pages = request.path.parents[2] / "gateway/tests/pages"
    printed = (pages / "minutes.txt").read_text(encoding="utf-8")
    first, second = (start("ocr", LOCKSTEP_WEIGHTS=weights(p)).wait_ready() for p in (FIRST, SECOND))

    texts = [read(s, (pages / "minutes.jpg").read_bytes(), "image/jpeg").json()["text"] for s in (first, second)]

    likenesses = [likeness(text, printed.strip().split("\n")) for text in texts]
    assert likenesses[1] > 0.97
    assert likenesses[0] < 0.9


def test_openapi_equals_the_committed_contract(ocr, committed_contract):
    assert ocr.get("/openapi.json").json() == committed_contract


def test_ocr_drains_on_sigterm(start, weights, drains):
    answer = drains(start("ocr", LOCKSTEP_WEIGHTS=weights(ACTIVE)).wait_ready(), "/read", "image/png", page(LINES))

    assert answer.startswith(b"HTTP/1.1 200")
    assert b"board" in answer
