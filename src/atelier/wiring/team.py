"""Who draws and who writes: each provider alone, its keys as one, owners' own keys before them, and all in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from atelier.jobs.ports import Clock
from atelier.pipelines.ordering import ImageSource, Source
from atelier.pipelines.pictures import IN_ORDER, POOL, STORY_ORDER
from atelier.pipelines.ports import AskedT, GeneratedImage, ImageRequest, MadeT, Offer, OfferT, Provider
from atelier.pipelines.texts import GeneratedText, TextOffer, TextRequest, TextSource
from atelier.providers import health, rests
from atelier.providers.breaker import Breaker
from atelier.providers.budgets import Budgets
from atelier.providers.chain import FirstThatWorks
from atelier.providers.health import HealthBook, Observed
from atelier.providers.listed import Listed, PoolOfStyle
from atelier.providers.pool import Key, KeyPool, Member
from atelier.providers.rests import Rests
from atelier.wiring.adapters import Adapters
from atelier.wiring.crafts import Craft
from atelier.wiring.keys import DEFAULT
from atelier.wiring.own import OwnVendors
from atelier.wiring.vendors import DRAWING
from atelier.wiring.writers import WRITING

Painter = Listed[ImageRequest, GeneratedImage, Offer]
Writer = Listed[TextRequest, GeneratedText, TextOffer]


@dataclass(frozen=True, kw_only=True)
class Brought:
    """Who works only for owners who have brought a key, and for them goes before the others."""

    painters: Mapping[str, ImageSource]
    writers: Mapping[str, TextSource]


@dataclass(frozen=True, kw_only=True)
class Team:
    """Where pictures and texts come from, by the name a request uses, and the providers as they are listed, in their order."""

    sources: Mapping[str, ImageSource]
    listed: Mapping[str, Painter]
    pools: Mapping[str, PoolOfStyle]
    """Who draws the styles of storyboards, by the styles' names; `default` draws all others."""
    texts: Mapping[str, TextSource]
    writers: Mapping[str, Writer]
    brought: Brought
    illustrators: Mapping[str, ImageSource]
    """Those who draw stories' pictures and nothing else."""
    illustrating: Mapping[str, bool]
    """Who draws stories' pictures, in order, and whether for everybody or for owners with a key of their own."""


def build_team(adapters: Adapters, own: OwnVendors, now: Clock) -> Team:
    """Put pools, owners' own keys and the order on top of the providers; what they share is in the store."""
    budgets = Budgets(adapters.store, now)
    images, texts = _Crew(DRAWING, adapters, budgets, own, now), _Crew(WRITING, adapters, budgets, own, now)
    for name, painter in adapters.image_providers.items():
        images.add(name, painter, adapters.image_keys.get(name, ()))
    for name, writer in adapters.text_providers.items():
        texts.add(name, writer, adapters.text_keys.get(name, ()))
    brought = Brought(painters=images.brought(), writers=texts.brought())
    pools = _pools(images, adapters, brought)
    illustrators = {
        name: images.source(painter, adapters.image_keys.get(name, ()))
        for name, painter in adapters.story_painters.items()
    }
    known = {**brought.painters, **illustrators, **images.sources}
    order = [known[name] for name in adapters.story_order if name in known]
    stories = {STORY_ORDER: FirstThatWorks(STORY_ORDER, order, clock=now)} if order else {}
    return Team(
        sources={
            **illustrators,
            **stories,
            **images.sources_in_order(brought.painters),
            **{f"{POOL}{name}": pool.source for name, pool in pools.items()},
        },
        listed=images.listed,
        pools=pools,
        texts=texts.sources_in_order(brought.writers),
        writers=texts.listed,
        brought=brought,
        illustrators=illustrators,
        illustrating={each.name: each.name in illustrators or each.name in images.sources for each in order},
    )


