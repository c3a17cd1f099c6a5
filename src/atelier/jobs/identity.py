"""Where ids come from: chance, or what they stand for, so that the same thing made twice has the same id."""

from __future__ import annotations

import hashlib
import hmac
import secrets

ID_BYTES = 16


def random_id() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_hex(ID_BYTES)


def derived_id(secret: bytes, *parts: str) -> str:
    """Return the id that these parts always give; without the secret nobody can tell it."""
    named = "\x1f".join(parts).encode()
    return hmac.digest(secret, named, "sha256")[:ID_BYTES].hex()


def fingerprint(request: str) -> str:
    """Return a short stand-in for a whole request."""
    return hashlib.sha256(request.encode()).hexdigest()
