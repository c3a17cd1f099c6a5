"""One suite for every vendor: it draws, or says in the one vocabulary why not, and never shows its key."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from tests.desks import Noted
from tests.providers.fakes import PNG, Fake, Reply, as_json, faking, html, image, request
from tests.providers.subjects import KEY, SUBJECTS, Subject

from atelier.errors import (
    MaybeCharged,
    ProviderBadKey,
    ProviderError,
    ProviderInvalidRequest,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from atelier.pipelines.ports import GeneratedImage, ImageProvider
from atelier.providers import calls, stable_horde

pytestmark = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)


@contextlib.asynccontextmanager
async def made(subject: Subject, base: str, **more: float) -> AsyncIterator[ImageProvider]:
    provider = subject.make(base, **more)
    try:
        yield provider
    finally:
        await provider.close()


async def drawn(subject: Subject, fake: Fake, **more: float) -> GeneratedImage:
    async with made(subject, fake.base, **more) as provider:
        return await provider.generate(request(), Noted())


async def failure(subject: Subject, fake: Fake, first: Reply | None = None, **more: float) -> ProviderError:
    """Return what a call raises whose order is answered so."""
    if first is not None:
        fake.answer = subject.first(first)
    with pytest.raises(ProviderError) as raised:
        await drawn(subject, fake, **more)
    assert KEY not in raised.value.message
    return raised.value


def lost(subject: Subject) -> type[ProviderError]:
    """What it is when the order went out and no whole answer came back."""
    return MaybeCharged if subject.paid else ProviderUnavailable


async def test_it_draws(subject: Subject, fake: Fake) -> None:
    fake.answer = subject.draws(PNG)
    made = await drawn(subject, fake)
    assert (made.data, made.provider, made.model, made.cost) == (PNG, subject.name, subject.model, subject.cost)
    assert made.warnings == ()


async def test_its_key_is_in_headers_only_and_only_where_it_is_needed(subject: Subject, fake: Fake) -> None:
    fake.answer = subject.draws(PNG)
    await drawn(subject, fake)
    assert any(KEY in value for value in fake.seen[0].headers.values())
    for seen in fake.seen:
        assert KEY not in seen.target
        assert KEY.encode() not in seen.body
        assert "python-httpx" not in seen.headers.get("accept-encoding", "")
    for seen in fake.seen[1:]:
        assert not any(KEY in value for value in seen.headers.values()), seen.target


async def test_what_it_offers_has_a_price_and_a_ratio_for_everything(subject: Subject) -> None:
    async with made(subject, "http://127.0.0.1:9") as provider:
        assert set(provider.offer.qualities) == {"draft", "standard", "high", "ultra"} == set(provider.terms.prices)
        assert len(provider.offer.styles) == 17
        assert set(provider.offer.aspect_ratios) >= {"1:1", "16:9", "9:16", "21:9", "2:3", "3:2", "4:5", "5:4"}
        assert (provider.terms.prices_as_of is not None) == subject.paid
        assert provider.terms.reattaches == (subject.name == "stable_horde")


@pytest.mark.parametrize("quality", ["draft", "standard", "high", "ultra"])
@pytest.mark.parametrize("aspect_ratio", ["1:1", "9:21"])
async def test_every_quality_style_and_ratio_can_be_asked_for(
    subject: Subject, fake: Fake, quality: str, aspect_ratio: str
) -> None:
    fake.answer = subject.draws(PNG)
    async with made(subject, fake.base) as provider:
        asked = request(quality=quality, aspect_ratio=aspect_ratio, style="neon-punk", negative_prompt="blur", seed=7)
        made_ = await provider.generate(asked, Noted())
    assert made_.cost == provider.terms.prices[quality]
    assert bool(made_.warnings) == (aspect_ratio not in provider.offer.aspect_ratios)
    assert b"neon" in fake.seen[0].body
    assert b"blur" in fake.seen[0].body


async def test_a_refusal_is_for_good(subject: Subject, fake: Fake) -> None:
    if subject.refusal is None:
        assert subject.name == "hugging_face", "it has no word for it: what it will not draw comes black"
        return
    error = await failure(subject, fake, subject.refusal)
    assert (type(error), error.retryable) == (ProviderRefused, False)


async def test_a_bad_key_is_told_from_everything_else(subject: Subject, fake: Fake) -> None:
    error = await failure(subject, fake, subject.bad_key)
    assert (type(error), error.retryable) == (ProviderBadKey, False)


async def test_no_credit_is_told_from_everything_else(subject: Subject, fake: Fake) -> None:
    error = await failure(subject, fake, subject.no_credit)
    assert (type(error), error.retryable) == (ProviderNoCredit, False)


async def test_a_rate_limit_says_when_to_come_back(subject: Subject, fake: Fake) -> None:
    error = await failure(subject, fake, subject.rate_limit)
    assert isinstance(error, ProviderRateLimited)
    assert (error.retry_after, error.daily, error.retryable) == (timedelta(seconds=20), False, True)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
async def test_a_server_s_own_failure_is_tried_again(subject: Subject, fake: Fake, status: int) -> None:
    for reply in (html(status), as_json({"error": {"code": status}}, status), Reply(status=status)):
        error = await failure(subject, fake, reply)
        assert (type(error), error.retryable) == (ProviderUnavailable, True)


async def test_a_page_instead_of_a_picture_may_have_cost(subject: Subject, fake: Fake) -> None:
    for reply in (html(), Reply(), Reply(headers={"content-type": "application/json"}, body=b'{"image": "AAA')):
        error = await failure(subject, fake, reply)
        assert (type(error), error.retryable) == (lost(subject), True)


@pytest.mark.parametrize(
    "body", [None, [], {}, "", 0, [1], [{}], {"candidates": 1}, {"candidates": [1]}, {"candidates": []}, {"error": 1},
             {"error": None}, {"error": [1]}, {"error": {"details": [1, {"violations": 3}], "message": 4}}, {"id": 7},
             {"candidates": [{"content": {"parts": [1, {"inlineData": 1}, {"inlineData": {"data": "?"}}]}}]},
             {"image": 3, "finish_reason": None, "seed": []}, {"name": [], "errors": {}}, {"rc": 9, "message": []},
             {"estimated_time": "soon", "error": "x"}, {"estimated_time": -math.inf, "error": "x"}],
    ids=json.dumps,
)  # fmt: skip
async def test_nonsense_breaks_nothing(subject: Subject, fake: Fake, body: object) -> None:
    for status in (200, 202, 400, 403, 418, 429, 500):
        assert isinstance(await failure(subject, fake, as_json(body, status)), ProviderError)


async def test_deep_and_long_nonsense_breaks_nothing(subject: Subject, fake: Fake) -> None:
    for body in (b"[" * 100_000, b'{"error": ' + b"9" * 5000 + b"}", b"\xff\xfe\x00", b'"\\ud800"'):
        for status in (200, 400):
            reply = Reply(status=status, headers={"content-type": "application/json"}, body=body)
            assert isinstance(await failure(subject, fake, reply), ProviderError)


async def test_bytes_that_are_no_picture_are_handed_on_to_be_checked(subject: Subject, fake: Fake) -> None:
    for data in (b"This is not a picture.", PNG[:-5]):
        fake.answer = subject.draws(data)
        assert (await drawn(subject, fake)).data == data


async def test_an_answer_that_drips_ends_at_the_deadline(
    subject: Subject, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stable_horde, "CALL_SECONDS", 0.3)
    loop = asyncio.get_running_loop()
    began = loop.time()
    dripping = Reply(headers={"content-type": "image/png"}, body=PNG, pause=0.05)
    error = await failure(subject, fake, dripping, seconds=0.3)
    assert (type(error), "0.3 seconds" in error.message) == (lost(subject), True)
    assert loop.time() - began < 0.05 * len(PNG)


async def test_silence_ends_at_the_deadline(subject: Subject, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stable_horde, "CALL_SECONDS", 0.3)
    assert type(await failure(subject, fake, Reply(silent=True), seconds=0.3)) is lost(subject)


async def test_a_connection_that_breaks_may_have_cost(subject: Subject, fake: Fake) -> None:
    for reply in (Reply(cut=True), Reply(headers={"content-type": "image/png"}, body=PNG, cut=True)):
        assert type(await failure(subject, fake, reply)) is lost(subject)


async def test_an_error_whose_body_breaks_is_still_that_error(subject: Subject, fake: Fake) -> None:
    error = await failure(subject, fake, Reply(status=500, body=b"half of this comes", cut=True))
    assert type(error) is ProviderUnavailable


async def test_nobody_at_the_address_costs_nothing(subject: Subject, fake: Fake) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        fake.base = f"http://127.0.0.1:{taken.getsockname()[1]}"
        error = await failure(subject, fake)
    assert (type(error), "could not be reached" in error.message) == (ProviderUnavailable, True)


async def test_an_answer_without_end_is_not_read_to_it(subject: Subject, fake: Fake) -> None:
    huge = Reply(headers={"content-type": "image/png"}, body=bytes(calls.LARGEST + 1))
    error = await failure(subject, fake, huge)
    assert (type(error), "32 MB" in error.message) == (lost(subject), True)


async def test_a_redirect_is_not_followed(subject: Subject, fake: Fake) -> None:
    async with faking() as elsewhere:
        elsewhere.says(image())
        for status in (301, 302, 303, 307, 308):
            reply = Reply(status=status, headers={"location": f"{elsewhere.base}/here"})
            assert type(await failure(subject, fake, reply)) is ProviderUnavailable
        assert elsewhere.seen == []


async def test_a_key_that_is_echoed_is_not_shown(
    subject: Subject, fake: Fake, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = (
        f"The size 7x7 is wrong for key {KEY}, that is ***{KEY[10:24]} or Bearer sk-abcdef1234 or {KEY[:8]}…{KEY[-6:]}"
    )
    error = await failure(subject, fake, subject.echo(said))
    assert type(error) is ProviderInvalidRequest
    assert "The size 7x7 is wrong for key [redacted]" in error.message
    shown = error.message + caplog.text
    assert not any(KEY[place : place + 6] in shown for place in range(len(KEY) - 5))
    assert "abcdef" not in shown


async def test_a_vendor_s_words_are_one_short_line(subject: Subject, fake: Fake) -> None:
    error = await failure(subject, fake, subject.echo("no\r\nno\x00\x1b[2J" + "no " * 500))
    assert error.message.isprintable()
    assert len(error.message) < 300


async def test_a_key_that_no_header_can_carry_is_a_bad_key(subject: Subject, fake: Fake) -> None:
    for key in ("kéy-of-somebody-else", "a\r\nhost: elsewhere"):
        async with made(subject, fake.base) as provider:
            provider._key = key  # type: ignore[attr-defined]
            with pytest.raises(ProviderBadKey) as raised:
                await provider.generate(request(), Noted())
        assert "somebody" not in raised.value.message
    assert fake.seen == []


async def test_many_at_once_share_connections_and_close_with_the_provider(subject: Subject, fake: Fake) -> None:
    fake.answer = subject.draws(PNG)
    async with made(subject, fake.base) as provider:
        all_ = await asyncio.gather(*(provider.generate(request(), Noted()) for _ in range(20)))
        assert {one.data for one in all_} == {PNG}
        await provider.close()
        assert (await provider.generate(request(), Noted())).data == PNG, "closed is not broken"


async def test_a_cancelled_call_ends_at_once(subject: Subject, fake: Fake) -> None:
    fake.answer = subject.first(Reply(silent=True))
    async with made(subject, fake.base) as provider:
        call = asyncio.create_task(provider.generate(request(), Noted()))
        async with asyncio.timeout(60):
            while not fake.seen:
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call


async def test_the_doctor_can_ask_for_free(subject: Subject, fake: Fake) -> None:
    async with made(subject, fake.base) as provider:
        fake.says(as_json({"credits": 42.5, "username": "ann#1", "name": "models/x"}))
        await provider.ping()
        (seen,) = fake.seen
        assert (seen.method, seen.body) == ("GET", b"")
        fake.says(subject.bad_key)
        with pytest.raises(ProviderBadKey):
            await provider.ping()
        fake.says(html(503))
        with pytest.raises(ProviderUnavailable):
            await provider.ping()
