"""The keys of vendors that owners bring, encrypted: a document for each owner, and one that tells whether ours open them."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from atelier import logs
from atelier.errors import OwnKeysOff, StartRefused, StoreUnavailable
from atelier.frozen import frozen
from atelier.jobs.models import Json
from atelier.jobs.ports import Document, Documents
from atelier.pipelines.keyring import OwnKey

KIND = "owner_keys"
CHECK_KIND, CHECK = "owner_keys_check", "check"
"""The document that was encrypted before any key was: who cannot read it cannot read them."""

TRIES = 20
"""So often a document is written anew that somebody else was faster with."""

LONGEST_PAUSE = 0.2
CACHE_SECONDS = 3.0
"""How long what an owner has is believed without asking the store: a key that was removed is used nowhere after that."""

CACHE_SIZE = 1000

OFF = "This service keeps no provider keys of its callers: whoever runs it has to set ATELIER_ENCRYPTION_KEYS first."
OTHER_KEYS = "Provider keys cannot be kept now: another process of this service encrypts them with other keys."
STRANGE = (
    "ATELIER_ENCRYPTION_KEYS does not open the provider keys that owners have brought. Put the key back that they were"
    " encrypted with, behind a new one if there is one; a key that was made by itself is in encryption.key in the data"
    " directory. Where it is lost, `main.py keys rotate --forget-unreadable` removes what nobody can read. Nothing was"
    " changed."
)


@frozen
class Rotated:
    """What a rotation did: keys that the first encryption key opens now, and keys that none of them opens."""

    keys: int
    unreadable: int


@frozen
class _Believed:
    """What an owner has, still encrypted, until a moment of the monotonic clock."""

    sealed: Mapping[str, str]
    until: float


class OwnerKeys:
    """`pipelines.keyring.Keyring` over the store's documents. `encryption`: Fernet keys, the first encrypts, all decrypt.

    What is encrypted says whose key it is and of which vendor: one that is found elsewhere is not used. Keys are decrypted
    where they are asked for, and not remembered.
    """

    def __init__(
        self, documents: Documents, encryption: Sequence[str], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._documents, self._monotonic = documents, monotonic
        self._fernet = MultiFernet([Fernet(key) for key in encryption]) if encryption else None
        self._cache: dict[str, _Believed] = {}

    @property
    def ready(self) -> bool:
        """Whether there is something to encrypt with."""
        return self._fernet is not None

    async def check(self) -> None:
        """Raise StartRefused where keys were kept that ours do not open. Changes nothing."""
        found = await self._documents.document(CHECK_KIND, CHECK)
        if found is not None and self._opened(found.body["sealed"]) is None:
            raise StartRefused(STRANGE)

    async def key(self, owner: str, vendor: str) -> OwnKey | None:
        """Return an owner's key of a vendor, as it was at most CACHE_SECONDS ago."""
        sealed = (await self._believed(owner)).get(vendor)
        return self._key(sealed, owner, vendor) if sealed is not None else None

    async def vendors(self, owner: str) -> frozenset[str]:
        """Return of which vendors an owner has a key that can be read, as it was at most CACHE_SECONDS ago."""
        return self._readable(owner, await self._believed(owner))

    async def change(self, owner: str, keys: Mapping[str, str | None]) -> frozenset[str]:
        """Keep keys, None removes one. What the owner has besides is encrypted with the first encryption key, too."""
        if any(text is not None for text in keys.values()):
            await self._be_the_same()

        def changed(sealed: Mapping[str, str]) -> dict[str, str]:
            left = {vendor: self._again(old) for vendor, old in sealed.items() if vendor not in keys}
            fresh = {vendor: self._seal(owner, vendor, text) for vendor, text in keys.items() if text is not None}
            return {**left, **fresh}

        found = await self._documents.document(KIND, owner)
        kept = await self._rewritten(owner, found, changed)
        return self._readable(owner, kept)

    async def forget(self, owner: str) -> None:
        """Remove all keys of an owner, those that cannot be read too."""
        await self._documents.drop(KIND, owner)
        self._cache.pop(owner, None)

    async def rotate(self, *, forget_unreadable: bool) -> Rotated:
        """Encrypt everything with the first encryption key. Unreadable keys stay as they are, or are forgotten.

        Raises OwnKeysOff without encryption keys, and StartRefused where ours are not the ones and nothing is to be
        forgotten. Several may do it at once, and owners bring keys meanwhile.
        """
        if not self.ready:
            raise OwnKeysOff(OFF)
        if not forget_unreadable:
            await self.check()
        done, lost, after = 0, 0, ""
        while page := await self._documents.documents(KIND, after=after):
            for found in page:
                readable = self._readable(found.name, _sealed(found))
                done, lost = done + len(readable), lost + len(_sealed(found)) - len(readable)
                turned = partial(self._turned, owner=found.name, forget_unreadable=forget_unreadable)
                await self._rewritten(found.name, found, turned)
            after = page[-1].name
        if not lost or forget_unreadable:
            await self._be_the_same(anew=True)
        return Rotated(keys=done, unreadable=lost)

    def _turned(self, sealed: Mapping[str, str], *, owner: str, forget_unreadable: bool) -> dict[str, str]:
        kept = self._readable(owner, sealed) if forget_unreadable else sealed
        return {vendor: self._again(old) for vendor, old in sealed.items() if vendor in kept}

    async def _rewritten(
        self, owner: str, found: Document | None, changed: Callable[[Mapping[str, str]], dict[str, str]]
    ) -> dict[str, str]:
        """Write an owner's document over the revision it was read at, again where somebody else was faster."""
        for tries in range(TRIES):
            sealed = changed(_sealed(found))
            if sealed == _sealed(found):
                return sealed
            rev = found.rev if found is not None else 0
            self._cache.pop(owner, None)
            if await self._documents.put(KIND, owner, {"keys": sealed}, if_rev=rev) is not None:
                self._cache.pop(owner, None)  # somebody may have read the old one meanwhile
                return sealed
            await asyncio.sleep(min(LONGEST_PAUSE, 0.01 * tries))
            found = await self._documents.document(KIND, owner)
        raise StoreUnavailable("The keys are being changed by too many at the same time.")

    async def _be_the_same(self, *, anew: bool = False) -> None:
        """See that what is encrypted now can be read by whoever encrypted before. Raises OwnKeysOff."""
        body: Json = {"sealed": self._sealed_text({"check": secrets.token_hex(8)})}
        found = await self._documents.document(CHECK_KIND, CHECK)
        if found is None or anew:
            rev = found.rev if found is not None else 0
            if await self._documents.put(CHECK_KIND, CHECK, body, if_rev=rev) is not None:
                return
            found = await self._documents.document(CHECK_KIND, CHECK)
        if found is None or self._opened(found.body["sealed"]) is None:
            raise OwnKeysOff(OTHER_KEYS)

    async def _believed(self, owner: str) -> Mapping[str, str]:
        believed, now = self._cache.get(owner), self._monotonic()
        if believed is not None and believed.until > now:
            return believed.sealed
        self._cache.pop(owner, None)
        mark = _Believed(sealed={}, until=now)  # a change while the store is read takes it away
        self._remember(owner, mark)
        sealed = _sealed(await self._documents.document(KIND, owner))
        if self._cache.get(owner) is mark:
            self._remember(owner, _Believed(sealed=sealed, until=now + CACHE_SECONDS))
        return sealed

    def _remember(self, owner: str, believed: _Believed) -> None:
        if owner not in self._cache and len(self._cache) >= CACHE_SIZE:
            del self._cache[next(iter(self._cache))]
        self._cache[owner] = believed

    def _readable(self, owner: str, sealed: Mapping[str, str]) -> frozenset[str]:
        return frozenset(vendor for vendor, text in sealed.items() if self._key(text, owner, vendor) is not None)

    def _key(self, sealed: str, owner: str, vendor: str) -> OwnKey | None:
        found = self._opened(sealed)
        if found is None or (found.get("owner"), found.get("vendor")) != (owner, vendor):
            logs.error("own_key_unreadable", vendor=vendor)
            return None
        return OwnKey(id=found["id"], text=found["key"])

    def _seal(self, owner: str, vendor: str, text: str) -> str:
        return self._sealed_text({"owner": owner, "vendor": vendor, "id": secrets.token_hex(8), "key": text})

    def _sealed_text(self, said: Json) -> str:
        if self._fernet is None:
            raise OwnKeysOff(OFF)
        return self._fernet.encrypt(json.dumps(said).encode()).decode()

    def _opened(self, sealed: str) -> Json | None:
        """Return what was encrypted; None where none of our keys opens it."""
        try:
            said = self._fernet.decrypt(sealed) if self._fernet is not None else None
        except InvalidToken:
            return None
        found: Json | None = json.loads(said) if said is not None else None
        return found

    def _again(self, sealed: str) -> str:
        """Encrypt with the first key what any of ours opens; anything else stays as it is."""
        try:
            return self._fernet.rotate(sealed).decode() if self._fernet is not None else sealed
        except InvalidToken:
            return sealed


def _sealed(found: Document | None) -> dict[str, str]:
    return dict(found.body["keys"]) if found is not None else {}
