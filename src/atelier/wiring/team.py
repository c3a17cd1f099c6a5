"""Who draws and who writes: each provider alone, its keys as one, and all in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from atelier.jobs.ports import Clock
from atelier.pipelines.ordering import ImageSource, Source
from atelier.pipelines.pictures import IN_ORDER, POOL
from atelier.pipelines.ports import AskedT, GeneratedImage, ImageRequest, MadeT, Offer, OfferT, Provider
from atelier.pipelines.texts import GeneratedText, TextOffer, TextRequest, TextSource
from atelier.providers import health, rests
from atelier.providers.budgets import Budgets
from atelier.providers.chain import FirstThatWorks
from atelier.providers.health import HealthBook, Observed
from atelier.providers.listed import Listed, PoolOfStyle
from atelier.providers.pool import Key, KeyPool, Member
from atelier.providers.rests import Rests
from atelier.wiring.adapters import Adapters
from atelier.wiring.keys import DEFAULT
from atelier.wiring.vendors import DRAWING
from atelier.wiring.writers import WRITING

Painter = Listed[ImageRequest, GeneratedImage, Offer]
Writer = Listed[TextRequest, GeneratedText, TextOffer]


@dataclass(frozen=True, kw_only=True)
class Team:
    """Where pictures and texts come from, by the name a request uses, and the providers as they are listed, in their order."""

    sources: Mapping[str, ImageSource]
    listed: Mapping[str, Painter]
    pools: Mapping[str, PoolOfStyle]
    """Who draws the styles of storyboards, by the styles' names; `default` draws all others."""
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
    pools = _pools(images, adapters)
    return Team(
        sources={**images.sources_in_order(), **{f"{POOL}{name}": pool.source for name, pool in pools.items()}},
        listed=images.listed,
        pools=pools,
        texts=texts.sources_in_order(),
        writers=texts.listed,
    )


def _pools(images: _Crew[ImageRequest, GeneratedImage, Offer], adapters: Adapters) -> dict[str, PoolOfStyle]:
    """Make each pool draw the style of its name. Without a default the first provider draws what has none.

    Storyboards have days: they wait for a provider that does not answer.
    """
    pools = {name: images.pooled(keys) for name, keys in adapters.pool_keys.items()}
    first = next(iter(adapters.image_providers))
    if DEFAULT not in pools and first in images.pools:
        pools[DEFAULT] = images.pools[first]
    found = {name: PoolOfStyle(name, images.alone(pool, patient=True), pool) for name, pool in pools.items()}
    return {DEFAULT: PoolOfStyle(DEFAULT, images.sources[first], None), **found}


class _Crew(Generic[AskedT, MadeT, OfferT]):
    """Those who make the same kind of thing, and what is remembered of them in the store."""

    def __init__(self, adapters: Adapters, budgets: Budgets, now: Clock, *, prefix: str) -> None:
        self._book = HealthBook(adapters.store, now, kind=prefix + health.KIND)
        self._rests = Rests(adapters.store, now, kind=prefix + rests.KIND)
        self._budgets, self._now = budgets, now
        self.sources: dict[str, Source[AskedT, MadeT, OfferT]] = {}
        self.pools: dict[str, KeyPool[AskedT, MadeT, OfferT]] = {}
        self.listed: dict[str, Listed[AskedT, MadeT, OfferT]] = {}

    def add(
        self, name: str, provider: Provider[AskedT, MadeT, OfferT], keys: tuple[Key[AskedT, MadeT, OfferT], ...]
    ) -> None:
        """Take one in, with its keys where it has several or a budget."""
        if keys:
            self.pools[name] = self.pooled(keys)
            self.sources[name] = self.alone(self.pools[name], patient=False)
        else:
            self.sources[name] = Observed(provider, self._book)
        self.listed[name] = Listed(self.sources[name], self._book, self.pools.get(name))

    def pooled(self, keys: tuple[Key[AskedT, MadeT, OfferT], ...]) -> KeyPool[AskedT, MadeT, OfferT]:
        """Return several keys of a provider as one source."""
        members = [Member(key=key, source=Observed(key.provider, self._book, key=key.alias)) for key in keys]
        return KeyPool(members=members, budgets=self._budgets, rests=self._rests, now=self._now)

    def alone(self, pool: KeyPool[AskedT, MadeT, OfferT], *, patient: bool) -> Source[AskedT, MadeT, OfferT]:
        """Return a pool as a source that is left alone where it does not answer; `patient`: and waited for."""
        return FirstThatWorks(pool.name, [pool], rests=self._rests, now=self._now, patient=patient)

    def sources_in_order(self) -> dict[str, Source[AskedT, MadeT, OfferT]]:
        """Return each under its name, and where there are several, the first that works."""
        if len(self.sources) < 2:  # noqa: PLR2004 - several
            return self.sources
        chain = FirstThatWorks(IN_ORDER, list(self.sources.values()), rests=self._rests, now=self._now)
        return {**self.sources, IN_ORDER: chain}
