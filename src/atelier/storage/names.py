"""How stored pictures are called, on every storage alike: unguessable, and the same bytes always the same name."""

from __future__ import annotations

import hashlib
import hmac

SHARED = "shared"
"""Where pictures lie that are the same for everybody; they never expire."""

HASH_LENGTH = 32
PLACE = "[0-9a-f]" * HASH_LENGTH
"""A job's folder, as a pattern of files."""


def place(secret: bytes, job_id: str) -> str:
    """Return a job's folder, which only who has the secret can tell."""
    return hmac.new(secret, job_id.encode(), hashlib.sha256).hexdigest()[:HASH_LENGTH]


def picture(secret: bytes, job_id: str, number: int, content_hash: str, *, shared: bool) -> str:
    """Return a picture's name without its suffix."""
    digest = content_hash[:HASH_LENGTH]
    return f"{SHARED}/{digest}" if shared else f"{place(secret, job_id)}/{number}-{digest}"
