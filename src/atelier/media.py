"""Pictures as bytes: what they really are, whether they are complete, and their thumbnails. Blocking; call in a thread."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from atelier.errors import InvalidImage

Format = Literal["png", "jpeg", "webp"]

EXTENSIONS: dict[Format, str] = {"png": "png", "jpeg": "jpg", "webp": "webp"}
CONTENT_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
MOST_PIXELS = 64_000_000
THUMBNAIL_SIDE = 384
_FORMATS: dict[str, Format] = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp"}
_ENDS: dict[Format, bytes] = {"png": b"IEND\xaeB`\x82", "jpeg": b"\xff\xd9"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What was read from a picture's bytes. Sizes in pixels and bytes; the hash is SHA-256, hexadecimal."""

    width: int
    height: int
    format: Format
    size_bytes: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class Content:
    """A picture's bytes together with what was read from them: proof that they were inspected."""

    data: bytes
    facts: Facts


def inspect(data: bytes) -> Content:
    """Decode `data` fully and return it with its facts. Raises InvalidImage for anything but one complete picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=tuple(_FORMATS)) as picture:
                kind = _FORMATS[str(picture.format)]
                width, height = picture.size
                if width * height > MOST_PIXELS:
                    raise InvalidImage("The picture has too many pixels.")
                picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidImage("What the provider sent is not a complete picture.") from error
    if not data.endswith(_ENDS.get(kind, b"")):
        raise InvalidImage("What the provider sent is cut off or has something behind its end.")
    digest = hashlib.sha256(data).hexdigest()
    facts = Facts(width=width, height=height, format=kind, size_bytes=len(data), content_hash=digest)
    return Content(data, facts)


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
