"""Stable Horde: the order byte by byte, counts that are no booleans, queues, orders found again, withdrawn and gone."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.desks import Noted
from tests.providers.fakes import PNG, Answers, Fake, Reply, as_json, html, image, request
from tests.providers.subjects import DONE, KEY, PLACED, WAITING, finished, horde, horde_error, horde_service

from atelier.errors import (
    JobConflict,
    ProviderBadKey,
    ProviderError,
    ProviderInvalidRequest,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from atelier.jobs.ports import GIVEN_BACK
from atelier.pipelines.ports import GeneratedImage, ImageRequest
from atelier.providers import stable_horde
from atelier.providers.likeness import MEGAPIXEL, SMALL

ORDER = PLACED["id"]
BASE64 = base64.b64encode(PNG).decode()
CHECK, STATUS = f"/api/v2/generate/check/{ORDER}", f"/api/v2/generate/status/{ORDER}"


async def drawn(
    fake: Fake, asked: ImageRequest | None = None, desk: Noted | None = None, **more: Any
) -> GeneratedImage:
    provider = horde(fake.base, **more)
    try:
        return await provider.generate(asked or request(), desk or Noted())
    finally:
        await provider.close()


async def failure(fake: Fake, answer: Answers, asked: ImageRequest | None = None, **more: Any) -> ProviderError:
    fake.answer = answer
    with pytest.raises(ProviderError) as raised:
        await drawn(fake, asked, **more)
    return raised.value


def scripted(*checks: object, status: object = None, placing: Reply | None = None) -> Answers:
    """Answer the looks at an order one after the other, the last for good; what is no reply is JSON."""
    left = [check if isinstance(check, Reply) else as_json(check) for check in checks]
    end = status if isinstance(status, Reply) else as_json(status if status is not None else finished(BASE64))

    def answer(seen: Any) -> Reply:
        if seen.method == "POST":
            return placing or as_json(PLACED, 202)
        if seen.method == "DELETE":
            return as_json({**DONE, "generations": []})
        if "/check/" in seen.target:
            return left.pop(0) if len(left) > 1 else left[0]
        return end

    return answer


def calls(fake: Fake) -> list[str]:
    return [f"{seen.method} {seen.target}" for seen in fake.seen]


async def test_the_order_byte_by_byte(fake: Fake) -> None:
    fake.answer = scripted(DONE)
    await drawn(fake, request("a castle", negative_prompt="blurry, low quality", seed=12345, quality="high"))
    placed, *_ = fake.seen
    assert (placed.method, placed.target) == ("POST", "/api/v2/generate/async")
    assert (placed.headers["apikey"], placed.headers["client-agent"]) == (
        KEY,
        "atelier:0.1.0:https://atelier.example.org/",
    )
    expected = {
        "prompt": "a castle###blurry, low quality",
        "params": {
            "sampler_name": "k_euler_a", "cfg_scale": 7.5, "steps": 35, "width": 1024, "height": 1024, "n": 1,
            "seed": "12345", "karras": True, "post_processing": [],
        },
        "models": ["AlbedoBase XL (SDXL)"],
        "nsfw": False, "censor_nsfw": True, "trusted_workers": False, "slow_workers": True, "r2": True, "shared": False,
        "replacement_filter": True, "dry_run": False,
    }  # fmt: skip
    assert placed.body == json.dumps(expected, separators=(",", ":")).encode()


async def test_marks_in_the_words_part_nothing(fake: Fake) -> None:
    fake.answer = scripted(DONE)
    await drawn(fake, request("a ### b ##### c", negative_prompt="d###e"))
    assert fake.seen[0].json()["prompt"] == "a ## b ## c###d##e"
    await drawn(fake, request("a"))
    assert fake.seen[-3].json()["prompt"] == "a"


@pytest.mark.parametrize("quality", ["draft", "standard", "high", "ultra"])
async def test_nobody_s_key_may_ask_for_it(fake: Fake, quality: str) -> None:
    fake.answer = scripted(DONE)
    for model, sizes in (
        ("", MEGAPIXEL),
        ("stable_diffusion", SMALL),
        ("Deliberate", SMALL),
        ("Flux.1-Schnell", MEGAPIXEL),
    ):
        for ratio, size in sizes.items():
            await drawn(fake, request(quality=quality, aspect_ratio=ratio), model=model, key=stable_horde.ANONYMOUS)
            order = next(seen for seen in reversed(fake.seen) if seen.method == "POST").json()
            params = order["params"]
            assert (params["width"], params["height"]) == size
            assert params["steps"] <= 40
            assert all(side % 64 == 0 and 64 <= side <= 3072 for side in size)
            assert size[0] * size[1] <= (1024**2 if sizes is MEGAPIXEL else 576**2)
            assert (order["nsfw"], order["slow_workers"], type(params["seed"])) == (False, True, str)


async def test_it_is_looked_at_until_done_and_fetched_once(fake: Fake) -> None:
    fake.answer = horde_service()
    desk = Noted()
    made = await drawn(fake, desk=desk)
    assert (made.data, made.seed, made.cost) == (PNG, 12345, 0.0)
    assert calls(fake) == ["POST /api/v2/generate/async", f"GET {CHECK}", f"GET {CHECK}", f"GET {STATUS}", "GET /r2/picture.webp?X-Amz-Signature=a%2Fb"]  # fmt: skip
    assert desk.orders == [ORDER]
    assert desk.places == [(3, timedelta(seconds=24))]
    for seen in fake.seen[1:]:
        assert "apikey" not in seen.headers
        assert ("client-agent" in seen.headers) == ("/r2/" not in seen.target)


async def test_the_order_s_name_is_kept_before_it_is_waited_for(fake: Fake) -> None:
    fake.answer = scripted(DONE)

    class Slow(Noted):
        async def placed(self, order_id: str) -> None:
            await asyncio.sleep(0.05)
            assert calls(fake) == ["POST /api/v2/generate/async"]
            await super().placed(order_id)

    desk = Slow()
    await drawn(fake, desk=desk)
    assert desk.orders == [ORDER]


@pytest.mark.parametrize("trouble", [JobConflict("The lease is gone."), asyncio.CancelledError()])
async def test_an_order_whose_name_cannot_be_kept_is_withdrawn(fake: Fake, trouble: BaseException) -> None:
    fake.answer = scripted(DONE)

    class Lost(Noted):
        async def placed(self, order_id: str) -> None:  # noqa: ARG002 - as it is told
            raise trouble

    with pytest.raises(type(trouble)):
        await drawn(fake, desk=Lost())
    assert calls(fake)[1:] == [f"DELETE {STATUS}"]


async def test_counts_are_counts(fake: Fake) -> None:
    """`finished` may be 0 while done, `processing` and `waiting` are numbers, and none of them is the end."""
    busy = {**WAITING, "waiting": 0, "processing": 2, "wait_time": 9, "queue_position": 0}
    almost = {**busy, "finished": 1, "processing": 1}
    fake.answer = scripted(WAITING, busy, almost, {**DONE, "finished": 0})
    desk = Noted()
    await drawn(fake, desk=desk)
    assert desk.places == [(3, timedelta(seconds=24)), (None, timedelta(seconds=9)), (None, timedelta(seconds=9))]


async def test_the_pace_is_two_to_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    provider = horde("http://127.0.0.1:9")
    desk = Noted()
    paces = [provider._tell({**WAITING, "wait_time": wait}, desk) for wait in (0, 5, 24, 40, 900)]
    assert paces == [2.0, 2.0, 2.4, 4.0, 5.0]


async def test_a_faulted_order_is_done_too(fake: Fake) -> None:
    error = await failure(fake, scripted({**DONE, "faulted": True}))
    assert (type(error), error.retryable) == (ProviderUnavailable, True)
    assert f"GET {STATUS}" not in calls(fake)


async def test_what_nobody_can_draw_is_not_waited_for_long(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stable_horde, "IMPOSSIBLE_SECONDS", 0.05)
    error = await failure(fake, scripted({**WAITING, "is_possible": False}))
    assert (type(error), "at the moment" in error.message) == (ProviderUnavailable, True)
    assert calls(fake)[-1] == f"DELETE {STATUS}"
    impossible = [{**WAITING, "is_possible": False}] * 2
    fake.answer = scripted(*impossible, WAITING, *impossible, WAITING, *impossible, DONE)
    assert (await drawn(fake)).data == PNG, "only in a row does it count"


async def test_some_looks_may_go_wrong(fake: Fake) -> None:
    for wrong in (html(502), html(200), Reply(cut=True), horde_error(429, "TooManyPrompts"), as_json([])):
        fake.answer = scripted(*[wrong] * 4, WAITING, *[wrong] * 4, DONE)
        assert (await drawn(fake)).data == PNG
        fake.seen.clear()
        error = await failure(fake, scripted(wrong))
        assert isinstance(error, ProviderUnavailable | ProviderRateLimited)
        assert calls(fake).count(f"GET {CHECK}") == 5
        assert f"DELETE {STATUS}" not in calls(fake), "the order stands, to be found again"


@pytest.mark.parametrize("reply", [horde_error(404, "RequestNotFound"), horde_error(410, "RequestExpired"), html(404)])
async def test_404_while_looking_means_expired(fake: Fake, reply: Reply) -> None:
    error = await failure(fake, scripted(WAITING, reply))
    assert (type(error), "no longer knows" in error.message) == (ProviderUnavailable, True)


async def test_an_order_of_an_earlier_attempt_is_found_again(fake: Fake) -> None:
    fake.answer = scripted(WAITING, DONE)
    desk = Noted()
    made = await drawn(fake, request(order_id=ORDER, attempt=2), desk)
    assert made.data == PNG
    assert not any(call.startswith("POST") for call in calls(fake))
    assert desk.orders == []


@pytest.mark.parametrize(
    "first", [horde_error(404, "RequestNotFound"), as_json({**DONE, "faulted": True})], ids=["expired", "faulted"]
)
async def test_an_order_that_is_gone_is_placed_anew(fake: Fake, first: Reply) -> None:
    fake.answer = scripted(first, DONE)
    desk = Noted()
    assert (await drawn(fake, request(order_id="old-one", attempt=2), desk)).data == PNG
    assert desk.orders == [ORDER]
    assert calls(fake)[:2] == ["GET /api/v2/generate/check/old-one", "POST /api/v2/generate/async"]


async def test_an_order_that_was_withdrawn_has_no_picture(fake: Fake) -> None:
    empty = {**DONE, "generations": []}
    error = await failure(fake, scripted(DONE, status=empty), request(order_id="old-one", attempt=2))
    assert (type(error), calls(fake)[2]) == (ProviderUnavailable, "POST /api/v2/generate/async")


@pytest.mark.parametrize(
    "more",
    [{"censored": True}, {"state": "censored"}, {"state": "csam"},
     {"gen_metadata": [{"type": "censorship", "value": "nsfw"}]}],
    ids=str,
)  # fmt: skip
async def test_a_censored_picture_is_a_placeholder(fake: Fake, more: dict[str, Any]) -> None:
    assert type(await failure(fake, scripted(DONE, status=finished(BASE64, **more)))) is ProviderRefused


@pytest.mark.parametrize("img", ["N/A", "", None, 7, "%%%"])
async def test_no_picture_at_the_end_is_tried_again(fake: Fake, img: Any) -> None:
    assert type(await failure(fake, scripted(DONE, status=finished(img)))) is ProviderUnavailable


async def test_the_status_may_be_asked_for_too_often(fake: Fake) -> None:
    limited = horde_error(429, "TooManyPrompts", retry_after="33")
    error = await failure(fake, scripted(DONE, status=limited))
    assert (type(error), error.retry_after) == (ProviderRateLimited, timedelta(seconds=33))


@pytest.mark.parametrize(
    ("status", "rc", "kind"),
    [
        (400, "MissingPrompt", ProviderInvalidRequest),
        (400, "CorruptPrompt", ProviderRefused),
        (400, "InvalidSize", ProviderInvalidRequest),
        (400, "InvalidPromptSize", ProviderInvalidRequest),
        (400, "TooManySteps", ProviderInvalidRequest),
        (400, "UnsupportedModel", ProviderInvalidRequest),
        (400, "UnsupportedSampler", ProviderInvalidRequest),
        (400, "Profanity", ProviderRefused),
        (400, "MaintenanceMode", ProviderUnavailable),
        (503, "MaintenanceMode", ProviderUnavailable),
        (401, "InvalidAPIKey", ProviderBadKey),
        (403, "KudosUpfront", ProviderNoCredit),
        (403, "TimeoutIP", ProviderRateLimited),
        (403, "AnonForbidden", ProviderBadKey),
        (403, "NotTrusted", ProviderBadKey),
        (403, "SharedKeyInsufficientKudos", ProviderNoCredit),
        (403, "BannedClientAgent", ProviderInvalidRequest),
        (429, "TooManyPrompts", ProviderRateLimited),
        (429, "", ProviderRateLimited),
    ],
)
async def test_every_row_of_its_table(fake: Fake, status: int, rc: str, kind: type[ProviderError]) -> None:
    assert type(await failure(fake, scripted(DONE, placing=horde_error(status, rc)))) is kind


async def test_an_answer_to_the_order_without_its_name_is_of_no_use(fake: Fake) -> None:
    for placing in (as_json({"kudos": 12.4}), as_json({"id": "../../v1/else"}, 202), as_json({"id": ""}, 202)):
        assert type(await failure(fake, scripted(DONE, placing=placing))) is ProviderUnavailable


async def test_an_order_that_takes_too_long_is_withdrawn(fake: Fake) -> None:
    error = await failure(fake, scripted(WAITING), seconds=0.2)
    assert (type(error), "0.2 seconds" in error.message) == (ProviderUnavailable, True)
    assert calls(fake)[-1] == f"DELETE {STATUS}"


async def cancelled(fake: Fake, word: str | None, *, when: Callable[[], bool]) -> float:
    """Cancel a call as soon as it has come so far; the seconds until it has let go."""
    provider, loop = horde(fake.base), asyncio.get_running_loop()
    call = asyncio.create_task(provider.generate(request(), Noted()))
    async with asyncio.timeout(60):
        while not when():
            await asyncio.sleep(0.01)
        began = loop.time()
        call.cancel(word)
        with pytest.raises(asyncio.CancelledError):
            await call
    took = loop.time() - began
    await provider.close()
    return took


@pytest.mark.parametrize("check", [WAITING, Reply(silent=True)], ids=["between looks", "in a look"])
async def test_a_cancelled_order_is_withdrawn(fake: Fake, check: object) -> None:
    fake.answer = scripted(check)
    await cancelled(fake, None, when=lambda: f"GET {CHECK}" in calls(fake))
    assert calls(fake).count(f"DELETE {STATUS}") == 1
    assert "apikey" not in fake.seen[-1].headers


@pytest.mark.parametrize("check", [WAITING, Reply(silent=True)], ids=["between looks", "in a look"])
async def test_an_order_that_another_attempt_goes_on_with_stands(fake: Fake, check: object) -> None:
    fake.answer = scripted(check)
    await cancelled(fake, GIVEN_BACK, when=lambda: f"GET {CHECK}" in calls(fake))
    assert f"DELETE {STATUS}" not in calls(fake)


async def test_a_horde_that_does_not_hear_holds_nobody_up(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stable_horde, "WITHDRAW_SECONDS", 0.2)
    answers = scripted(WAITING)
    fake.answer = lambda seen: Reply(silent=True) if seen.method == "DELETE" else answers(seen)
    assert await cancelled(fake, None, when=lambda: f"GET {CHECK}" in calls(fake)) < 5
    assert calls(fake)[-1] == f"DELETE {STATUS}"


async def test_a_horde_that_is_gone_holds_nobody_up_either(fake: Fake, caplog: pytest.LogCaptureFixture) -> None:
    answers = scripted(WAITING)
    fake.answer = lambda seen: Reply(cut=True) if seen.method == "DELETE" else answers(seen)
    await cancelled(fake, None, when=lambda: f"GET {CHECK}" in calls(fake))
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_who_is_cancelled_twice_withdraws_all_the_same(fake: Fake) -> None:
    fake.answer = scripted(WAITING)
    provider = horde(fake.base)
    call = asyncio.create_task(provider.generate(request(), Noted()))
    async with asyncio.timeout(60):
        while f"GET {CHECK}" not in calls(fake):
            await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await provider.close()
    assert f"DELETE {STATUS}" in calls(fake)


async def test_the_picture_s_host_gets_no_key_and_may_fail(fake: Fake) -> None:
    answers = horde_service()
    for reply in (
        Reply(status=403),
        Reply(),
        Reply(status=302, headers={"location": "http://127.0.0.1:1/"}),
        Reply(cut=True),
    ):
        fake.answer = lambda seen, reply=reply: reply if "/r2/" in seen.target else answers(seen)  # type: ignore[misc]
        with pytest.raises(ProviderUnavailable):
            await drawn(fake)
    fake.answer = lambda seen: image() if "/r2/" in seen.target else answers(seen)
    with pytest.raises(ProviderUnavailable, match="not fetched from"):
        await drawn(fake, allow_private=False)
