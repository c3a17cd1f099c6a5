"""Server-sent events: one event, one write, one `data:` line that fits into a network packet."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeVar

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from atelier import logs, metrics
from atelier.jobs.models import Update

LIMIT = 1200
"""Most bytes of one event, its `id:` line and blank line included."""

PING_SECONDS = 15
SEND_SECONDS = 20
"""A client that takes nothing for this long is let go."""

LONGEST_SECONDS = 55 * 60
"""A stream that is older ends with the farewell: Cloud Run cuts whatever has lasted an hour, without a word."""

PROBES, PROBE_SECONDS = 5, 0.4
"""How many events a probe sends, and how far apart: what comes all at once was held back on the way."""

FAREWELL = b": come back with the last id\nretry: 1000\n\n"
"""What a stream says when it has to end before its job has."""

GROUP_FAREWELL = b": come back for a fresh start\nretry: 1000\n\n"
"""The same of a stream without numbers."""

SIX = ("image_id", "image_url", "width", "height", "format", "alt_text")
"""Picture fields that every event keeps."""

KEPT = frozenset({"result", "section", "draft", "key", "error", "code", "outcome", "billed", "blog_id", "blog_job_id"})
"""What of an event's data is never dropped for being long."""

SHORTER = (("error", 400), ("error", 200), ("thumbnail_url", 0), ("error", 100), ("message", 100))
"""How a message of few fields is made to fit: cut to so many bytes, or (0) dropped, in this order."""

Message = dict[str, Any]
ToMessage = Callable[[Update], Message]
News = TypeVar("News")


class EventStream(EventSourceResponse):
    """A stream that is counted for as long as it is open, and just ends when its client stops reading."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end, or until the client takes nothing for too long."""
        with metrics.OPEN_STREAMS.track_inprogress():
            try:
                await super().__call__(scope, receive, send)
            except SendTimeoutError:
                logs.warning("client_reads_nothing", seconds=self.send_timeout)


def event_stream(
    updates: AsyncIterator[Update], to_event: Callable[[Update], bytes], headers: dict[str, str]
) -> EventSourceResponse:
    """Return the response that sends each update's event until the updates end."""
    return _response(_events(updates, to_event), headers)


def group_stream(
    updates: AsyncIterator[Update | None], to_message: ToMessage, headers: dict[str, str]
) -> EventSourceResponse:
    """Return the response that sends the states of a group's members, without numbers, until None or the updates end."""
    return _response(_unnumbered(updates, lambda update: encode(to_message(update), None)), headers)


def message_stream(messages: AsyncIterator[Message | None], headers: dict[str, str]) -> EventSourceResponse:
    """Return the response that sends messages of few fields, without numbers, until None or the messages end."""
    return _response(_unnumbered(messages, encode_short), headers)


def probe_stream() -> EventSourceResponse:
    """Return a response like every stream's, whose few events say their number and when they were sent."""
    return _response(_probes(), {})


async def _probes() -> AsyncIterator[bytes]:
    for number in range(1, PROBES + 1):
        yield encode({"number": number, "of": PROBES, "sent_at": time.time()}, number)
        await asyncio.sleep(PROBE_SECONDS if number < PROBES else 0)


def _response(events: AsyncIterator[bytes], headers: dict[str, str]) -> EventSourceResponse:
    return EventStream(
        events,
        headers={"Cache-Control": "no-cache, no-transform", **headers},
        ping=PING_SECONDS,
        ping_message_factory=lambda: ServerSentEvent(comment="ping", sep="\n"),
        sep="\n",
        send_timeout=SEND_SECONDS,
        shutdown_event=anyio.Event(),
        shutdown_grace_period=3,
    )


async def _events(updates: AsyncIterator[Update], to_event: Callable[[Update], bytes]) -> AsyncIterator[bytes]:
    """Yield each update's event. None of them is kept meanwhile: thousands of streams wait here."""
    opened, ended = time.time(), False
    async for update in _while_young(updates):
        _count_lag(update, opened)
        yield to_event(update)
        ended = update.job.status.terminal
    if not ended:
        yield FAREWELL


async def _while_young(updates: AsyncIterator[News]) -> AsyncIterator[News]:
    """Yield the updates until they end, or until the stream has lasted for as long as one may."""
    old = asyncio.get_running_loop().time() + LONGEST_SECONDS
    while True:
        try:
            async with asyncio.timeout_at(old) as age:
                update = await anext(updates)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if not age.expired():
                raise
            return
        yield update


def _count_lag(update: Update, opened: float) -> None:
    """Observe how old a record is that is handed over; one from before the stream says nothing."""
    if update.record is not None and (written := update.record.at.timestamp()) >= opened:
        metrics.STREAM_LAG.observe(max(0.0, time.time() - written))


