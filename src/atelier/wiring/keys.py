"""Each provider's keys with their budgets: those of its pool, or the one key it has."""

from __future__ import annotations

from datetime import timedelta

from atelier.errors import StartRefused
from atelier.jobs.ports import Clock
from atelier.pipelines.ports import ImageProvider
from atelier.providers.pool import ImageKey, Key, fingerprint
from atelier.providers.rings import Allowance
from atelier.providers.sandbox import Sandbox
from atelier.settings import PREFIX, Settings
from atelier.settings.pools import PoolKey, PoolSettings, contradictions
from atelier.wiring.vendors import VENDORS, check_name, key_of

DEFAULT = "default"
ONLY = "key"
"""The alias of a key that is the only one."""

WINDOWS = {"stability_ai": (150, timedelta(seconds=10))}
"""Limits that vendors do not count by the minute."""

MINUTE = timedelta(minutes=1)


def image_keys(settings: Settings, now: Clock) -> dict[str, tuple[ImageKey, ...]]:
    """Make the configured vendors with each of their keys. Raises StartRefused with a sentence for what is wrong."""
    _check(settings)
    for name in settings.image_providers:
        check_name(name)
    return {name: _keys(name, settings, now) for name in settings.image_providers if name != Sandbox.name}


def pool_of(name: str, settings: Settings) -> PoolSettings | None:
    """Return a provider's pool: the one named default, else the first; none, and its single key is used."""
    own = {pool: found for pool, found in settings.pools.items() if found.provider == name}
    return own.get(DEFAULT) or next(iter(own.values()), None)


def _keys(name: str, settings: Settings, now: Clock) -> tuple[ImageKey, ...]:
    pool = pool_of(name, settings)
    if pool is None:
        only = key_of(name, settings)
        return (_key(name, VENDORS[name](settings, only, now), alias=ONLY, key=only, bucket=None, rpm=None),)
    return tuple(_pooled(name, settings, now, pool, key) for key in pool.keys)


def _pooled(name: str, settings: Settings, now: Clock, pool: PoolSettings, key: PoolKey) -> ImageKey:
    text = key.key.get_secret_value()
    provider = VENDORS[name](settings, text, now)
    return _key(name, provider, alias=key.alias, key=text, bucket=key.bucket, rpm=pool.rpm)


def _key(name: str, provider: ImageProvider, *, alias: str, key: str, bucket: str | None, rpm: int | None) -> ImageKey:
    known_as = fingerprint(key)
    starts, per = WINDOWS.get(name, (provider.offer.per_minute, MINUTE)) if rpm is None else (rpm, MINUTE)
    quota = f"{name}-{bucket or known_as}"
    allowance = Allowance(bucket=quota, starts=starts, per=per) if starts is not None else None
    return Key(alias=alias, fingerprint=known_as, bucket=bucket, quota=quota, allowance=allowance, provider=provider)


def _check(settings: Settings) -> None:
    wrong = contradictions(settings.pools)
    wrong += [
        f"{name} names the provider {pool.provider}; pools are of {', '.join(VENDORS)}."
        for name, pool in settings.pools.items()
        if pool.provider not in VENDORS
    ]
    if wrong:
        raise StartRefused("\n".join(f"{PREFIX}POOLS: {sentence}" for sentence in wrong))
