"""Streams that are cut wherever it hurts, and readers that stop reading."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.history import History, Watch, picture_of
from tests.images import ROOT, ended, events_of
from tests.live import Live, Serve

from atelier import wiring
from atelier.api import connections, streams
from atelier.errors import ProviderUnavailable
from atelier.jobs import steps
from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest, StepReport
from atelier.providers.sandbox import Sandbox
from atelier.settings import Settings

WITHIN = 60


class Played(Sandbox):
    """Somebody else's service: so many steps, so far apart; down at the first attempt where the prompt says so."""

    def __init__(self, steps: int, pause: float) -> None:
        super().__init__()
        self._steps, self._pause = steps, pause

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:
        if request.prompt.startswith("Down") and request.attempt == 1:
            raise ProviderUnavailable("It is down.")
        for step in range(1, self._steps + 1):
            desk.step(StepReport(step=step, total=self._steps, preview=None))
            await asyncio.sleep(self._pause)
        return GeneratedImage(data=picture_of(request.prompt), provider="sandbox", model="played", seed=1, cost=0.0)


@asynccontextmanager
async def played(serve: Serve, tmp_path: Path, provider: Played, **settings: Any) -> AsyncIterator[Live]:
    config = Settings(data_dir=tmp_path / "data")
    adapters = await asyncio.to_thread(wiring.build_adapters, config)
    async with serve(adapters=replace(adapters, image_providers={"sandbox": provider}), **settings) as live:
        yield live


