"""What is kept beside a header, cut into documents that Firestore takes, and put together again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from atelier.errors import StoreUnavailable, TooLarge
from atelier.jobs.models import Json
from atelier.stores import serialisation as codec
from atelier.stores.firestore.headers import Fields
from atelier.stores.firestore.layout import Found, escaped

PIECE = 128 * 1024
"""Most characters of one piece: half a mebibyte, whatever they are."""

DOCUMENT_BYTES = 1_000_000
"""Most text of one document; Firestore takes 1,048,576 bytes with everything."""

COMMIT_BYTES = 9_500_000
"""Most text of one write; Firestore takes ten mebibytes with everything."""


def cut(parts: Mapping[str, Json]) -> Iterator[tuple[str, Fields]]:
    """Yield the documents of the parts: their ids and fields."""
    for key, part in parts.items():
        text = codec.dump_part(part)
        pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
        for number, piece in enumerate(pieces):
            yield piece_id(key, number), {"key": key, "piece": number, "of": len(pieces), "body": piece}


def piece_id(key: str, number: int) -> str:
    """Return the id of a piece's document."""
    return f"{escaped(key)}~{number:02d}" if number else escaped(key)


def join(documents: Iterable[Found]) -> dict[str, Json]:
    """Return the parts by key. A shorter one that was written over a longer one leaves pieces, which are left out."""
    found: defaultdict[str, dict[int, Fields]] = defaultdict(dict)
    for document in documents:
        fields = document.to_dict() or {}
        found[fields["key"]][fields["piece"]] = fields
    return {key: _join(pieces) for key, pieces in found.items()}


def _join(pieces: Mapping[int, Fields]) -> Json:
    numbers = range(pieces[0]["of"]) if 0 in pieces else range(1)
    if any(number not in pieces for number in numbers):
        raise StoreUnavailable("A part of this job is not whole.")
    return codec.load_part("".join(pieces[number]["body"] for number in numbers))


def check_sizes(documents: Iterable[Fields]) -> None:
    """Refuse what Firestore would, before anything is written. Raises TooLarge."""
    sizes = [sum(len(value.encode()) for value in fields.values() if isinstance(value, str)) for fields in documents]
    if max(sizes) > DOCUMENT_BYTES or sum(sizes) > COMMIT_BYTES:
        raise TooLarge("This is larger than the store can keep at once; nothing was written.")
