"""One suite for every vendor who writes: it does, or says in the one vocabulary why not, and shows neither key nor prompt."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.desks import Noted
from tests.providers.fakes import Fake, Reply, Seen, as_json, faking, html
from tests.providers.subjects import KEY
from tests.providers.text_subjects import PROMPT, SHAPE, TEXT_SUBJECTS, TextSubject, text_request

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
from atelier.pipelines.texts import GeneratedText, TextProvider, Usage
from atelier.providers import calls
from atelier.providers.tokens import FREE, Prices

pytestmark = pytest.mark.parametrize("subject", TEXT_SUBJECTS, ids=lambda subject: subject.name)

TEXT = "The hills are high.\n\nThe rivers are low é."
ANSWER = '{"title": "Hills", "points": [{"text": "They are high."}]}'
PARSED = {"title": "Hills", "points": [{"text": "They are high."}]}


@contextlib.asynccontextmanager
async def made(subject: TextSubject, base: str, **more: Any) -> AsyncIterator[TextProvider]:
    provider = subject.make(base, **more)
    try:
        yield provider
    finally:
        await provider.close()


async def written(subject: TextSubject, fake: Fake, *, shape: Any = None, **more: Any) -> GeneratedText:
    async with made(subject, fake.base, **more) as provider:
        return await provider.generate(text_request(shape=shape), Noted())


async def failure(subject: TextSubject, fake: Fake, first: Reply | None = None, **more: Any) -> ProviderError:
    """Return what a call raises that is answered so."""
    if first is not None:
        fake.says(first)
    with pytest.raises(ProviderError) as raised:
        await written(subject, fake, **more)
    assert KEY not in raised.value.message
    return raised.value


async def test_it_writes(subject: TextSubject, fake: Fake) -> None:
    fake.says(subject.writes(TEXT))
    text = await written(subject, fake)
    assert (text.text, text.value, text.ending, text.warnings) == (TEXT, None, "stop", ())
    assert (text.provider, text.usage) == (subject.name, Usage(read=1000, written=200))
    assert text.cost == pytest.approx(subject.cost)
    (seen,) = fake.seen
    assert (seen.method, seen.target) == ("POST", subject.path)


async def test_what_is_asked_is_told_and_bounded(subject: TextSubject, fake: Fake) -> None:
    fake.says(subject.writes(TEXT))
    async with made(subject, fake.base, model="a-model") as provider:
        await provider.generate(text_request(most_tokens=77), Noted())
        await provider.generate(text_request(instructions=""), Noted())
    first, second = (seen.json() for seen in fake.seen)
    system = first.pop("system", None) or first["messages"].pop(0)["content"]
    assert (system, first["messages"]) == ("You write plainly.", [{"role": "user", "content": PROMPT}])
    assert first["model"] == "a-model"
    assert first.get("max_completion_tokens", first.get("max_tokens")) == 77
    assert "temperature" not in first
    assert (second["messages"], "system" in second) == ([{"role": "user", "content": PROMPT}], False)


async def test_a_model_that_thinks_gets_room_for_it(subject: TextSubject, fake: Fake) -> None:
    fake.says(subject.cut_off)
    assert (await written(subject, fake)).ending == "length"
    assert limit(fake.seen[0]) == 500 + 4096


async def test_a_model_that_thought_until_the_end_gets_room_next_time(subject: TextSubject, fake: Fake) -> None:
    empty = (
        subject.cut_off.body.replace(b'"The hills are"', b'""').replace(b'"The"', b'""').replace(b'" hills are"', b'""')
    )
    fake.says(Reply(headers=subject.cut_off.headers, body=empty), subject.writes(TEXT))
    async with made(subject, fake.base, model="a-model") as provider:
        first = await provider.generate(text_request(), Noted())
        assert (first.text, first.ending) == ("", "length")
        await provider.generate(text_request(), Noted())
    assert [limit(seen) for seen in fake.seen] == [500, 500 + 4096]


def limit(seen: Seen) -> int:
    asked = seen.json()
    return int(asked.get("max_completion_tokens") or asked["max_tokens"])


async def test_a_shape_is_asked_for_strictly_and_read(subject: TextSubject, fake: Fake) -> None:
    fake.says(subject.writes(ANSWER))
    text = await written(subject, fake, shape=SHAPE)
    assert text.value == PARSED
    (seen,) = fake.seen
    body = seen.json()
    schema = (
        body["output_config"]["format"]["schema"]
        if "output_config" in body
        else body["response_format"]["json_schema"]["schema"]
    )
    assert schema["required"] == ["title", "points", "note"]
    assert schema["properties"]["note"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert schema["$defs"]["Point"]["additionalProperties"] is schema["additionalProperties"] is False
    assert "JSON schema" not in json.dumps(body["messages"]) + str(body.get("system"))


async def test_nulls_that_strictness_forces_are_no_values(subject: TextSubject, fake: Fake) -> None:
    fake.says(subject.writes('{"title": "Hills", "points": [], "note": null}'))
    assert (await written(subject, fake, shape=SHAPE)).value == {"title": "Hills", "points": []}


async def test_a_server_that_takes_no_shapes_is_asked_in_words_and_that_is_remembered(
    subject: TextSubject, fake: Fake
) -> None:
    fake.answer = lambda seen: subject.refuses_shapes(seen) or subject.writes(f"Gladly:\n```json\n{ANSWER}\n```")
    async with made(subject, fake.base) as provider:
        for _ in range(2):
            text = await provider.generate(text_request(shape=SHAPE), Noted())
            assert text.value == PARSED
    refused = sum(subject.refuses_shapes(seen) is not None for seen in fake.seen)
    assert (len(fake.seen) - refused, refused) == (2, 1 if subject.name == "anthropic" else 2)
    assert "minLength" in fake.seen[-1].body.decode(), "the whole shape is told"
    assert "You write plainly." in fake.seen[-1].body.decode()


async def test_what_is_no_json_is_no_value(subject: TextSubject, fake: Fake) -> None:
    for text in ("I would rather not.", "{", '{"title": NaN}', "7", "null", "[" * 5000, '{"a": ' + "9" * 5000 + "}"):
        fake.says(subject.writes(text))
        made_ = await written(subject, fake, shape=SHAPE)
        assert (made_.value, made_.text) == (None, text)


async def test_text_that_cannot_be_stored_is_mended(subject: TextSubject, fake: Fake) -> None:
    fake.says(subject.writes("One\r\ntwo\x00\x1b \ud800 three"))
    assert (await written(subject, fake)).text == "One\ntwo ? three"
    fake.says(subject.writes('{"title": "\\ud800", "points": []}'))
    assert (await written(subject, fake, shape=SHAPE)).value == {"title": "?", "points": []}


async def test_a_text_without_a_count_is_estimated_and_says_so(subject: TextSubject, fake: Fake) -> None:
    fake.says(subject.uncounted)
    text = await written(subject, fake)
    assert text.usage == Usage(read=-(-len("You write plainly." + PROMPT) // 4), written=5)
    (warning,) = text.warnings
    assert "estimated" in warning


async def test_its_terms_are_those_of_who_is_paid_by_the_token(subject: TextSubject) -> None:
    async with made(subject, "http://127.0.0.1:9", prices=Prices(2, 3)) as provider:
        terms = (provider.terms.abort, provider.terms.abort_billed, provider.terms.billed)
        assert terms == ("provider_cannot_cancel", "unknown", "yes")
        assert (provider.offer.read_price, provider.offer.written_price) == (2, 3)
        assert provider.terms.prices_as_of is not None
    async with made(subject, "http://127.0.0.1:9", prices=FREE) as provider:
        assert (provider.terms.abort_billed, provider.terms.billed) == ("no", "no")


@pytest.mark.parametrize(
    ("case", "error"),
    [
        ("refusals", ProviderRefused),
        ("bad_keys", ProviderBadKey),
        ("no_credits", ProviderNoCredit),
        ("wrong", ProviderInvalidRequest),
    ],
)
async def test_what_will_not_change_is_told_apart(
    subject: TextSubject, fake: Fake, case: str, error: type[ProviderError]
) -> None:
    for reply in getattr(subject, case):
        fake.seen.clear()
        failed = await failure(subject, fake, reply)
        assert (type(failed), failed.retryable, len(fake.seen)) == (error, False, 1), reply.body


async def test_a_rate_limit_says_when_to_come_back(subject: TextSubject, fake: Fake) -> None:
    error = await failure(subject, fake, subject.rate_limit)
    assert isinstance(error, ProviderRateLimited)
    assert (error.retry_after, error.daily, error.retryable) == (timedelta(seconds=20), False, True)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 529])
async def test_a_server_s_own_failure_is_tried_again(subject: TextSubject, fake: Fake, status: int) -> None:
    for reply in (html(status), as_json({"error": {"code": status}}, status), Reply(status=status)):
        error = await failure(subject, fake, reply)
        assert (type(error), error.retryable) == (ProviderUnavailable, True)


async def test_a_page_instead_of_a_text_may_have_cost(subject: TextSubject, fake: Fake) -> None:
    for reply in (html(), Reply(), as_json({}), as_json({"choices": [], "content": []})):
        assert type(await failure(subject, fake, reply)) is MaybeCharged


@pytest.mark.parametrize(
    "body",
    [None, [], {}, "", 0, [1], [{}], {"choices": 1}, {"choices": [1]}, {"choices": [{"message": 1}]}, {"error": 1},
     {"error": "x"}, {"error": [1]}, {"error": {"details": [1], "message": 4, "code": []}}, {"content": "x"},
     {"content": [1, {"type": "text"}]}, {"usage": []}, {"detail": [1, {"loc": 1}]}, {"message": {"detail": [{}]}}],
    ids=json.dumps,
)  # fmt: skip
async def test_nonsense_breaks_nothing(subject: TextSubject, fake: Fake, body: object) -> None:
    for status in (200, 202, 400, 403, 418, 422, 429, 500):
        fake.says(as_json(body, status))
        with contextlib.suppress(ProviderError):
            assert (await written(subject, fake, shape=SHAPE)).value is None


async def test_deep_and_long_nonsense_breaks_nothing(subject: TextSubject, fake: Fake) -> None:
    for body in (b"[" * 100_000, b'{"error": ' + b"9" * 5000 + b"}", b"\xff\xfe\x00", b'"\\ud800"'):
        for status in (200, 400):
            reply = Reply(status=status, headers={"content-type": "application/json"}, body=body)
            assert isinstance(await failure(subject, fake, reply), ProviderError)


async def test_an_answer_that_drips_or_never_comes_ends_at_the_deadline(subject: TextSubject, fake: Fake) -> None:
    whole = subject.writes(TEXT)
    for reply in (Reply(headers=whole.headers, body=whole.body, pause=0.05), Reply(silent=True)):
        error = await failure(subject, fake, reply, seconds=0.3)
        assert (type(error), "0.3 seconds" in error.message) == (MaybeCharged, True)
    assert type(await failure(subject, fake, Reply(silent=True), seconds=0.3, prices=FREE)) is ProviderUnavailable


async def test_a_connection_that_breaks_may_have_cost(subject: TextSubject, fake: Fake) -> None:
    for reply in (Reply(cut=True), Reply(headers={"content-type": "application/json"}, body=b'{"choi', cut=True)):
        assert type(await failure(subject, fake, reply)) is MaybeCharged


async def test_nobody_at_the_address_costs_nothing(subject: TextSubject, fake: Fake) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        fake.base = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert type(await failure(subject, fake)) is ProviderUnavailable


async def test_an_answer_without_end_is_not_read_to_it(
    subject: TextSubject, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "LARGEST", 100_000)
    assert type(await failure(subject, fake, Reply(body=bytes(100_001)))) is MaybeCharged


async def test_a_redirect_is_not_followed(subject: TextSubject, fake: Fake) -> None:
    async with faking() as elsewhere:
        elsewhere.says(subject.writes(TEXT))
        for status in (301, 302, 303, 307, 308):
            reply = Reply(status=status, headers={"location": f"{elsewhere.base}/here"})
            assert type(await failure(subject, fake, reply)) is ProviderUnavailable
        assert elsewhere.seen == []


async def test_key_and_prompt_are_in_no_log_and_no_error(
    subject: TextSubject, fake: Fake, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = f"The size 7x7 is wrong for key {KEY}, that is ***{KEY[10:24]} or Bearer sk-abcdef1234"
    error = await failure(subject, fake, subject.echo(said))
    assert type(error) is ProviderInvalidRequest
    assert "The size 7x7 is wrong for key [redacted]" in error.message
    shown = error.message + caplog.text
    assert not any(KEY[place : place + 6] in shown for place in range(len(KEY) - 5))
    assert "abcdef" not in shown
    fake.says(subject.writes(TEXT))
    await written(subject, fake)
    assert any(KEY in value for value in fake.seen[-1].headers.values())
    assert KEY not in fake.seen[-1].target
    assert KEY.encode() not in fake.seen[-1].body
    assert not any(part in caplog.text for part in ("hills between", "The hills are high", "You write plainly"))


async def test_a_key_that_no_header_can_carry_is_a_bad_key(subject: TextSubject, fake: Fake) -> None:
    async with made(subject, fake.base) as provider:
        provider._key = "a\r\nhost: elsewhere"  # type: ignore[attr-defined]
        with pytest.raises(ProviderBadKey):
            await provider.generate(text_request(), Noted())
    assert fake.seen == []


async def test_many_at_once_close_with_the_provider_and_open_again(subject: TextSubject, fake: Fake) -> None:
    fake.says(subject.writes(TEXT))
    async with made(subject, fake.base) as provider:
        texts = await asyncio.gather(*(provider.generate(text_request(), Noted()) for _ in range(20)))
        assert {text.text for text in texts} == {TEXT}
        await provider.close()
        assert (await provider.generate(text_request(), Noted())).text == TEXT


async def test_a_cancelled_call_closes_its_connection_at_once(subject: TextSubject, fake: Fake) -> None:
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while await reader.read(1000):
            called.set()
        closed.set()
        writer.close()

    called = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with asyncio.timeout(60), server, made(subject, base) as provider:
        call = asyncio.create_task(provider.generate(text_request(), Noted()))
        await called.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await closed.wait()
    assert fake.seen == []


async def test_the_doctor_can_ask_for_free(subject: TextSubject, fake: Fake) -> None:
    async with made(subject, fake.base) as provider:
        fake.says(as_json({"object": "list", "data": [{"id": "m"}]}))
        await provider.ping()
        (seen,) = fake.seen
        assert (seen.method, seen.target, seen.body) == ("GET", "/v1/models", b"")
        fake.says(subject.bad_keys[0])
        with pytest.raises(ProviderBadKey):
            await provider.ping()
        fake.says(html(503))
        with pytest.raises(ProviderUnavailable):
            await provider.ping()
