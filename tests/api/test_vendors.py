"""Vendors behind the service: their pictures, their failures and their keys, as callers and whoever starts it see them."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from tests.canaries import WATCH
from tests.images import ROOT, ended, reached, submit
from tests.live import Serve
from tests.providers.fakes import Fake, Reply, as_json, fake, faking, impatience
from tests.providers.subjects import KEY, SUBJECTS, WAITING, Subject, horde_service
from tests.providers.test_stable_horde import STATUS, calls, scripted

from atelier import settings as all_settings
from atelier.errors import StartRefused
from atelier.settings import Settings
from atelier.wiring import build_adapters

__all__ = ["fake", "impatience"]

WAITS = ("rate_limited", "waiting_for_key")
CODES = {
    "refusal": "provider_refused",
    "bad_key": "provider_bad_key",
    "no_credit": "provider_no_credit",
    "rate_limit": "provider_rate_limited",
    "broken": "maybe_charged",
}
"""What becomes of a job whose order is answered so; `broken`: the connection ends in the middle."""


def noise(width: int, height: int) -> bytes:
    """Return a picture that shows something, in this shape."""
    picture, out = Image.effect_noise((width, height), 80), io.BytesIO()
    picture.convert("RGB").save(out, "PNG")
    return out.getvalue()


def vendor(name: str, fake: Fake, **more: Any) -> dict[str, Any]:
    own = {"base_url": fake.base, "api_key": KEY}
    return {"image_providers": (name,), "providers": {name: own}, "fetch": {"allow_private": True}, **more}


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
async def test_a_picture_of_a_vendor_is_a_picture(serve: Serve, fake: Fake, subject: Subject) -> None:
    WATCH.know(KEY, "the key of a vendor")
    shape = (144, 256) if subject.name == "gemini" else (160, 384)
    fake.answer = subject.draws(await asyncio.to_thread(noise, *shape))
    async with serve(**vendor(subject.name, fake)) as live:
        job = await ended(live, await submit(live, {"prompt": "A hill", "aspect_ratio": "9:21"}))
        assert (job["status"], job["error_message"]) == ("completed", None)
        (picture,) = job["result"]["images"]
        assert (picture["provider"], picture["model"]) == (subject.name, subject.model)
        assert (job["cost"], len(job["warnings"])) == (subject.cost, 1 if subject.name == "gemini" else 0)
        shown = (await live.client.get(f"{ROOT}/providers")).json()["providers"]
    assert [one["name"] for one in shown] == [subject.name]
    assert subject.model in shown[0]["models"]
    assert shown[0]["health"]["state"] == "ok"


@pytest.mark.parametrize("case", CODES)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
async def test_a_vendor_s_failures_are_the_job_s_in_one_vocabulary(
    serve: Serve, fake: Fake, subject: Subject, case: str
) -> None:
    reply: Reply | None = Reply(cut=True) if case == "broken" else getattr(subject, case)
    if reply is None:
        return
    WATCH.know(KEY, "the key of a vendor")
    fake.answer = subject.first(reply)
    async with serve(**vendor(subject.name, fake), max_attempts=1) as live:
        job_id = await submit(live, {"prompt": "A hill"})
        code = CODES[case] if subject.paid or case != "broken" else "provider_unavailable"
        seen: dict[str, Any] = {}
        async with asyncio.timeout(60):
            while seen.get("error_code") != code and seen.get("state_reason") not in WAITS:
                seen = (await live.client.get(f"{ROOT}/jobs/{job_id}")).json()
                assert seen["status"] != "completed"
                await asyncio.sleep(0.05)
        assert seen["error_code"] == code or case == "rate_limit", "who is limited may wait instead of failing"


async def test_a_cancelled_job_withdraws_its_order(serve: Serve, fake: Fake) -> None:
    fake.answer = scripted(WAITING)
    async with serve(**vendor("stable_horde", fake)) as live:
        job_id = await submit(live, {"prompt": "A hill"})
        await reached(live, job_id, "generating")
        await _looked(fake)
        answer = (await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")).json()
        assert (answer["status"], answer["cancellation"]["outcome"]) == ("cancelled", "confirmed_by_provider")
        assert f"DELETE {STATUS}" in calls(fake)


async def test_a_job_that_is_given_back_leaves_its_order_standing(serve: Serve, fake: Fake) -> None:
    fake.answer = scripted(WAITING)
    async with serve(**vendor("stable_horde", fake), grace_seconds=0) as live:
        await submit(live, {"prompt": "A hill"})
        await _looked(fake)
    assert f"DELETE {STATUS}" not in calls(fake)


async def test_a_job_past_its_deadline_withdraws_its_order(serve: Serve, fake: Fake) -> None:
    fake.answer = scripted(WAITING)
    async with serve(**vendor("stable_horde", fake), deadlines={"image_seconds": 3}) as live:
        job = await ended(live, await submit(live, {"prompt": "A hill"}))
        assert job["error_code"] == "deadline_exceeded"
        async with asyncio.timeout(60):
            while f"DELETE {STATUS}" not in calls(fake):
                await asyncio.sleep(0.01)


async def _looked(fake: Fake) -> None:
    async with asyncio.timeout(60):
        while not any("/check/" in call for call in calls(fake)):
            await asyncio.sleep(0.01)


async def test_who_is_not_configured_is_stood_in_for_or_named(serve: Serve, fake: Fake) -> None:
    both = vendor("stability_ai", fake, image_providers=("stability_ai", "sandbox"))
    async with serve(**both) as live:
        answer = (await live.client.post(f"{ROOT}/generate", json={"prompt": "A hill", "provider": "gemini"})).json()
        assert answer["warnings"] == ["The provider gemini is not configured; the sandbox drew instead."]
    async with serve(**vendor("stability_ai", fake)) as live:
        refused = await live.client.post(f"{ROOT}/generate", json={"prompt": "A hill", "provider": "gemini"})
        assert (refused.status_code, refused.json()["code"]) == (422, "provider_not_configured")
        assert "stability_ai" in refused.json()["detail"]


async def test_everybody_can_be_configured_at_once(serve: Serve) -> None:
    names = tuple(subject.name for subject in SUBJECTS)
    async with serve(image_providers=names) as live:
        shown = (await live.client.get(f"{ROOT}/providers")).json()["providers"]
    assert [one["name"] for one in shown] == list(names)
    assert [one["default"] for one in shown] == [True, False, False, False]
    for one in shown:
        assert one["prices_as_of"] == (None if one["name"] == "stable_horde" else "2026-11-20")
        assert set(one["prices"]) == set(one["qualities"]) == {"draft", "standard", "high", "ultra"}


@pytest.mark.parametrize(
    ("name", "foreign"),
    [("stability_ai", "STABILITY_API_KEY"), ("gemini", "GEMINI_API_KEY"), ("hugging_face", "HF_TOKEN")],
)
async def test_a_vendor_without_a_key_refuses_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: Fake, name: str, foreign: str
) -> None:
    with pytest.raises(StartRefused) as refused:
        await asked_with(fake, name, tmp_path)
    assert f"ATELIER_PROVIDERS__{name.upper()}__API_KEY" in refused.value.message
    assert foreign in refused.value.message
    monkeypatch.setenv(foreign, f" {KEY}\n")
    assert await asked_with(fake, name, tmp_path) in {KEY, f"Bearer {KEY}"}
    ours = "our-own-name-has-the-last-word"
    monkeypatch.setenv(f"ATELIER_PROVIDERS__{name.upper()}__API_KEY", ours)
    assert await asked_with(fake, name, tmp_path) in {ours, f"Bearer {ours}"}


async def test_the_horde_draws_for_nobody_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: Fake) -> None:
    assert await asked_with(fake, "stable_horde", tmp_path) == "0000000000"
    monkeypatch.setenv("STABLE_HORDE_API_KEY", KEY)
    assert await asked_with(fake, "stable_horde", tmp_path) == KEY


async def asked_with(fake: Fake, name: str, data: Path) -> str:
    """Return the key a vendor is asked with, as the settings in the environment have it."""
    fake.says(as_json({"credits": 1}))
    settings = Settings(image_providers=(name,), data_dir=data, providers={name: {"base_url": fake.base}})
    adapters = await asyncio.to_thread(build_adapters, settings)
    provider = adapters.image_providers[name]
    await provider.ping()
    await provider.close()
    headers = fake.seen[-1].headers
    return next(headers[kind] for kind in ("authorization", "apikey", "x-goog-api-key") if kind in headers)


async def test_who_writes_is_let_go_of_when_the_service_stops(serve: Serve, fake: Fake, tmp_path: Path) -> None:
    own = {"openai": {"base_url": f"{fake.base}/v1", "model": "m", "api_key": KEY}}
    settings: dict[str, Any] = {"text_providers": ("openai",), "providers": own}
    adapters = await asyncio.to_thread(build_adapters, Settings(data_dir=tmp_path / "own", **settings))
    fake.says(as_json({"data": []}))
    async with serve(adapters=adapters, **settings):
        writer = adapters.text_providers["openai"]
        await writer.ping()
        assert writer._line._client is not None  # type: ignore[attr-defined]
    assert writer._line._client is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", ["kéy-of-mine-kéy-of-mine", "two words-two words", "line\x00-of-something"])
def test_a_key_that_no_header_can_carry_refuses_the_start_unsaid(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    for value in (key, ""):
        monkeypatch.setenv("HF_TOKEN", value.replace("\x00", "\x01"))
        if not value:
            assert all_settings.read().key_of("hugging_face") is None
            continue
        with pytest.raises(StartRefused) as refused:
            all_settings.read()
        assert refused.value.message.startswith("HF_TOKEN: ")
        assert value[:5] not in refused.value.message


async def test_a_picture_at_a_private_address_is_not_fetched(serve: Serve, fake: Fake) -> None:
    fake.answer = horde_service()
    async with serve(**{**vendor("stable_horde", fake), "fetch": {}}, max_attempts=1) as live:
        job = await ended(live, await submit(live, {"prompt": "A hill"}))
    assert (job["error_code"], "not fetched from" in job["error_message"]) == ("provider_unavailable", True)


async def test_no_proxy_of_the_environment_is_used(serve: Serve, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    async with faking() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.base)
        fake.answer = SUBJECTS[0].draws(await asyncio.to_thread(noise, 256, 256))
        async with serve(**vendor("stability_ai", fake)) as live:
            direct = httpx.AsyncHTTPTransport()
            async with httpx.AsyncClient(base_url=live.base, transport=direct, trust_env=False) as client:
                job_id = (await client.post(f"{ROOT}/generate", json={"prompt": "A hill"})).json()["job_id"]
                async with asyncio.timeout(60):
                    while (await client.get(f"{ROOT}/jobs/{job_id}")).json()["status"] != "completed":
                        await asyncio.sleep(0.05)
        assert (proxy.seen, len(fake.seen)) == ([], 1)
