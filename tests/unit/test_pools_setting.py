"""The setting POOLS: what it makes, and what it says of what is wrong in it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.canaries import WATCH

from atelier.errors import StartRefused
from atelier.providers.pool import fingerprint
from atelier.settings import read
from atelier.wiring import build_adapters

CANARY = "canary-of-a-pool-key-0123456789abcdef"


def pool(*keys: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"provider": "gemini", "keys": list(keys), **fields}


ONE = {"alias": "i1", "key": CANARY, "bucket": "p1"}


def configured(monkeypatch: pytest.MonkeyPatch, folder: Path, pools: str, providers: str = "gemini") -> Any:
    monkeypatch.setenv("ATELIER_POOLS", pools)
    monkeypatch.setenv("ATELIER_IMAGE_PROVIDERS", providers)
    monkeypatch.setenv("ATELIER_DATA_DIR", str(folder))
    settings = read()
    WATCH.know_all(settings)
    return build_adapters(settings).image_keys


def test_a_pool_is_a_provider_s_keys_each_in_its_quota(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = {"alias": "i2", "key": "another-key"}
    keys = configured(monkeypatch, tmp_path, json.dumps({"illustration": pool(ONE, other, rpm=30)}))["gemini"]
    assert [(key.alias, key.bucket, key.quota) for key in keys] == [
        ("i1", "p1", "gemini-p1"),
        ("i2", None, f"gemini-{fingerprint('another-key')}"),
    ]
    assert {(key.allowance.starts, key.allowance.per) for key in keys} == {(30, timedelta(minutes=1))}
    assert CANARY not in repr(keys)


def test_the_pool_named_default_goes_first_and_then_a_single_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    both = {"b": pool({"alias": "x", "key": "x-key"}), "default": pool(ONE)}
    (key,) = configured(monkeypatch, tmp_path, json.dumps(both))["gemini"]
    assert (key.alias, key.allowance.starts) == ("i1", 9), "as many as its vendor usually allows"
    monkeypatch.setenv("ATELIER_PROVIDERS__STABILITY_AI__API_KEY", "a-single-key")
    keys = configured(monkeypatch, tmp_path, "", "stability_ai,sandbox,stable_horde")
    assert {name: found[0].alias for name, found in keys.items()} == {"stability_ai": "key", "stable_horde": "key"}
    allowance = keys["stability_ai"][0].allowance
    assert (allowance.starts, allowance.per) == (150, timedelta(seconds=10))


@pytest.mark.parametrize(
    ("pools", "sentence"),
    [
        ("{", "ATELIER_POOLS: must be JSON like"),
        ("[]", "ATELIER_POOLS: must be a JSON object"),
        (json.dumps({"a b": pool(ONE)}), "ATELIER_POOLS__A B"),
        (json.dumps({"a": pool()}), "ATELIER_POOLS__A__KEYS: must name at least one."),
        (json.dumps({"a": pool(ONE, rpm=0)}), "ATELIER_POOLS__A__RPM: Input should be greater than or equal to 1."),
        (
            json.dumps({"a": pool({"alias": "x", "key": " "})}),
            "ATELIER_POOLS__A__KEYS__0__KEY: a key must not be empty.",
        ),
        (json.dumps({"a": pool({"alias": "x", "key": f"{CANARY} b"})}), "without blanks."),
        (json.dumps({"a": pool(ONE, colour="red")}), "ATELIER_POOLS__A__COLOUR: there is no such setting."),
        (json.dumps({"a": pool(ONE, ONE)}), "ATELIER_POOLS: the alias i1 stands twice in a."),
        (
            json.dumps({"a": pool(ONE, rpm=9), "b": pool(ONE, rpm=8)}),
            "the bucket p1 of gemini has two different limits.",
        ),
        (
            json.dumps({"a": pool(ONE), "b": pool({**ONE, "alias": "i2", "bucket": "p2"})}),
            "the key i2 of b stands elsewhere with another bucket or limit.",
        ),
        (
            json.dumps({"a": pool({"alias": "x", "key": "k"}, rpm=9), "b": pool({"alias": "y", "key": "k"}, rpm=8)}),
            "the key y of b stands elsewhere with another bucket or limit.",
        ),
        (json.dumps({"a": pool(ONE, provider="dalle")}), "ATELIER_POOLS: a names the provider dalle; pools are of"),
    ],
)
def test_what_is_wrong_is_said_without_the_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pools: str, sentence: str
) -> None:
    with pytest.raises(StartRefused) as refused:
        configured(monkeypatch, tmp_path, pools)
    assert sentence in refused.value.message
    assert CANARY not in refused.value.message
