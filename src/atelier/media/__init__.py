"""Pictures as bytes: what they really are, whether they are complete, and their thumbnails. Blocking; call in a thread."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageStat

from atelier.errors import InvalidImage
from atelier.frozen import frozen
from atelier.media.ends import ENDS
from atelier.media.ends import is_whole as is_whole
from atelier.media.ends import looks_whole as looks_whole

Format = Literal["png", "jpeg", "webp"]

EXTENSIONS: dict[Format, str] = {"png": "png", "jpeg": "jpg", "webp": "webp"}
CONTENT_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
MOST_PIXELS = 64_000_000
THUMBNAIL_SIDE = 384
_FORMATS: dict[str, Format] = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp"}
SAMPLE_SIDE = 64
BLANK_SPREAD, BLACK_MEAN, BLACK_SPREAD = 0.5, 6.0, 4.0
"""Of 255: a picture whose colours spread less shows nothing; one as dark as this and nearly as even is black."""


@frozen
class Facts:
    """What was read from a picture's bytes. Sizes in pixels and bytes; the hash is SHA-256, hexadecimal."""

    width: int
    height: int
    format: Format
    size_bytes: int
    content_hash: str


@frozen
class Check:
    """Something that was looked at, whether it is as it should be, and what was found."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Content:
    """A picture's bytes together with what was read from them, and what was looked at: proof that they were inspected."""

    data: bytes
    facts: Facts
    checks: tuple[Check, ...] = ()


def inspect(data: bytes) -> Content:
    """Decode `data` fully and return it with its facts, without what lies behind the picture's end.

    Raises InvalidImage for anything but one complete PNG, JPEG or WebP. Whether it shows something is only told.
    """
    with _opened(data) as picture:
        kind = _FORMATS[str(picture.format)]
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise InvalidImage("The picture has too many pixels.")
        shows, look = _look(picture)
    end = ENDS[kind](data)
    if end is None:
        raise InvalidImage("What the provider sent is cut off before the picture's end.")
    whole = data[:end]
    digest = hashlib.sha256(whole).hexdigest()
    facts = Facts(width=width, height=height, format=kind, size_bytes=len(whole), content_hash=digest)
    complete = "nothing behind its end" if end == len(data) else f"{len(data) - end} bytes behind its end were cut"
    found = {"type": kind, "pixels": f"{width} x {height}", "decodes": "fully", "complete": complete}
    passed = (Check(name=name, passed=True, detail=found[name]) for name in found)
    return Content(whole, facts, (*passed, Check(name="content", passed=shows, detail=look)))


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """Open a picture; what Pillow cannot read is no picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=tuple(_FORMATS)) as picture:
                yield picture
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidImage("What the provider sent is not a complete picture.") from error


def _look(picture: Image.Image) -> tuple[bool, str]:
    """Decode the whole picture; whether it shows something, and by what that is judged."""
    picture.load()
    sample = picture.convert("RGB").resize((SAMPLE_SIDE, SAMPLE_SIDE), Image.Resampling.BOX)
    statistics = ImageStat.Stat(sample)
    spread, mean = max(statistics.stddev), max(statistics.mean)
    blank = spread < BLANK_SPREAD or (mean < BLACK_MEAN and spread < BLACK_SPREAD)
    return not blank, f"colours spread by {spread:.1f} of 255 around {mean:.0f}"


def thumbnail(content: Content) -> bytes:
    """Return a WebP of at most 384 pixels a side."""
    with Image.open(io.BytesIO(content.data)) as picture:
        small = picture.convert("RGB")
        small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        return encode(small, "webp", quality=80)


def encode(picture: Image.Image, kind: Format, *, quality: int = 90) -> bytes:
    """Return the picture's bytes in a format; `quality` matters for JPEG and WebP."""
    out = io.BytesIO()
    options: dict[str, object] = {"compress_level": 4} if kind == "png" else {"quality": quality}
    picture.save(out, format=kind.upper(), **options)
    return out.getvalue()


def as_png(data: bytes) -> bytes:
    """Return a picture's pixels as PNG."""
    with _opened(data) as picture:
        picture.load()
        return encode(picture, "png")


def reduced(content: Content, side: int) -> bytes:
    """Return a JPEG of at most so many pixels a side."""
    with _opened(content.data) as picture:
        small = picture.convert("RGB")
        small.thumbnail((side, side))
        return encode(small, "jpeg")
