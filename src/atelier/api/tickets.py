"""Tickets: signed, read-only tokens for one thing, for clients that cannot send headers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, Field

from atelier.api.wire import stamp
from atelier.errors import Unauthorized
from atelier.frozen import frozen
from atelier.jobs.ports import Clock

BEYOND = timedelta(minutes=10)
"""How long a ticket holds after its thing must have ended."""

LONGEST = 1000
"""Characters of a token that can be ours, and far more."""

THINGS = {"job_id": "job", "batch_id": "group", "storyboard_id": "group", "task_id": "task", "story_id": "job"}
"""Which parameter of an address names which kind of thing: a ticket for `job:X` admits where `job_id` is X."""


class TicketView(BaseModel):
    """A ticket and when it ends (RFC 3339, UTC)."""

    ticket: str = Field(description="Goes behind `?ticket=` in the address it is for.")
    expires_at: str


@frozen
class Ticket:
    """What a token says: the thing it shows, and on whose behalf."""

    thing: str
    owner: str


class Tickets:
    """Signs and reads tickets with a key of their own, derived from the service's secret. Nothing is stored."""

    def __init__(self, secret: bytes, now: Clock) -> None:
        self._key, self._now = hmac.digest(secret, b"atelier tickets", hashlib.sha256), now

    def issue(self, ticket: Ticket, must_finish_by: datetime) -> TicketView:
        """Return the token, good until ten minutes after its thing must have ended; after now where it has."""
        until = max(must_finish_by, self._now()) + BEYOND
        expires_at = int(until.timestamp())
        said = f"{expires_at}|{ticket.thing}|{ticket.owner}".encode()
        token = f"{_text(said)}.{_text(self._signature(said))}"
        return TicketView(ticket=token, expires_at=stamp(datetime.fromtimestamp(expires_at, UTC)))

    def owner_of(self, token: str, thing: str) -> str:
        """Return on whose behalf a token shows `thing`.

        Raises Unauthorized for one that is not ours, was changed, has ended, or is for something else.
        """
        try:
            said, signature = (_bytes(part) for part in token[:LONGEST].split("."))
        except ValueError as error:
            raise _refused() from error
        if not hmac.compare_digest(signature, self._signature(said)):
            raise _refused()
        expires_at, shown, owner = said.decode().split("|", 2)
        if shown != thing or int(expires_at) <= self._now().timestamp():
            raise _refused()
        return owner

    def _signature(self, said: bytes) -> bytes:
        return hmac.digest(self._key, said, hashlib.sha256)


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Return what `_text` was given. Raises ValueError for anything it never returns."""
    try:
        value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error
    if _text(value) != text:
        raise ValueError(text)
    return value


def _refused() -> Unauthorized:
    return Unauthorized("This ticket is not valid here, or not any more; ask for a new one.")
