"""The settings around owners' own keys: what encrypts them, for whom they may be brought, and what start is refused for."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.canaries import WATCH, canary

from atelier import settings as all_settings
from atelier.errors import StartRefused
from atelier.settings import Settings
from atelier.wiring import build_adapters, rotate_keys
from atelier.wiring.secret import encryption_keys_of

ONE, TWO = canary(("one encryption key",)), canary(("another encryption key",))
for secret in (ONE, TWO):
    WATCH.know(secret, "an encryption key of a test")


def test_a_list_of_fernet_keys_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_ENCRYPTION_KEYS", f" {ONE} ,, {TWO}\n")
    config = all_settings.read()
    assert [key.get_secret_value() for key in config.encryption_keys] == [ONE, TWO]
    assert ONE not in repr(config)
    assert encryption_keys_of(config) == (ONE, TWO)


@pytest.mark.parametrize("wrong", [ONE[:-1], ONE[1:], ONE + "A", ONE.replace(ONE[3], "+"), "nonsense", ONE + ONE])
def test_what_is_no_key_is_refused_by_its_place(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("ATELIER_ENCRYPTION_KEYS", f"{TWO},{wrong}")
    with pytest.raises(StartRefused) as refused:
        all_settings.read()
    assert refused.value.message.startswith("ATELIER_ENCRYPTION_KEYS: number 2 of the list is no Fernet key")
    assert wrong not in refused.value.message
    assert TWO not in refused.value.message


def test_a_key_is_made_once_and_read_by_its_user_alone(tmp_path: Path) -> None:
    config = Settings(data_dir=tmp_path / "data")
    (made,) = encryption_keys_of(config)
    assert encryption_keys_of(config) == (made,)
    file = tmp_path / "data" / "encryption.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["encryption.key"]
    file.write_text(made[:20])
    with pytest.raises(StartRefused, match="is not whole; restore it"):
        encryption_keys_of(config)


@pytest.mark.parametrize(
    "settings", [{"environment": "production"}, {"store": {"kind": "firestore"}, "queue": {"kind": "cloud_tasks"}}]
)
def test_where_every_process_needs_the_same_none_is_made(tmp_path: Path, settings: dict[str, Any]) -> None:
    config = Settings(data_dir=tmp_path, **settings)
    assert encryption_keys_of(config) == ()
    assert list(tmp_path.iterdir()) == []
    assert encryption_keys_of(Settings(data_dir=tmp_path, encryption_keys=ONE, **settings)) == (ONE,)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"own_keys": ("horde",)}, "ATELIER_OWN_KEYS: 'horde' is no vendor with keys; there are stability_ai, gemini, stable_horde, hugging_face, openai, anthropic."),
        ({"own_keys": ("none",), "image_providers": ("none",)}, "ATELIER_IMAGE_PROVIDERS is none, and so is ATELIER_OWN_KEYS: then nobody can draw."),
        ({"environment": "production", "image_providers": ("none",), "secret_key": "k"}, "ATELIER_IMAGE_PROVIDERS is none: for owners to bring keys, ATELIER_ENCRYPTION_KEYS must be set."),
        ({"pools": {"p": {"provider": "gemini", "keys": [{"alias": "own", "key": "k"}]}}}, "ATELIER_POOLS: own is what owners' own keys are called; the key of p needs another alias."),
    ],
)  # fmt: skip
def test_settings_that_contradict_refuse_the_start(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StartRefused) as refused:
        build_adapters(Settings(data_dir=tmp_path, **settings))
    assert refused.value.message == sentence


def test_none_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().brought == ("stable_horde", "hugging_face")
    monkeypatch.setenv("ATELIER_OWN_KEYS", "none")
    monkeypatch.setenv("ATELIER_IMAGE_PROVIDERS", "none")
    assert (Settings().brought, Settings().painters) == ((), ())


async def test_without_encryption_keys_there_is_nothing_to_rotate_with(tmp_path: Path) -> None:
    config = await asyncio.to_thread(Settings, data_dir=tmp_path, environment="production")
    with pytest.raises(StartRefused, match="has to set ATELIER_ENCRYPTION_KEYS"):
        await rotate_keys(config, forget_unreadable=False)
