"""Readers of a story's stream who come back after every cut, and what has to be true of all they saw."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests.history import PAUSE_SECONDS, SILENCE_SECONDS
from tests.loopback import TRUSTS_NOBODY
from tests.stories import ROOT

Event = dict[str, Any]
KINDS = ("text", "image", "complete")
ENDED = {"completed", "failed"}


@dataclass
class Reader:
    """Reads a story's stream until it is complete, from whichever server answers; what each connection told."""

    story_id: str
    ports: tuple[int, ...]
    connections: list[list[Event]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return any(event["type"] == "complete" for event in self.told)

    @property
    def told(self) -> list[Event]:
        return [event for connection in self.connections for event in connection]

    async def follow(self, within: float = 60) -> None:
        """Read on until the end, over as many connections as that takes."""
        bases = itertools.cycle([f"http://127.0.0.1:{port}" for port in self.ports])
        async with asyncio.timeout(within), httpx.AsyncClient(timeout=SILENCE_SECONDS, verify=TRUSTS_NOBODY) as client:
            while not self.ended:
                try:
                    await self._read(client, next(bases))
                except httpx.TransportError:
                    await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self, client: httpx.AsyncClient, base: str) -> None:
        async with client.stream("GET", f"{base}{ROOT}/{self.story_id}/images/stream/") as response:
            if response.status_code != 200:
                assert response.status_code == 503, response.status_code
                await asyncio.sleep(PAUSE_SECONDS)
                return
            self.connections.append(told := [])
            async for line in response.aiter_lines():
                told += [json.loads(line.removeprefix("data: "))] if line.startswith("data: ") else []


def wrongs(reader: Reader, status: dict[str, Any]) -> list[str]:
    """Return everything that may not be, given how the story's pictures stood in the end."""
    found = [wrong for connection in reader.connections for wrong in _wrong_connection(connection, status["total"])]
    for number in range(1, status["total"] + 1):
        seen = [event for event in reader.told if event["type"] == "image" and event["event_number"] == number]
        found += [f"picture {number}: {wrong}" for wrong in _wrong_picture(seen, status["images"][number - 1])]
    last = {name: status[name] for name in ("status", "total", "completed", "failed", "message")}
    if reader.told[-1:] != [{"type": "complete", **last}]:
        found.append(f"it ended with {reader.told[-1:]}, but stands as {last}")
    return found


def _wrong_connection(told: list[Event], total: int) -> Iterator[str]:
    """A connection tells of the text from its beginning, then of each picture once and with each change, then of the end."""
    kinds = [event["type"] for event in told]
    if kinds != sorted(kinds, key=KINDS.index) or kinds.count("complete") > 1:
        yield f"text, pictures and end are in the wrong order: {kinds}"
    if "complete" in kinds and {event["event_number"] for event in told if "event_number" in event} != set(
        range(1, total + 1)
    ):
        yield "not every picture was told of before the end"
    if not _rises([event["progress"] for event in told if event["type"] == "text"]):
        yield "the text's progress falls"
    for number in {event.get("event_number") for event in told}:
        same = [event for event in told if event.get("event_number") == number]
        if any(earlier == later for earlier, later in itertools.pairwise(same)):
            yield "something was told twice"


def _wrong_picture(told: list[Event], now: dict[str, Any]) -> Iterator[str]:
    """What has ended stays so. `told` is of every connection, each of which begins with the present state."""
    ends = [event for event in told if event["status"] in ENDED]
    if told[len(told) - len(ends) :] != ends:
        yield "something came behind its end"
    if any(event["image_url"] != now["image_url"] or event["status"] != now["status"] for event in ends):
        yield "its end was told in different ways"
    if not _rises([event["progress"] for event in told]):
        yield "its progress falls"
    if ends and any(event["image_url"] for event in told if event["status"] not in ENDED):
        yield "it was shown before its end"


def _rises(values: list[Any]) -> bool:
    return all(earlier <= later for earlier, later in itertools.pairwise(values))
