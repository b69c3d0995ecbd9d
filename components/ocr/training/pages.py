"""Pages of print with their text: made by code, so that training and held-out pages need no files and no licence."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import font_hanken_grotesk
import font_manrope
import font_source_sans_pro
import font_source_serif_pro
import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Generator = np.random.Generator
WORDS = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split()
CHARACTERS = " etaoinshrdlucmfwypvbgkjqxzETAOINSHRDLUCMFWYPVBGKJQXZ0123456789.,:;!?'-/()%&+@#$*=_€"


def _fonts() -> dict[str, str | None]:
    """Name -> file of each font; None is the one embedded in Pillow."""
    dejavu = Path(mpl.get_data_path()) / "fonts/ttf"

    def packaged(module: object, name: str) -> str:
        return str(Path(str(module.__file__)).parent / "files" / name)  # type: ignore[attr-defined]

    return {
        "aileron": None,
        "dejavu-sans": str(dejavu / "DejaVuSans.ttf"),
        "dejavu-sans-bold": str(dejavu / "DejaVuSans-Bold.ttf"),
        "dejavu-serif": str(dejavu / "DejaVuSerif.ttf"),
        "dejavu-serif-bold": str(dejavu / "DejaVuSerif-Bold.ttf"),
        "source-sans": packaged(font_source_sans_pro, "SourceSansPro-Regular.ttf"),
        "source-sans-bold": packaged(font_source_sans_pro, "SourceSansPro-Bold.ttf"),
        "source-serif": packaged(font_source_serif_pro, "SourceSerifPro-Regular.ttf"),
        "source-serif-bold": packaged(font_source_serif_pro, "SourceSerifPro-Bold.ttf"),
        "hanken": packaged(font_hanken_grotesk, "HankenGrotesk-Regular.otf"),
        "hanken-bold": packaged(font_hanken_grotesk, "HankenGrotesk-Bold.otf"),
        "manrope": packaged(font_manrope, "Manrope-Regular.ttf"),
    }


FONTS = _fonts()


def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font at a size in pixels, laid out the basic way (the same with and without libraqm)."""
    path = FONTS[name]
    loaded = (
        ImageFont.load_default(size)
        if path is None
        else ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    )
    assert isinstance(loaded, ImageFont.FreeTypeFont)
    return loaded


@dataclass(frozen=True)
class Print:
    """One printed line: its text, its font, and where its first letter starts."""

    text: str
    font: ImageFont.FreeTypeFont
    x: int
    y: int

    def centres(self) -> list[tuple[str, float]]:
        """Each character that leaves ink, with the middle of its ink on the x axis."""
        found = []
        for i, character in enumerate(self.text):
            if character != " ":
                left, _, right, _ = self.font.getbbox(character)
                start = self.x + self.font.getlength(self.text[: i + 1]) - self.font.getlength(character)
                found.append((character, start + (left + right) / 2))
        return found


@dataclass(frozen=True)
class Page:
    """A rendered page and what is printed on it, from top to bottom."""

    image: Image.Image
    prints: tuple[Print, ...]

    @property
    def text(self) -> str:
        """The page's text, one line per printed line."""
        return "\n".join(p.text for p in self.prints)


def make_page(rng: Generator, fonts: list[str], words: list[str], *, noisy: bool) -> Page:
    """A page of random business prose, numbers and codes in one font, one or two sizes; `noisy` adds what a scanner
    adds.
    """
    name, size = str(rng.choice(fonts)), int(rng.integers(15, 27))
    image = Image.new("L", (800, 500), int(rng.integers(235, 256)))
    draw, prints, y = ImageDraw.Draw(image), [], int(rng.integers(10, 40))
    while True:
        face = font(name, size + (6 if rng.random() < 0.1 else 0))
        step = round(face.size * rng.uniform(1.3, 1.6))
        if y + step > 495:
            break
        prints.append(Print(_fit(rng, face, words), face, int(rng.integers(10, 60)), y))
        draw.text((prints[-1].x, y), prints[-1].text, font=face, fill=int(rng.integers(0, 70)))
        y += step
    return Page(_scanned(rng, image) if noisy else image, tuple(prints))


def _fit(rng: Generator, face: ImageFont.FreeTypeFont, words: list[str]) -> str:
    text = _token(rng, words)
    for _ in range(int(rng.integers(2, 14))):
        longer = f"{text} {_token(rng, words)}"
        if face.getlength(longer) > 730:
            break
        text = longer
    return text


def _token(rng: Generator, words: list[str]) -> str:
    """A word in some case, a number, a code or a sign, as business letters have them."""
    kind, word = rng.random(), str(rng.choice(words))
    if kind < 0.62:
        return word
    if kind < 0.72:
        return word.capitalize() if rng.random() < 0.7 else word.upper()
    if kind < 0.82:
        return word + str(rng.choice(list(".,:;!?,.,."), shuffle=False))
    if kind < 0.92:
        n = float(rng.integers(1, 10**6)) / 100
        return str(
            rng.choice(
                [
                    f"{n:,.2f}",
                    f"{int(n)}",
                    f"{n:.2f} EUR",
                    f"${n:,.2f}",
                    f"€{n:.0f}",
                    f"{n % 100:.1f}%",
                    f"{int(n) % 28 + 1}.{int(n) % 12 + 1}.2026",
                ]
            )
        )
    other = str(rng.choice(words))
    code = "".join(rng.choice(list(CHARACTERS[1:]), int(rng.integers(2, 7))))
    return str(
        rng.choice(
            [
                f"({word})",
                f"'{word}'",
                f"{word}-{other}",
                f"{word}/{other}",
                f"{word} & {other}",
                f"{word}@{other}.com",
                f"#{code}",
                code,
                f"{word}'s",
                f"+{word}=",
            ]
        )
    )


def _scanned(rng: Generator, image: Image.Image) -> Image.Image:
    """The page a little blurred, grainy, and saved as JPEG: each with its own probability and strength."""
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.7)))
    if rng.random() < 0.6:
        grain = rng.normal(0, rng.uniform(2, 9), (image.height, image.width))
        image = Image.fromarray(np.clip(np.asarray(image, np.float32) + grain, 0, 255).astype(np.uint8))
    if rng.random() < 0.5:
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=int(rng.integers(55, 92)))
        image = Image.open(BytesIO(buffer.getvalue()))
    return image