@dataclass
class Cutter:
    """Watches jobs over connections that it cuts after any number of bytes."""

    live: Live
    history: History
    chance: random.Random
    cuts: int = 0
    posts: int = 0
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def watch_one(self, cuts: int) -> None:
        """Submit a job and watch it; after so many cuts the last connection is left alone."""
        number, seen = next(self.numbers), Watch("")
        prompt = f"{self.chance.choice(['A hill', 'Down'])} {number}"
        order = {"prompt": prompt, "blog_id": self.history.name}
        for left in range(cuts, -1, -1):
            most = self.chance.randrange(1, self.chance.choice([40, 600, 1500, 4000])) if left else sys.maxsize
            request = self.resume(seen) if seen.job_id else self.post(order, f"key-{number}")
            if await self.read(request, seen, most):
                break
        assert seen.ended
        self.history.acknowledged[seen.job_id] = prompt
        self.history.watches.append(seen)

    def post(self, order: dict[str, Any], key: str) -> bytes:
        self.posts += 1
        body = json.dumps(order).encode()
        head = f"POST {ROOT}/generate/stream HTTP/1.1\r\nHost: x\r\nIdempotency-Key: {key}\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def resume(self, seen: Watch) -> bytes:
        cursor = f"Last-Event-ID: {seen.cursor}\r\n" if seen.events else ""
        return f"GET {ROOT}/jobs/{seen.job_id}/stream HTTP/1.1\r\nHost: x\r\n{cursor}\r\n".encode()

    async def read(self, request: bytes, seen: Watch, most: int) -> bool:
        """Take at most so many bytes; whether the end was among them. Half an event is forgotten with its connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.live.port)
        writer.write(request)
        raw = b""
        async with asyncio.timeout(WITHIN):
            while len(raw) < most and not raw.endswith(LAST_CHUNK):
                raw += await reader.read(min(65536, most - len(raw))) or pytest.fail("the server cut a stream")
        (writer.transport.abort if self.chance.random() < 0.5 else writer.close)()
        self.cuts += not raw.endswith(LAST_CHUNK)
        head, _, body = raw.partition(b"\r\n\r\n")
        if body:
            self.take(head.decode(), body, seen)
        return seen.ended

    def take(self, head: str, body: bytes, seen: Watch) -> None:
        status, *lines = head.split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        assert status.split()[1] == "200", head
        seen.job_id = headers["x-job-id"]
        seen.take(dechunked(body))


LAST_CHUNK = b"\r\n0\r\n\r\n"


def dechunked(body: bytes) -> bytes:
    """Return the content of a chunked body, as far as it goes."""
    content = b""
    while b"\r\n" in body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        content += body[:length]
        body = body[length + 2 :]
    return content


@pytest.mark.parametrize("cuts", [400, pytest.param(20_000, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
async def test_cuts_at_any_byte_lose_nothing_and_repeat_nothing(serve: Serve, tmp_path: Path, cuts: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    chance = random.Random(seed)
    shape = {"retry_base_seconds": 0.05, "slots": {"image": 30}}
    async with played(serve, tmp_path, Played(4, 0.01), **shape) as live, History(live.port) as history:
        cutter = Cutter(live, history, chance)

        async def customer() -> None:
            while cutter.cuts < cuts:
                await cutter.watch_one(chance.randrange(5, 16))

        await asyncio.gather(*(customer() for _ in range(24)))
        assert cutter.cuts >= cuts
        assert cutter.posts > len(history.acknowledged), "some were cut before they knew their job"
        jobs = await history.judge(live.client, [])
        assert {job["status"] for job in jobs.values()} == {"completed"}
        assert not live.app.state.surroundings.engine._followers._open


@dataclass
class Deaf:
    """A client with small buffers that asks for a stream and never reads it."""

    socket: socket.socket

    @classmethod
    async def open(cls, live: Live, job_id: str) -> Deaf:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(0)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", live.port))
        deaf = cls(client)
        async with asyncio.timeout(60):
            while not (theirs := deaf.connections(live)):
                await asyncio.sleep(0.01)
        theirs[0].transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        await loop.sock_sendall(client, f"GET {ROOT}/jobs/{job_id}/stream HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return deaf

    def connections(self, live: Live) -> list[Any]:
        """Return what the server holds of it."""
        name = self.socket.getsockname()
        held: list[Any] = list(live.server.server_state.connections)
        return [one for one in held if one.transport.get_extra_info("peername") == name]


async def arrivals(live: Live, job_id: str) -> dict[int, float]:
    """Watch as everybody does; when each record came."""
    loop, came, seen = asyncio.get_running_loop(), {}, Watch(job_id)
    rest = b""
    async with live.client.stream("GET", f"{ROOT}/jobs/{job_id}/stream") as response:
        async for chunk in response.aiter_raw():
            known = len(seen.events)
            rest = seen.take(rest + chunk)
            came.update({number: loop.time() for number, event in seen.events[known:] if "step" not in event})
    assert seen.ended
    assert len(seen.events) > 100, "it had much to tell"
    return came


async def test_a_reader_that_stops_is_let_go_and_delays_nobody(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streams, "SEND_SECONDS", 0.5)
    monkeypatch.setattr(connections, "SEND_SECONDS", 1.5)
    monkeypatch.setattr(steps, "STEP_INTERVAL", timedelta())
    async with played(serve, tmp_path, Played(700, 0.004)) as live:
        body = {"prompt": "A hill"}
        job_id = (await live.client.post(f"{ROOT}/generate", json=body)).json()["job_id"]
        deaf = await Deaf.open(live, job_id)
        readers = [asyncio.create_task(arrivals(live, job_id)) for _ in range(5)]
        async with asyncio.timeout(WITHIN):
            while deaf.connections(live):
                await asyncio.sleep(0.05)
        assert not any(reader.done() for reader in readers), "the others were still watching when it was let go"
        assert caplog.messages.count("client_reads_nothing") == 1
        times = await asyncio.gather(*readers)
        deaf.socket.close()
        assert (await ended(live, job_id))["status"] == "completed"
        assert {tuple(sorted(came)) for came in times} == {(1, 2, 3, 4, 5)}
        for number in range(1, 6):
            moments = [came[number] for came in times]
            assert max(moments) - min(moments) < 2, "nobody waited for another"
        assert not live.app.state.surroundings.engine._followers._open
        assert not live.server.server_state.tasks
        assert "atelier_open_streams 0.0" in (await live.client.get("/metrics")).text
    assert not any(record.exc_info for record in caplog.records), "it is an everyday event"


async def test_a_stream_ends_before_a_platform_cuts_it_and_goes_on_elsewhere(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at a stop: a farewell without an error, for a job that lives; the client comes back with its number."""
    monkeypatch.setattr(streams, "LONGEST_SECONDS", 0.5)
    stall = {"prompt": "x", "sandbox": {"scenario": "stall"}}
    answer = await live.client.post(f"{ROOT}/generate/stream", json=stall)
    assert answer.text.endswith(streams.FAREWELL.decode())
    events = events_of(answer.text)
    assert [event["stage"] for _, event in events][:3] == ["queued", "processing", "generating"]
    assert all(event["stage"] != "error" for _, event in events)
    job, last = events[-1][1]["job_id"], events[-1][0]
    again = await live.client.get(f"{ROOT}/jobs/{job}/stream", headers={"Last-Event-ID": str(last)})
    assert again.text.endswith(streams.FAREWELL.decode())
    assert all(number >= last for number, _ in events_of(again.text))
    await live.client.post(f"{ROOT}/jobs/{job}/cancel")
    rest = await live.client.get(f"{ROOT}/jobs/{job}/stream", headers={"Last-Event-ID": str(last)})
    assert events_of(rest.text)[-1][1]["status"] == "cancelled"


async def test_a_groups_stream_ends_likewise(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LONGEST_SECONDS", 0.5)
    stall = {"images": [{"prompt": "x", "sandbox": {"scenario": "stall"}}]}
    batch = (await live.client.post(f"{ROOT}/batch-generate", json=stall)).json()
    text = (await live.client.get(batch["urls"]["stream"])).text
    assert text.endswith(streams.GROUP_FAREWELL.decode())
    await live.client.post(batch["urls"]["cancel"])


async def test_what_is_busy_ends_in_time_too(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LONGEST_SECONDS", 0.5)
    async with played(serve, tmp_path, Played(steps=400, pause=0.01)) as live:
        text = (await live.client.post(f"{ROOT}/generate/stream", json={"prompt": "Long"})).text
        assert text.endswith(streams.FAREWELL.decode())


def test_a_stream_is_shorter_than_what_cloud_run_allows() -> None:
    assert streams.LONGEST_SECONDS + streams.SEND_SECONDS < 3600
