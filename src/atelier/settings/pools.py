"""Pools of keys: several keys of one provider, and how often each quota behind them may be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from atelier.settings.groups import Group
from atelier.settings.providers import sendable

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


def _given(key: SecretStr) -> SecretStr:
    found = sendable(key)
    if found is None:
        raise ValueError("a key must not be empty")
    return found


class PoolKey(Group):
    """One key: the name it is shown by, and the quota it shares with other keys; without a bucket it has its own."""

    alias: Name
    key: Annotated[SecretStr, AfterValidator(_given)]
    bucket: Name | None = None


class PoolSettings(Group):
    """A provider's keys; `rpm`: calls that a quota allows in a minute, the provider's usual number where it is not said."""

    provider: Name
    keys: Annotated[tuple[PoolKey, ...], Field(min_length=1, max_length=1000)]
    rpm: Annotated[int, Field(ge=1, le=100_000)] | None = None


def _parsed(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ValueError(
            'must be JSON like {"default": {"provider": "gemini", "rpm": 9, "keys": [{"alias": "i1", "key": "…"}]}}'
        ) from error


Pools = Annotated[dict[Name, PoolSettings], NoDecode, BeforeValidator(_parsed)]


def contradictions(pools: Mapping[str, PoolSettings]) -> list[str]:
    """Return what is wrong between pools that are each well, as sentences: names used twice, a quota with two limits."""
    sentences, limits = [], dict[tuple[str, str], int | None]()
    quotas = dict[tuple[str, str], tuple[str | None, int | None]]()
    for name, pool in pools.items():
        aliases = [key.alias for key in pool.keys]
        sentences += [f"the alias {alias} stands twice in {name}." for alias in _twice(aliases)]
        for key in pool.keys:
            if key.bucket is not None and limits.setdefault((pool.provider, key.bucket), pool.rpm) != pool.rpm:
                sentences.append(f"the bucket {key.bucket} of {pool.provider} has two different limits.")
            same = (pool.provider, key.key.get_secret_value())
            if quotas.setdefault(same, (key.bucket, pool.rpm)) != (key.bucket, pool.rpm):
                sentences.append(f"the key {key.alias} of {name} stands elsewhere with another bucket or limit.")
    return list(dict.fromkeys(sentences))


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
