"""Callers' keys: made once and shown once, kept hashed as documents, checked in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable

from atelier.errors import InvalidInput, StoreUnavailable, Unauthorized
from atelier.frozen import frozen
from atelier.jobs.ports import Clock, Documents

KIND = "key"
LOCAL = "local"
"""The one owner of open mode."""

ANONYMOUS = "anonymous"
"""The owner of requests without a key, where those are allowed."""

RESERVED = frozenset({LOCAL, ANONYMOUS})

CACHE_SECONDS = 3.0
"""How long a key that was found is believed without asking the store: a revocation holds everywhere after that."""

CACHE_SIZE = 1000

_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_ID = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(r"atelier_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")


@frozen
class Key:
    """What is known of a key; the key itself is not."""

    id: str
    owner: str
    created_at: str


@frozen
class Believed:
    """A key's digest and owner as the store had them, until a moment of the monotonic clock."""

    digest: str
    owner: str
    until: float


class Keys:
    """The keys of a store. A key is 256 random bits behind its id, by which one read finds it."""

    def __init__(self, documents: Documents, now: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._documents, self._now, self._monotonic = documents, now, monotonic
        self._cache: dict[str, Believed] = {}

    async def create(self, owner: str) -> str:
        """Make a key for an owner and return it; it cannot be shown again. Raises InvalidInput for a bad name."""
        if not _OWNER.fullmatch(owner):
            raise InvalidInput(
                "An owner's name is 1 to 64 letters, digits, dots, underscores, @ and hyphens and begins with a letter"
                " or digit.",
                loc=("owner",),
            )
        if owner.lower() in RESERVED:
            raise InvalidInput(f"The names {' and '.join(sorted(RESERVED))} are the service's own.", loc=("owner",))
        key_id = secrets.token_hex(8)
        key = f"atelier_{key_id}_{secrets.token_urlsafe(32)}"
        body = {"owner": owner, "digest": _digest(key), "created_at": self._now().isoformat(timespec="seconds")}
        if await self._documents.put(KIND, key_id, body, if_rev=0) is None:
            raise StoreUnavailable("The key could not be kept; try again.")
        return key

    async def listed(self) -> AsyncIterator[Key]:
        """Yield every key, in order of their ids."""
        after = ""
        while page := await self._documents.documents(KIND, after=after):
            for document in page:
                body = document.body
                yield Key(id=document.name, owner=body["owner"], created_at=body["created_at"])
            after = page[-1].name

    async def revoke(self, key_id: str) -> bool:
        """Remove a key; whether there was one. It is refused here at once, elsewhere after CACHE_SECONDS."""
        if not _ID.fullmatch(key_id):
            return False
        found = await self._documents.document(KIND, key_id)
        await self._documents.drop(KIND, key_id)
        self._cache.pop(key_id, None)
        return found is not None

    async def owner_of(self, authorization: str) -> str:
        """Return whose key an Authorization header holds. Raises Unauthorized, always with the same sentence."""
        scheme, _, key = authorization.partition(" ")
        found = _KEY.fullmatch(key.strip())
        if scheme.lower() != "bearer" or found is None:
            raise refused()
        believed = await self._look_up(found.group(1))
        if believed is None or not hmac.compare_digest(believed.digest, _digest(found.group())):
            raise refused()
        return believed.owner

    async def _look_up(self, key_id: str) -> Believed | None:
        believed, now = self._cache.get(key_id), self._monotonic()
        if believed is not None and believed.until > now:
            return believed
        self._cache.pop(key_id, None)
        document = await self._documents.document(KIND, key_id)
        if document is None:
            return None
        believed = Believed(digest=document.body["digest"], owner=document.body["owner"], until=now + CACHE_SECONDS)
        if len(self._cache) >= CACHE_SIZE:
            del self._cache[next(iter(self._cache))]
        self._cache[key_id] = believed
        return believed


def refused() -> Unauthorized:
    """Return the error of every request whose key is missing, malformed, unknown or revoked."""
    return Unauthorized("This needs a valid API key in the header Authorization: Bearer <key>.")


def _digest(key: str) -> str:
    """Return the key's SHA-256: a key has 256 random bits, there is nothing to guess and nothing to slow down."""
    return hashlib.sha256(key.encode()).hexdigest()
