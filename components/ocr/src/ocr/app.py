"""POST /read: the text of a page."""

from __future__ import annotations

import asyncio
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from ocr.contract import CONTRACT
from ocr.layout import NotTextError, ink_of
from ocr.reader import Reader, load
from ocr.service import RefusalError, Request, Service, environment, serve

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 12_000_000  # an A4 page at 300 dpi has 8.7 million; checked before a pixel is decoded


def read_page(reader: Reader, data: bytes) -> str:
    """The text of an encoded page; RefusalError 413 or 422 for what is not a readable one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=["PNG", "JPEG"]) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise RefusalError(
                        413, f"the page has {image.width} x {image.height} pixels", f"send at most {MAX_PIXELS} pixels"
                    )
                return reader.read(ink_of(image))
    except NotTextError as error:
        raise RefusalError(422, str(error), "send a page of printed text") from error
    except UnidentifiedImageError as error:
        raise RefusalError(422, "the body is neither PNG nor JPEG", "send the bytes of one image") from error
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise RefusalError(422, f"the image is not complete: {error}", "send the whole file") from error


class Ocr:
    """The read endpoint around one reader."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        # One thread: pages queue for the processor anyway, and the event loop stays free to answer probes.
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read")

    async def read(self, request: Request) -> dict[str, Any]:
        """The text of the page in the body."""
        data = await request.body(MAX_BYTES)
        if not data:
            raise RefusalError(422, "the body is empty", "send the bytes of one PNG or JPEG page")
        text = await asyncio.get_running_loop().run_in_executor(self.thread, read_page, self.reader, data)
        return {"text": text}


def main() -> None:
    """Serves the ocr component."""
    instance = environment("LOCKSTEP_INSTANCE", "ocr-0123456789")
    weights = Path(environment("LOCKSTEP_WEIGHTS", "components/ocr/weights")) / "ocr.npz"
    if not weights.is_file():
        raise SystemExit(f"{weights} is missing.  fix: dvc pull components/ocr/weights/ocr.npz.dvc")
    serve(Service(instance, {("POST", "/read"): Ocr(Reader(load(weights))).read}, CONTRACT))
