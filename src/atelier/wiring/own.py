"""Which vendors owners may bring keys for, and what works with such a key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from atelier.errors import StartRefused
from atelier.jobs.ports import Clock, Documents
from atelier.pipelines.keyring import NOBODY_DRAWS, OwnKey
from atelier.pipelines.ordering import Source
from atelier.pipelines.ports import AskedT, MadeT, OfferT
from atelier.providers import rests
from atelier.providers.breaker import Breaker
from atelier.providers.budgets import Budgets
from atelier.providers.health import Observed
from atelier.providers.own_first import OwnFirst, OwnSources
from atelier.providers.pool import KeyPool, Member
from atelier.providers.rests import Rests
from atelier.settings import PREFIX, Settings
from atelier.stores.owner_keys import OwnerKeys
from atelier.wiring.crafts import Craft
from atelier.wiring.keys import everybody, own_key

ASKED_FOR = ("stable_horde", "hugging_face")
"""Whom an owner without a key is asked to bring one for."""


def check_brought(settings: Settings, encryption: tuple[str, ...]) -> None:
    """Raise StartRefused where owners may bring keys for somebody who does not exist, or nobody could ever draw."""
    known = everybody()
    for name in settings.brought:
        if name not in known:
            raise StartRefused(f"{PREFIX}OWN_KEYS: {name!r} is no vendor with keys; there are {', '.join(known)}.")
    if not settings.painters and not settings.brought:
        raise StartRefused(f"{PREFIX}IMAGE_PROVIDERS is none, and so is {PREFIX}OWN_KEYS: then nobody can draw.")
    if not settings.painters and not encryption:
        raise StartRefused(
            f"{PREFIX}IMAGE_PROVIDERS is none: for owners to bring keys, {PREFIX}ENCRYPTION_KEYS must be set."
        )


class OwnVendors:
    """Makes sources that ask with an owner's own key first, for those vendors that owners may bring keys for."""

    def __init__(self, settings: Settings, keyring: OwnerKeys, documents: Documents, now: Clock) -> None:
        self._settings, self._keyring, self._documents, self._now = settings, keyring, documents, now
        self._made: list[Callable[[], Awaitable[None]]] = []

    def of(self, craft: Craft[AskedT, MadeT, OfferT]) -> tuple[str, ...]:
        """Return those of a craft; none where keys cannot be encrypted."""
        return tuple(name for name in self._settings.brought if name in craft.rows) if self._keyring.ready else ()

    def before(
        self,
        craft: Craft[AskedT, MadeT, OfferT],
        name: str,
        service: Source[AskedT, MadeT, OfferT] | None,
        *,
        patient: bool,
    ) -> OwnFirst[AskedT, MadeT, OfferT]:
        """Put owners' own keys before the service's source, which may be missing. `patient`: who rests is waited for."""
        keyless = craft.rows[name](self._settings, "", self._now)  # says on what terms it works, and is never asked
        asked_for = craft.setting == "IMAGE_PROVIDERS" and name in ASKED_FOR
        own = OwnSources(name, self._keyring, partial(self._alone, craft, name, patient=patient))
        self._made.append(own.close)
        return OwnFirst(
            name=name,
            terms=keyless.terms,
            offer=keyless.offer,
            own=own,
            service=service,
            absent=NOBODY_DRAWS if asked_for else f"There is no key of {name}, neither your own nor the service's.",
        )

    async def close(self) -> None:
        """Let go of everything that works with own keys."""
        for close in self._made:
            await close()

    def _alone(
        self, craft: Craft[AskedT, MadeT, OfferT], name: str, own: OwnKey, *, patient: bool
    ) -> Source[AskedT, MadeT, OfferT]:
        """Return a vendor with one own key: its budget and its rests are that key's alone, its health is nobody's business."""
        key = own_key(craft, name, self._settings, self._now, own)
        resting = Rests(self._documents, self._now, kind=f"{craft.prefix}own-{rests.KIND}")
        pool = KeyPool(
            members=[Member(key=key, source=Observed(key.provider, None, key=key.alias))],
            budgets=Budgets(self._documents, self._now),
            rests=resting,
            now=self._now,
            alone=True,
        )
        known_as = f"{name}-{key.fingerprint}"
        return Breaker(pool, rests=resting, now=self._now, known_as=known_as, patient=patient)
