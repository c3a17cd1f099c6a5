"""Who draws: each provider alone, its keys as one, and all in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from atelier.jobs.ports import Clock
from atelier.pipelines.ordering import ImageSource
from atelier.pipelines.pictures import IN_ORDER
from atelier.providers.budgets import Budgets
from atelier.providers.chain import FirstThatWorks
from atelier.providers.health import HealthBook, Observed
from atelier.providers.listed import Listed
from atelier.providers.pool import Key, KeyPool, Member
from atelier.providers.rests import Rests
from atelier.wiring.adapters import Adapters


@dataclass(frozen=True, kw_only=True)
class Team:
    """Where pictures come from, by the name a request uses, and the providers as they are listed, in their order."""

    sources: Mapping[str, ImageSource]
    listed: Mapping[str, Listed]


def build_team(adapters: Adapters, now: Clock) -> Team:
    """Put pools and the order on top of the providers; what they share is in the store."""
    book, rests = HealthBook(adapters.store, now), Rests(adapters.store, now)
    budgets = Budgets(adapters.store, now)
    sources: dict[str, ImageSource] = {}
    listed: dict[str, Listed] = {}
    for name, provider in adapters.image_providers.items():
        keys, pool = adapters.image_keys.get(name, ()), None
        if keys:
            pool = KeyPool(members=[_member(key, book) for key in keys], budgets=budgets, rests=rests, now=now)
            sources[name] = FirstThatWorks(name, [pool], rests=rests, now=now)
        else:
            sources[name] = Observed(provider, book)
        listed[name] = Listed(sources[name], book, pool)
    if len(sources) > 1:
        sources[IN_ORDER] = FirstThatWorks(IN_ORDER, list(sources.values()), rests=rests, now=now)
    return Team(sources=sources, listed=listed)


def _member(key: Key, book: HealthBook) -> Member:
    source = Observed(key.provider, book, key=key.alias)
    return Member(key=key, source=source)
