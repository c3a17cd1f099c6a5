"""Reading vendors' JSON as it comes: what is missing or of another kind is empty, and nothing raises."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def as_object(body: object) -> Object:
    """Return a JSON object as it is, the only item of a list in its place; empty for anything else."""
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    return body if isinstance(body, dict) else {}


def member(thing: Object, name: str) -> Object:
    """Return the object of this name; empty where there is none."""
    found = thing.get(name)
    return found if isinstance(found, dict) else {}


def objects(thing: Object, name: str) -> list[Object]:
    """Return the objects of the list of this name, in order."""
    found = thing.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def texts(thing: Object, name: str) -> list[str]:
    """Return the texts of the list of this name, in order."""
    found = thing.get(name)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def text(thing: Object, name: str) -> str:
    """Return the text of this name; empty where there is none."""
    found = thing.get(name)
    return found if isinstance(found, str) else ""


def number(thing: Object, name: str) -> int | None:
    """Return the whole number of this name, nought or more; None where there is none."""
    found = thing.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def prose(text: str) -> str:
    """Return a text as it can be stored and shown: lines end alike, no control characters, no halves of surrogates."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").encode(errors="replace").decode()
    return _CONTROLS.sub("", lines)


def decoded(data: object) -> bytes:
    """Return the bytes behind base64; none where it is none."""
    try:
        return base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except binascii.Error:
        return b""


def seed(value: object) -> int | None:
    """Return a seed that is a number or its digits; None for anything else."""
    digits = str(value)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else None  # noqa: PLR2004