def _pools(
    images: _Crew[ImageRequest, GeneratedImage, Offer], adapters: Adapters, brought: Brought
) -> dict[str, PoolOfStyle]:
    """Make each pool draw the style of its name. Without a default the first provider draws what has none.

    Where the service has no provider, that is the first for whom owners bring keys.

    Storyboards have days: they wait for a provider that does not answer.
    """
    pools = {name: images.pooled(keys) for name, keys in adapters.pool_keys.items()}
    everybody = {**images.sources, **brought.painters}
    first = next(iter(everybody))
    if DEFAULT not in pools and first in images.pools:
        pools[DEFAULT] = images.pools[first]
    found = {name: PoolOfStyle(name, images.alone(pool, patient=True), pool) for name, pool in pools.items()}
    return {DEFAULT: PoolOfStyle(DEFAULT, everybody[first], None), **found}


class _Crew(Generic[AskedT, MadeT, OfferT]):
    """Those who make the same kind of thing, and what is remembered of them in the store."""

    def __init__(
        self, craft: Craft[AskedT, MadeT, OfferT], adapters: Adapters, budgets: Budgets, own: OwnVendors, now: Clock
    ) -> None:
        self._book = HealthBook(adapters.store, now, kind=craft.prefix + health.KIND)
        self._rests = Rests(adapters.store, now, kind=craft.prefix + rests.KIND)
        self._craft, self._budgets, self._own, self._now = craft, budgets, own, now
        self._line: list[Source[AskedT, MadeT, OfferT]] = []
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
            self._line.append(self.sources[name])
        else:
            self.sources[name] = Observed(provider, self._book)
            self._line.append(self._guarded(self.sources[name], patient=False))
        self.listed[name] = Listed(self.sources[name], self._book, self.pools.get(name))

    def pooled(self, keys: tuple[Key[AskedT, MadeT, OfferT], ...]) -> KeyPool[AskedT, MadeT, OfferT]:
        """Return several keys of a provider as one source."""
        members = [Member(key=key, source=Observed(key.provider, self._book, key=key.alias)) for key in keys]
        return KeyPool(members=members, budgets=self._budgets, rests=self._rests, now=self._now)

    def alone(self, pool: KeyPool[AskedT, MadeT, OfferT], *, patient: bool) -> Source[AskedT, MadeT, OfferT]:
        """Return a pool as a source that is left alone where it does not answer; `patient`: and waited for.

        Before it go owners' own keys, where they may be brought.
        """
        guarded = self._guarded(pool, patient=patient)
        if pool.name not in self._own.of(self._craft):
            return guarded
        return self._own.before(self._craft, pool.name, guarded, patient=patient)

    def source(
        self, provider: Provider[AskedT, MadeT, OfferT], keys: tuple[Key[AskedT, MadeT, OfferT], ...]
    ) -> Source[AskedT, MadeT, OfferT]:
        """Return one who is not listed, and stands in no order by being there."""
        return self.alone(self.pooled(keys), patient=False) if keys else Observed(provider, self._book)

    def brought(self) -> dict[str, Source[AskedT, MadeT, OfferT]]:
        """Return those who work with owners' own keys only."""
        names = (name for name in self._own.of(self._craft) if name not in self.listed)
        return {name: self._own.before(self._craft, name, None, patient=False) for name in names}

    def sources_in_order(
        self, brought: Mapping[str, Source[AskedT, MadeT, OfferT]]
    ) -> dict[str, Source[AskedT, MadeT, OfferT]]:
        """Return each under its name, and where there are several, the first that works: who needs an own key goes first."""
        everybody, line = {**self.sources, **brought}, [*brought.values(), *self._line]
        if not brought and len(line) < 2:  # noqa: PLR2004 - several
            return everybody
        return {**everybody, IN_ORDER: FirstThatWorks(IN_ORDER, line)}

    def _guarded(self, source: Source[AskedT, MadeT, OfferT], *, patient: bool) -> Breaker[AskedT, MadeT, OfferT]:
        return Breaker(source, rests=self._rests, now=self._now, patient=patient)
