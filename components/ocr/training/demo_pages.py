"""Draws the demo's pages (gateway/tests/pages) and the gate's page: `python components/ocr/training/demo_pages.py`."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from pages import font
from PIL import Image, ImageDraw

COMPONENTS = Path(__file__).parents[2]
PAGES = COMPONENTS / "gateway" / "tests" / "pages"
# name -> font, size, format, text; an empty line is a paragraph's end
TEXTS = {
    "invoice": (
        "dejavu-sans",
        18,
        "PNG",
        """\
        Invoice 2026-1187

        Larsen Pump Service, Oslo

        Customer: Berg Water Works
        Item Quantity Price
        Pump inspection 2 240.00 EUR
        Replacement valve 4 86.50 EUR
        Travel 1 120.00 EUR

        The total amount is 946.00 EUR including tax. Payment is due on 14 March 2026. Please transfer
        the amount to our bank account and name the invoice number. Thank you for your order.""",
    ),
    "letter": (
        "source-sans",
        20,
        "PNG",
        """\
        Dear Ms. Jansen,

        thank you for your letter. We hope that you are well. The board approved the extension of the
        warehouse lease on Monday. The contract ends on 30 September 2028. The rent rose to 4,150.00 EUR
        per month. Your contact is Elena Fischer in the sales department. As you know our company values
        good service. Please return the signed copy to us by 1 June 2026.

        With kind regards,
        Karim Novak""",
    ),
    "report": (
        "aileron",
        19,
        "JPEG",
        """\
        Report on the quarter

        The weather was mild and the visitors were pleased. Revenue reached $1,284,000.00 in the
        quarter. The inspection revealed cracks in the bridge near the station. Management has decided
        to stop the conveyor belt until the repair is finished. Work starts on 5 May 2026 and takes six
        weeks. The project is led by Maria Tanaka. Coffee was served in the lobby.""",
    ),
    "minutes": (
        "source-serif",
        20,
        "JPEG",
        """\
        Minutes of the meeting

        The meeting was opened by George Haas at nine. The agenda was read and approved. The team
        decided to replace the heating system before winter. The price is 38,400.00 EUR plus tax. The
        next meeting takes place on 21 October 2026. There is a danger that the old boiler stops. Walter
        Diaz will ask two suppliers for an offer.""",
    ),
}
GATE = ("Invoice 4711", "", "The total amount is 250.00 EUR.", "Payment is due on 1 June 2026.")


def wrapped(text: str, width: int) -> list[str]:
    """The text's lines, paragraphs of prose filled to the width, short lines kept."""
    lines: list[str] = []
    for block in textwrap.dedent(text).split("\n\n"):
        rows = block.split("\n")
        is_prose = max(map(len, rows)) > width
        lines += (textwrap.wrap(" ".join(rows), width) if is_prose else rows) + [""]
    return lines[:-1]


def draw(lines: list[str] | tuple[str, ...], size: tuple[int, int], face_name: str, pixels: int) -> Image.Image:
    """The lines on a page of nearly white paper; an empty line leaves a gap."""
    image, face = Image.new("L", size, 250), font(face_name, pixels)
    pen, y = ImageDraw.Draw(image), pixels
    for line in lines:
        pen.text((2 * pixels, y), line, font=face, fill=25)
        y += round(pixels * (1.45 if line else 1.0))
    assert y < size[1], f"the text needs {y} rows"
    return image


def scanned(image: Image.Image) -> Image.Image:
    """The page with a scanner's grain."""
    grain = np.random.default_rng(5).normal(0, 4, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image, np.float32) + grain, 0, 255).astype(np.uint8))


def main() -> None:
    """Writes the pages, what they say beside them, and the gate's page."""
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, (face, pixels, kind, text) in TEXTS.items():
        lines = wrapped(text, 72)
        image = draw(lines, (800, 500), face, pixels)
        if kind == "JPEG":
            scanned(image).save(PAGES / f"{name}.jpg", "JPEG", quality=65)
        else:
            image.save(PAGES / f"{name}.png", "PNG", optimize=True)
        (PAGES / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    gate = draw(GATE, (420, 150), "dejavu-sans", 20)
    gate.save(COMPONENTS / "gateway" / "src" / "gateway" / "gate.png", "PNG", optimize=True)


if __name__ == "__main__":
    main()
