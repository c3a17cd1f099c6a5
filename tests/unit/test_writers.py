"""Who writes, as the settings say: names, keys, addresses, prices, and what start is refused for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.jobs import Clock
from tests.providers.fakes import Fake, as_json, fake
from tests.providers.text_subjects import claudes, completion, text_request
from tests.vendors import Desk

from atelier.errors import ProviderBadKey, ProviderNoCredit, ProviderUnavailable, ProviderWaits, StartRefused
from atelier.pipelines.pictures import IN_ORDER
from atelier.providers.anthropic import Anthropic
from atelier.providers.openai import OpenAI
from atelier.settings import Settings
from atelier.stores.owner_keys import OwnerKeys
from atelier.stores.sqlite import SqliteStore
from atelier.wiring import Adapters, build_adapters, build_services
from atelier.wiring.own import OwnVendors
from atelier.wiring.team import Team, build_team

__all__ = ["fake"]

POOL = {
    "default": {
        "provider": "openai",
        "rpm": 60,
        "keys": [{"alias": "a", "key": "sk-first-of-two"}, {"alias": "b", "key": "sk-second-of-two"}],
    }
}


def adapters(folder: Path, **settings: Any) -> Adapters:
    return build_adapters(Settings(data_dir=folder, **settings))


def openai_of(folder: Path, **settings: Any) -> OpenAI:
    found = adapters(folder, text_providers=("openai",), **settings).text_providers["openai"]
    assert isinstance(found, OpenAI)
    return found


def test_the_sandbox_writes_where_nobody_is_named(tmp_path: Path) -> None:
    assert list(adapters(tmp_path).text_providers) == ["sandbox"]
    off: dict[str, Any] = {"sandbox": "off", "image_providers": ("stable_horde",)}
    assert adapters(tmp_path, **off).text_providers == {}, "pictures alone need nobody who writes"
    assert build_services(Settings(data_dir=tmp_path, **off), adapters(tmp_path, **off)).writers == {}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"text_providers": ("gpt",)}, "ATELIER_TEXT_PROVIDERS: 'gpt' is not a provider; known are openai, anthropic, gemini, sandbox."),
        ({"text_providers": ("openai",)}, "ATELIER_TEXT_PROVIDERS names openai, but its key is missing; set ATELIER_PROVIDERS__OPENAI__API_KEY (or OPENAI_API_KEY without the prefix), or make a pool of keys with ATELIER_POOLS."),
        ({"text_providers": ("anthropic",)}, "ATELIER_TEXT_PROVIDERS names anthropic, but its key is missing; set ATELIER_PROVIDERS__ANTHROPIC__API_KEY (or ANTHROPIC_API_KEY without the prefix), or make a pool of keys with ATELIER_POOLS."),
        ({"text_providers": ("sandbox",), "image_providers": ("stable_horde",), "sandbox": "off"}, "ATELIER_TEXT_PROVIDERS names the sandbox, but ATELIER_SANDBOX is off, as it is in production unless it is set to on."),
        ({"text_providers": ("openai",), "openai_base_url": "http://localhost:11434/v1"}, "ATELIER_PROVIDERS__OPENAI__MODEL must name the model that writes at http://localhost:11434/v1."),
        ({"pools": {"p": {"provider": "sandbox", "keys": [{"alias": "a", "key": "sk-abc"}]}}}, "ATELIER_POOLS: p names the provider sandbox; pools are of stability_ai, gemini, stable_horde, hugging_face, openai, anthropic."),
    ],
)  # fmt: skip
def test_what_start_is_refused_for(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StartRefused) as refused:
        adapters(tmp_path, **settings)
    assert refused.value.message == sentence


def test_openai_is_its_own_unless_another_address_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
    own = openai_of(tmp_path)
    assert (own._base, own._key, own._model) == ("https://api.openai.com/v1", "sk-of-somebody", "gpt-5.4-mini")
    assert (own.offer.read_price, own.terms.billed) == (0.75, "yes")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.groq.com/openai/v1")
    other = openai_of(tmp_path, providers={"openai": {"model": "llama", "written_price": 0.79}})
    assert (other._base, other.offer.read_price, other.offer.written_price) == ("https://api.groq.com/openai/v1", 5.0, 0.79)  # fmt: skip
    last = openai_of(tmp_path, providers={"openai": {"base_url": "https://eu.api.openai.com"}})
    assert last._base == "https://eu.api.openai.com/v1"


def test_a_server_of_one_s_own_needs_no_key_and_costs_nothing(tmp_path: Path) -> None:
    own = {"base_url": "http://localhost:11434/v1", "model": "qwen3:8b"}
    local = openai_of(tmp_path, providers={"openai": own})
    assert (local._key, local.terms.billed, local.offer.written_price) == ("", "no", 0.0)
    dear = openai_of(tmp_path, providers={"openai": {**own, "read_price": 0.1, "written_price": 0.2}})
    assert dear.terms.billed == "yes"


def test_anthropic_and_gemini_have_their_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-somebody")
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-of-somebody")
    made = adapters(tmp_path, text_providers=("anthropic", "gemini"), providers={"gemini": {"text_model": "gemini-x"}})
    claude, gemini = made.text_providers["anthropic"], made.text_providers["gemini"]
    assert isinstance(claude, Anthropic)
    assert (claude._base, claude._model) == ("https://api.anthropic.com/v1", "claude-haiku-5-5")
    assert isinstance(gemini, OpenAI)
    assert gemini._base == "https://generativelanguage.googleapis.com/v1beta/openai"
    assert (gemini.name, gemini._model, gemini._line.vendor) == ("gemini", "gemini-x", "Gemini")
    (key,) = made.text_keys["gemini"]
    assert key.allowance is not None
    assert (key.allowance.starts, key.allowance.bucket) == (9, key.quota)


async def team(store: SqliteStore, clock: Clock, fake: Fake, folder: Path, **settings: Any) -> Team:
    """Return who draws and writes with every vendor at the fake."""
    at = {"base_url": f"{fake.base}/v1"}
    providers = {
        "openai": {**at, "model": "gpt-5.4-mini", "read_price": 1, "written_price": 1},
        "anthropic": at,
        "gemini": at,
    }
    keys = {"openai_api_key": "sk-a-key-of-openai", "anthropic_api_key": "sk-ant-a-key", "gemini_api_key": "AIza-a-key"}
    config = Settings(data_dir=folder, providers=providers, **{**keys, **settings})
    made = await asyncio.to_thread(build_adapters, config)
    own = OwnVendors(config, OwnerKeys(store, made.encryption), store, clock)
    return build_team(replace(made, store=store), own, clock)


async def close(found: Team) -> None:
    for writer in found.writers.values():
        await writer.close()


async def test_the_first_that_works_writes(store: SqliteStore, clock: Clock, fake: Fake, tmp_path: Path) -> None:
    fake.answer = lambda seen: claudes("Hills.") if seen.target == "/v1/messages" else as_json({}, 503)
    found = await team(store, clock, fake, tmp_path, text_providers=("openai", "anthropic"))
    assert list(found.texts) == ["openai", "anthropic", IN_ORDER]
    desk = Desk()
    text = await found.texts[IN_ORDER].generate(text_request(), desk)
    assert (text.text, text.provider) == ("Hills.", "anthropic")
    assert text.warnings == ("openai was passed over: OpenAI is out of order (status 503).",)
    assert [(call.provider, call.key, call.terms.billed) for call in desk.calls] == [("openai", "key", "yes"), ("anthropic", "key", "yes")]  # fmt: skip
    assert (await found.writers["openai"].health()).state == "failing"
    assert (await found.writers["anthropic"].health()).state == "ok"
    await close(found)


async def test_who_was_left_alone_is_tried_again(store: SqliteStore, clock: Clock, fake: Fake, tmp_path: Path) -> None:
    fake.says(as_json({}, 503))
    found = await team(store, clock, fake, tmp_path, text_providers=("openai", "anthropic"))
    for _ in range(4):
        with pytest.raises(ProviderUnavailable):
            await found.texts[IN_ORDER].generate(text_request(), Desk())
    assert len(fake.seen) == 6, "three calls of each failed, and then nobody was asked"
    clock.moment += timedelta(minutes=2)
    fake.says(completion("Hills."))
    assert (await found.texts[IN_ORDER].generate(text_request(), Desk())).provider == "openai"
    await close(found)


async def test_keys_of_a_pool_take_turns_and_rest(store: SqliteStore, clock: Clock, fake: Fake, tmp_path: Path) -> None:
    empty = as_json({"error": {"message": "Quota.", "code": "insufficient_quota"}}, 429)
    fake.answer = lambda seen: empty if "first" in seen.headers["authorization"] else completion("Hills.")
    found = await team(store, clock, fake, tmp_path, text_providers=("openai",), pools=POOL)
    await found.texts["openai"].generate(text_request(), Desk())
    reports = await found.writers["openai"].keys()
    assert [(key.alias, key.state) for key in reports] == [("a", "no_credit"), ("b", "ok")]
    fake.says(empty)
    with pytest.raises(ProviderWaits) as waits:
        await found.texts["openai"].generate(text_request(), Desk())
    assert isinstance(waits.value.__cause__, ProviderNoCredit)
    assert waits.value.until == clock() + timedelta(hours=1)
    await close(found)


async def test_who_is_down_for_texts_may_be_well_for_pictures(
    store: SqliteStore, clock: Clock, fake: Fake, tmp_path: Path
) -> None:
    fake.says(as_json([{"error": {"code": 403, "message": "No.", "status": "PERMISSION_DENIED"}}], 403))
    found = await team(store, clock, fake, tmp_path, text_providers=("gemini",), image_providers=("gemini",))
    with pytest.raises(ProviderBadKey):
        await found.texts["gemini"].generate(text_request(), Desk())
    (written,), (drawn,) = await found.writers["gemini"].keys(), await found.listed["gemini"].keys()
    assert (written.state, drawn.state) == ("bad", "ok")
    assert (await found.writers["gemini"].health()).state == "failing"
    assert (await found.listed["gemini"].health()).state == "idle"
    assert {document.name.split("-")[0] for document in await store.documents("budget")} == {"text"}
    await close(found)