async def _unnumbered(news: AsyncIterator[News | None], encoded: Callable[[News], bytes]) -> AsyncIterator[bytes]:
    async for one in _while_young(news):
        if one is None:
            return
        yield encoded(one)
    yield GROUP_FAREWELL


def encode_short(message: Message) -> bytes:
    """Return a message of few fields as an event; where it is too long, `error` and `message` are cut, `thumbnail_url` dropped."""
    event = f"data: {compact(message)}\n\n".encode()
    for name, size in SHORTER:
        if len(event) <= LIMIT:
            break
        if size:
            _cut(message, name, size)
        else:
            message.pop(name, None)
        event = f"data: {compact(message)}\n\n".encode()
    return event


def encode(message: Message, number: int | None) -> bytes:
    """Return the event, shortened by the documented order until it fits; None: it has no number to come back with."""
    event, numbered = b"", f"id: {number}\n" if number is not None else ""
    for shorten in _STEPS:
        shorten(message)
        event = f"{numbered}data: {compact(message)}\n\n".encode()
        if len(event) <= LIMIT:
            break
    return event  # over the limit only with addresses longer than a Host may be: better long than lost


def compact(message: Message) -> str:
    """Return JSON in UTF-8 without blanks; control characters and line separators are escaped, nothing else."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES)


_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}


def _same(_: Message) -> None:
    """Change nothing: most events fit."""


def _drop_urls(message: Message) -> None:
    if "urls" in message:
        message["urls"] = {"self": message["urls"]["self"]}


def _drop(message: Message, name: str) -> None:
    message.pop(name, None)


def _drop_evidence(message: Message) -> None:
    data = message["data"]
    shown = [*((data.get("result") or {}).get("images") or ()), *filter(None, (data.get("draft"),))]
    for picture in shown:
        picture.pop("validation", None)


def _drop_picture_fields(message: Message) -> None:
    data = message["data"]
    if (data.get("result") or {}).get("images"):
        data["result"]["images"] = [_six(picture) for picture in data["result"]["images"]]
    if "draft" in data:
        data["draft"] = _six(data["draft"])


def _six(picture: Message) -> Message:
    return {name: picture[name] for name in SIX}


def _drop_draft_fields(message: Message) -> None:
    if "draft" in message["data"]:
        message["data"]["draft"] = {"image_url": message["data"]["draft"]["image_url"]}


def _drop_draft(message: Message) -> None:
    message["data"].pop("draft", None)


def _drop_pictures(message: Message) -> None:
    result = message["data"].get("result")
    if result and "images" in result:
        result["images"] = result["images"][:1]


def _drop_details(message: Message) -> None:
    """Drop what a record says beside, where it is text: what was skipped and why stands in the message, too."""
    data = message["data"]
    message["data"] = {
        name: value for name, value in data.items() if name in KEPT or not isinstance(value, str | dict | list)
    }


def _drop_making(message: Message) -> None:
    """Drop how pictures were made: they are enough."""
    result = message["data"].get("result")
    if result and "images" in result:
        message["data"]["result"] = {"images": result["images"]}


_SIZES = (400, 200, 100, 50)


def _cut_alt_text(message: Message, size: int) -> None:
    for picture in (message["data"].get("result") or {}).get("images", ()):
        _cut(picture, "alt_text", size)


def _cut_titles(message: Message, size: int) -> None:
    """Cut the titles of a post and of its section."""
    for holder in ("result", "section"):
        _cut(message["data"].get(holder) or {}, "title", size)


def _cut_error(message: Message, size: int) -> None:
    _cut(message["data"], "error", size)


def _cut_message(message: Message, size: int) -> None:
    _cut(message, "message", size)


def _cut(holder: Message, name: str, size: int) -> None:
    """Cut a text to `size` bytes as they are sent, never inside a character."""
    text = holder.get(name)
    if not isinstance(text, str):
        return
    while len(compact_text(text)) > size:
        over = len(compact_text(text)) - size
        text = text[: -max(1, over // 4)]
        holder[name] = text + "…"


_STEPS: tuple[Callable[[Message], None], ...] = (
    _same,
    _drop_evidence,
    _drop_urls,
    *(partial(_drop, name=name) for name in ("warnings", "eta", "queue")),
    _drop_picture_fields,
    _drop_draft_fields,
    _drop_pictures,
    _drop_details,
    *(partial(cut, size=size) for cut in (_cut_alt_text, _cut_titles, _cut_error, _cut_message) for size in _SIZES),
    _drop_draft,
    _drop_making,
    partial(_drop, name="urls"),
)
"""What is done to an event that is too long, in this order, until it fits."""


def compact_text(text: str) -> bytes:
    """Return the bytes a text takes inside an event."""
    return json.dumps(text, ensure_ascii=False).translate(_ESCAPES).encode()
