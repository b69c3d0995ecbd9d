"""Checks of an uploaded page that cost little: format, size, pixels, completeness. Reading it is the ocr
component's work.
"""

from __future__ import annotations

import warnings
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from gateway.service import RefusalError

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 12_000_000  # an A4 page at 300 dpi has 8.7 million; decoded, a bomb of a few KB may have billions
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}


def check_page(data: bytes, content_type: str) -> str:
    """The media type of a complete page; RefusalError 4xx for anything else. Nothing is decoded."""
    media = content_type.partition(";")[0].strip().lower()
    if media not in FORMATS:
        raise RefusalError(415, f"the content type is '{media or 'missing'}'", "send image/png or image/jpeg")
    if not data:
        raise RefusalError(400, "the body is empty", "send the bytes of one PNG or JPEG page")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=list(FORMATS.values())) as image:
                _check_image(image, data, media)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise RefusalError(
            422,
            f"the body is not a complete {FORMATS[media]} image: {error}".replace(f"{BytesIO}", "the body"),
            "send the whole file of one page",
        ) from error
    return media


def _check_image(image: Image.Image, data: bytes, media: str) -> None:
    if image.format != FORMATS[media]:
        raise RefusalError(415, f"the body is {image.format}, the content type says {media}", "send them alike")
    if image.width * image.height > MAX_PIXELS:
        raise RefusalError(
            413,
            f"the page has {image.width} x {image.height} pixels, over {MAX_PIXELS} in all",
            "scan it at 300 dpi or less",
        )
    if media == "image/png":
        image.verify()  # reads every chunk's checksum without decoding
        if b"IEND" not in data[-16:] and b"IEND" not in data:
            raise SyntaxError("the file ends before its last chunk")
    elif b"\xff\xd9" not in data[-64:] and b"\xff\xd9" not in data:
        raise SyntaxError("the file ends before its end marker")
