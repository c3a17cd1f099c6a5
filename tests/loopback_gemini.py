"""Gemini on loopback: it counts each key's calls in any minute and refuses one too many, and has the troubles a test gives it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.history import picture_of
from tests.providers.fakes import Reply, Seen, as_json
from tests.providers.fakes import _request as read
from tests.providers.fakes import _send as send
from tests.providers.subjects import gemini_answer, inline

EXHAUSTED = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota."}
DAILY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel", "quotaValue": "100"}],
}

BAD: Reply = as_json({"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "No."}}, 401)
USED_UP: Reply = as_json({"error": {**EXHAUSTED, "details": [DAILY]}}, 429)


def limited(seconds: float) -> Reply:
    """Return the refusal that says when to come back."""
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds}s"}
    return as_json({"error": {**EXHAUSTED, "details": [retry]}}, 429)


@dataclass(frozen=True)
class Start:
    """A call that was taken: when, with which key, for which prompt."""

    at: float
    key: str
    prompt: str


@dataclass
class Gemini:
    """The vendor. `limit` calls of a key are taken in any `window` seconds; each takes `seconds`."""

    limit: int = 1_000_000
    window: float = 60.0
    seconds: float = 0.2
    trouble: Callable[[str, str], Reply | None] = lambda _key, _prompt: None
    paint: Callable[[str], bytes] = picture_of
    starts: list[Start] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    base: str = ""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Gemini]:
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while (seen := await read(reader)) is not None:
                    if not await send(writer, await self._answer(seen)):
                        break
            writer.close()
            tasks.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1beta"
        try:
            yield self
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, seen: Seen) -> Reply:
        key, body = seen.headers["x-goog-api-key"], seen.json()
        prompt = str(body["contents"][0]["parts"][0]["text"])
        trouble = self.trouble(key, prompt)
        if trouble is not None:
            return trouble
        now = time.monotonic()
        if len([one for one in self.starts if one.key == key and now - one.at < self.window]) >= self.limit:
            self.refused += 1
            return limited(5)
        self.starts.append(Start(now, key, prompt))
        self.asked.append(body)
        await asyncio.sleep(self.seconds)
        return gemini_answer(inline(self.paint(prompt)))

    def most(self) -> int:
        """Return the most calls of any key that were taken in any window."""
        times = defaultdict(list)
        for start in self.starts:
            times[start.key].append(start.at)
        return max(
            len([other for other in own if at <= other < at + self.window]) for own in times.values() for at in own
        )
