"""What counts as a picture."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from atelier import media
from atelier.errors import InvalidImage


def picture(kind: str, size: tuple[int, int] = (64, 48)) -> bytes:
    image = Image.effect_noise(size, 60).convert("RGB")
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_facts_are_read_from_the_bytes(kind: str) -> None:
    data = picture(kind)
    facts = media.inspect(data).facts
    assert (facts.width, facts.height, facts.format, facts.size_bytes) == (64, 48, kind.lower(), len(data))
    assert len(facts.content_hash) == 64


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("cut", [5, 100, 1000])
def test_a_picture_that_is_cut_off_is_refused(kind: str, cut: int) -> None:
    with pytest.raises(InvalidImage):
        media.inspect(picture(kind)[:-cut])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_something_behind_the_end_is_cut_and_said(kind: str) -> None:
    alone = picture(kind)
    content = media.inspect(alone + b"PK\x03\x04 a zip file")
    assert (content.data, content.facts) == (alone, media.inspect(alone).facts)
    (complete,) = [check for check in content.checks if check.name == "complete"]
    assert complete.detail == "15 bytes behind its end were cut"


def test_a_progressive_jpeg_with_a_picture_inside_ends_where_it_ends() -> None:
    image, out, inside = Image.effect_noise((64, 48), 60).convert("RGB"), io.BytesIO(), picture("JPEG", (8, 8))
    image.save(out, "JPEG", progressive=True, exif=b"Exif\0\0" + inside, restart_marker_blocks=2)
    assert media.inspect(out.getvalue()).data == out.getvalue()
    with pytest.raises(InvalidImage):
        media.inspect(out.getvalue()[:-2])


def shows_something(data: bytes) -> bool:
    (check,) = [check for check in media.inspect(data).checks if check.name == "content"]
    return check.passed


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (120, 30, 60)])
def test_a_picture_of_one_colour_shows_nothing(colour: tuple[int, int, int]) -> None:
    out = io.BytesIO()
    Image.new("RGB", (256, 256), colour).save(out, "PNG")
    assert not shows_something(out.getvalue())


def test_a_picture_that_is_all_but_black_shows_nothing_and_a_night_does() -> None:
    for brightest, fine in ((8, False), (60, True)):
        out = io.BytesIO()
        Image.linear_gradient("L").point(lambda value, top=brightest: value * top // 255).save(out, "PNG")
        assert shows_something(out.getvalue()) is fine


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x89PNG\r\n\x1a\n",
        picture("GIF"),
        picture("BMP"),
    ],
)
def test_what_is_no_picture_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidImage):
        media.inspect(data)


@pytest.mark.parametrize("side", [12_000, 40_000])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(side: int) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    with pytest.raises(InvalidImage):
        media.inspect(bomb)


def test_a_thumbnail_is_small_and_keeps_the_shape() -> None:
    small = Image.open(io.BytesIO(media.thumbnail(media.inspect(picture("PNG", (1600, 800))))))
    assert (small.size, small.format) == ((384, 192), "WEBP")
