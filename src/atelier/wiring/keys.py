"""Each provider's keys with their budgets: those of its pool, or the one key it has."""

from __future__ import annotations

from datetime import timedelta

from atelier.errors import StartRefused
from atelier.jobs.ports import Clock
from atelier.pipelines.keyring import OWN, OwnKey
from atelier.pipelines.ports import AskedT, MadeT, OfferT, Provider
from atelier.providers.pool import Key, fingerprint
from atelier.providers.rings import Allowance
from atelier.settings import PREFIX, Settings
from atelier.settings.pools import PoolSettings, contradictions
from atelier.wiring.crafts import Craft
from atelier.wiring.vendors import DRAWING
from atelier.wiring.writers import WRITING

DEFAULT = "default"
ONLY = "key"
"""The alias of a key that is the only one."""

WINDOWS = {"stability_ai": (150, timedelta(seconds=10))}
"""Limits that vendors do not count by the minute."""

MINUTE = timedelta(minutes=1)


def keys_of(
    craft: Craft[AskedT, MadeT, OfferT], names: tuple[str, ...], settings: Settings, now: Clock
) -> dict[str, tuple[Key[AskedT, MadeT, OfferT], ...]]:
    """Make the vendors of these names with each of their keys. Raises StartRefused with a sentence for what is wrong."""
    craft.check(names, settings)
    return {name: _keys(craft, name, settings, now) for name in names if name not in craft.keyless}


def pool_keys_of(
    craft: Craft[AskedT, MadeT, OfferT], settings: Settings, now: Clock
) -> dict[str, tuple[Key[AskedT, MadeT, OfferT], ...]]:
    """Make the keys of every pool of this craft, by the pools' names."""
    pools = {name: pool for name, pool in settings.pools.items() if pool.provider in craft.rows}
    return {name: _pooled(craft, pool, settings, now) for name, pool in pools.items()}


def check_pools(settings: Settings) -> None:
    """Raise StartRefused with a sentence for everything that is wrong with the pools."""
    known = everybody()
    wrong = contradictions(settings.pools)
    wrong += [
        f"{name} names the provider {pool.provider}; pools are of {', '.join(known)}."
        for name, pool in settings.pools.items()
        if pool.provider not in known
    ]
    wrong += [
        f"{OWN} is what owners' own keys are called; the key of {name} needs another alias."
        for name, pool in settings.pools.items()
        if any(key.alias == OWN for key in pool.keys)
    ]
    if wrong:
        raise StartRefused("\n".join(f"{PREFIX}POOLS: {sentence}" for sentence in wrong))


def everybody() -> tuple[str, ...]:
    """Return every vendor there is a row for."""
    return tuple(dict.fromkeys((*DRAWING.rows, *WRITING.rows)))


def pool_of(name: str, settings: Settings) -> PoolSettings | None:
    """Return a provider's pool: the one named default, else the first; none, and its single key is used."""
    own = {pool: found for pool, found in settings.pools.items() if found.provider == name}
    return own.get(DEFAULT) or next(iter(own.values()), None)


def _keys(
    craft: Craft[AskedT, MadeT, OfferT], name: str, settings: Settings, now: Clock
) -> tuple[Key[AskedT, MadeT, OfferT], ...]:
    pool = pool_of(name, settings)
    if pool is not None:
        return _pooled(craft, pool, settings, now)
    return (_key(craft, name, settings, now, given=(ONLY, craft.key_of(name, settings), None), rpm=None),)


def _pooled(
    craft: Craft[AskedT, MadeT, OfferT], pool: PoolSettings, settings: Settings, now: Clock
) -> tuple[Key[AskedT, MadeT, OfferT], ...]:
    given = [(key.alias, key.key.get_secret_value(), key.bucket) for key in pool.keys]
    return tuple(_key(craft, pool.provider, settings, now, given=each, rpm=pool.rpm) for each in given)


def _key(
    craft: Craft[AskedT, MadeT, OfferT],
    name: str,
    settings: Settings,
    now: Clock,
    *,
    given: tuple[str, str, str | None],
    rpm: int | None,
) -> Key[AskedT, MadeT, OfferT]:
    alias, text, bucket = given
    return _limited(craft, craft.rows[name](settings, text, now), alias, fingerprint(text), bucket=bucket, rpm=rpm)


def own_key(
    craft: Craft[AskedT, MadeT, OfferT], name: str, settings: Settings, now: Clock, own: OwnKey
) -> Key[AskedT, MadeT, OfferT]:
    """Make a vendor with an owner's own key. What the store remembers of it has the key's id, nothing made of its text."""
    return _limited(craft, craft.rows[name](settings, own.text, now), OWN, f"own-{own.id}", bucket=None, rpm=None)


def _limited(
    craft: Craft[AskedT, MadeT, OfferT],
    provider: Provider[AskedT, MadeT, OfferT],
    alias: str,
    known_as: str,
    *,
    bucket: str | None,
    rpm: int | None,
) -> Key[AskedT, MadeT, OfferT]:
    name = provider.name
    starts, per = WINDOWS.get(name, (provider.offer.per_minute, MINUTE)) if rpm is None else (rpm, MINUTE)
    quota = f"{craft.prefix}{name}-{bucket or known_as}"
    allowance = Allowance(bucket=quota, starts=starts, per=per) if starts is not None else None
    return Key(alias=alias, fingerprint=known_as, bucket=bucket, quota=quota, allowance=allowance, provider=provider)
