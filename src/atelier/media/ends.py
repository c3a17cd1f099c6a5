"""Where a picture's own bytes end, by the structure of its format; what lies behind belongs to something else."""

from __future__ import annotations

PNG_HEAD, PNG_CHUNK = 8, 12
"""Bytes before the first chunk, and of a chunk beside its content."""

_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG markers without a length: TEM, the restarts, the start."""


def end_of_png(data: bytes) -> int | None:
    """Return the offset behind IEND; None where there is none."""
    at = PNG_HEAD
    while at + PNG_CHUNK <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        at += PNG_CHUNK + length
        if name == b"IEND":
            return at
    return None


def end_of_jpeg(data: bytes) -> int | None:
    """Return the offset behind the end-of-image marker; None where there is none. Thumbnails inside segments do not count."""
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        marker = data[at + 1]
        if marker == 0xD9:  # noqa: PLR2004 - EOI
            return at + 2
        if marker == 0xFF:  # noqa: PLR2004 - a fill byte
            at += 1
        elif marker == 0 or marker in _BARE:  # an FF of the picture's own data, or a marker without a length
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def end_of_webp(data: bytes) -> int | None:
    """Return the offset behind the RIFF container; None where it is cut off."""
    length = int.from_bytes(data[4:8], "little")
    end = 8 + length + length % 2
    if end - 1 == len(data):  # the last padding byte may be missing
        return len(data)
    return end if end <= len(data) else None


ENDS = {"png": end_of_png, "jpeg": end_of_jpeg, "webp": end_of_webp}

HEADS = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff", "webp": b"RIFF"}
TAILS = {"png": bytes.fromhex("0000000049454e44ae426082"), "jpeg": b"\xff\xd9"}


def looks_whole(head: bytes, tail: bytes) -> bool:
    """Whether what begins and ends like this is a complete picture: surely enough where it is; else its structure tells."""
    return any(head.startswith(HEADS[kind]) and tail.endswith(TAILS[kind]) for kind in TAILS)


def is_whole(data: bytes) -> bool:
    """Whether a file has a picture's beginning and its end. Nothing of it is decoded."""
    return any(data.startswith(head) and ENDS[kind](data) is not None for kind, head in HEADS.items())
