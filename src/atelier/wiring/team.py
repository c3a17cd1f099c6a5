"""Who draws and who writes: each provider alone, its keys as one, and all in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from atelier.jobs.ports import Clock
from atelier.pipelines.ordering import ImageSource, Source
from atelier.pipelines.pictures import IN_ORDER
from atelier.pipelines.ports import AskedT, GeneratedImage, ImageRequest, MadeT, Offer, OfferT, Provider
from atelier.pipelines.texts import GeneratedText, TextOffer, TextRequest, TextSource
from atelier.providers import health, rests
from atelier.providers.budgets import Budgets
from atelier.providers.chain import FirstThatWorks
from atelier.providers.health import HealthBook, Observed
from atelier.providers.listed import Listed
from atelier.providers.pool import Key, KeyPool, Member
from atelier.providers.rests import Rests
from atelier.wiring.adapters import Adapters
from atelier.wiring.vendors import DRAWING
from atelier.wiring.writers import WRITING

Painter = Listed[ImageRequest, GeneratedImage, Offer]
Writer = Listed[TextRequest, GeneratedText, TextOffer]


@dataclass(frozen=True, kw_only=True)
class Team:
    """Where pictures and texts come from, by the name a request uses, and the providers as they are listed, in their order."""

    sources: Mapping[str, ImageSource]
    listed: Mapping[str, Painter]
    texts: Mapping[str, TextSource]
    writers: Mapping[str, Writer]


def build_team(adapters: Adapters, now: Clock) -> Team:
    """Put pools and the order on top of the providers; what they share is in the store."""
    budgets = Budgets(adapters.store, now)
    images: _Crew[ImageRequest, GeneratedImage, Offer] = _Crew(adapters, budgets, now, prefix=DRAWING.prefix)
    texts: _Crew[TextRequest, GeneratedText, TextOffer] = _Crew(adapters, budgets, now, prefix=WRITING.prefix)
    for name, painter in adapters.image_providers.items():
        images.add(name, painter, adapters.image_keys.get(name, ()))
    for name, writer in adapters.text_providers.items():
        texts.add(name, writer, adapters.text_keys.get(name, ()))
    return Team(
        sources=images.sources_in_order(),
        listed=images.listed,
        texts=texts.sources_in_order(),
        writers=texts.listed,
    )


class _Crew(Generic[AskedT, MadeT, OfferT]):
    """Those who make the same kind of thing, and what is remembered of them in the store."""

    def __init__(self, adapters: Adapters, budgets: Budgets, now: Clock, *, prefix: str) -> None:
        self._book = HealthBook(adapters.store, now, kind=prefix + health.KIND)
        self._rests = Rests(adapters.store, now, kind=prefix + rests.KIND)
        self._budgets, self._now = budgets, now
        self._sources: dict[str, Source[AskedT, MadeT, OfferT]] = {}
        self.listed: dict[str, Listed[AskedT, MadeT, OfferT]] = {}

    def add(
        self, name: str, provider: Provider[AskedT, MadeT, OfferT], keys: tuple[Key[AskedT, MadeT, OfferT], ...]
    ) -> None:
        """Take one in, with its keys where it has several or a budget."""
        pool: KeyPool[AskedT, MadeT, OfferT] | None = None
        if keys:
            members = [Member(key=key, source=Observed(key.provider, self._book, key=key.alias)) for key in keys]
            pool = KeyPool(members=members, budgets=self._budgets, rests=self._rests, now=self._now)
            self._sources[name] = FirstThatWorks(name, [pool], rests=self._rests, now=self._now)
        else:
            self._sources[name] = Observed(provider, self._book)
        self.listed[name] = Listed(self._sources[name], self._book, pool)

    def sources_in_order(self) -> dict[str, Source[AskedT, MadeT, OfferT]]:
        """Return each under its name, and where there are several, the first that works."""
        if len(self._sources) < 2:  # noqa: PLR2004 - several
            return self._sources
        chain = FirstThatWorks(IN_ORDER, list(self._sources.values()), rests=self._rests, now=self._now)
        return {**self._sources, IN_ORDER: chain}
