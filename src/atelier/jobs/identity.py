"""Where ids come from: chance, or what they stand for, so that the same thing made twice has the same id."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator

ID_BYTES = 16
AT_ONCE = 256


def random_id() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_hex(ID_BYTES)


def random_ids() -> Iterator[str]:
    """Yield such ids for ever: many are drawn at once, because asking the system gives the interpreter away."""
    while True:
        drawn = secrets.token_hex(AT_ONCE * ID_BYTES)
        yield from (drawn[start : start + 2 * ID_BYTES] for start in range(0, len(drawn), 2 * ID_BYTES))


def derived_id(secret: bytes, *parts: str) -> str:
    """Return the id that these parts always give; without the secret nobody can tell it."""
    named = "\x1f".join(parts).encode()
    return hmac.digest(secret, named, "sha256")[:ID_BYTES].hex()


def fingerprint(request: str) -> str:
    """Return a short stand-in for a whole request."""
    return hashlib.sha256(request.encode()).hexdigest()
