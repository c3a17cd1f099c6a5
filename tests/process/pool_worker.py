"""A process that draws with a pool of keys as fast as it may, for a while.

Arguments: the store's file, the vendor's address, the conductor's port (0: in real time), when time begins, and for how many
seconds.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from tests.vendors import Desk, Vendor, image_request

from atelier.errors import ProviderRateLimited, ProviderWaits
from atelier.pipelines.ports import Desk as VendorDesk
from atelier.pipelines.ports import GeneratedImage, ImageRequest, Offer
from atelier.providers.budgets import Budgets
from atelier.providers.health import HealthBook, Observed
from atelier.providers.pool import Key, KeyPool, Member, fingerprint
from atelier.providers.rests import Rests
from atelier.providers.rings import Allowance
from atelier.stores.sqlite import SqliteStore

CALLERS = 12
KEYS, RPM = ("one", "two", "three"), 9


CALL = timedelta(seconds=1)
"""How long a call takes where time is told: nobody makes two in a moment."""


class RealTime:
    """Time that passes by itself."""

    def __init__(self, began: float) -> None:
        self._began = began

    async def begin(self) -> None:
        await asyncio.sleep(self._began - time.time())

    def __call__(self) -> datetime:
        return datetime.now(UTC)

    async def pause(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds())

    def left(self) -> None:
        """Let a caller go."""


class ToldTime:
    """Time that a conductor tells to several processes. It hears when all callers of one wait, and for which moment."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._moment, self._callers = 0.0, CALLERS
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    async def begin(self) -> None:
        self._moment = float(await self._reader.readline())
        self._listening = asyncio.create_task(self._listen())

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self._moment, UTC)

    async def pause(self, duration: timedelta) -> None:
        if duration > timedelta():
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((self._moment + duration.total_seconds(), woken))
            self._tell()
            await woken

    def left(self) -> None:
        self._callers -= 1
        self._tell()

    def _tell(self) -> None:
        if len(self._waiting) == self._callers:
            self._writer.write(f"{min((due for due, _ in self._waiting), default=math.inf)!r}\n".encode())

    async def _listen(self) -> None:
        while line := await self._reader.readline():
            self._moment = float(line)
            woken = [each for each in self._waiting if each[0] <= self._moment]
            self._waiting = [each for each in self._waiting if each not in woken]
            for _, future in woken:
                future.set_result(None)
            if not woken:
                self._tell()


Time = RealTime | ToldTime


class Distant(Vendor):
    """A vendor behind a socket, who is told when the call was sent."""

    def __init__(self, key: str, client: httpx.AsyncClient, now: Time) -> None:
        super().__init__("gemini", key, [])
        self._client, self._now = client, now

    async def generate(self, request: ImageRequest, desk: VendorDesk) -> GeneratedImage:
        answer = await self._client.get(f"/{self._key}/{os.getpid()}/{self._now().timestamp()}")
        if answer.status_code == 429:
            raise ProviderRateLimited("Too many.", retry_after=timedelta(seconds=20))
        if isinstance(self._now, ToldTime):
            await self._now.pause(CALL)
        return await super().generate(request, desk)


async def draw(pool: KeyPool[ImageRequest, GeneratedImage, Offer], now: Time, until: datetime) -> None:
    """Draw one picture after the other; where the pool says to come back, come back then."""
    while now() < until:
        try:
            await pool.generate(image_request(), Desk())
        except ProviderWaits as waits:
            await now.pause(max(waits.until - now(), timedelta()))
    now.left()


async def main(file: str, address: str, conductor: str, began: str, seconds: str) -> None:
    told = conductor != "0"
    now = ToldTime(*await asyncio.open_connection("127.0.0.1", int(conductor))) if told else RealTime(float(began))
    store = SqliteStore(Path(file), now)
    await store.open()
    await now.begin()
    async with httpx.AsyncClient(base_url=address, timeout=100) as client:
        book, rests = HealthBook(store, now), Rests(store, now)
        budgets = Budgets(store, now)  # who finds another one writing waits for a moment of everybody's time
        members = []
        for name in KEYS:
            allowance, vendor = Allowance(bucket=name, starts=RPM), Distant(name, client, now)
            known = {"alias": name, "fingerprint": fingerprint(name), "bucket": None, "quota": name}
            key = Key(**known, allowance=allowance, provider=vendor)  # type: ignore[arg-type]
            members.append(Member(key=key, source=Observed(vendor, book, key=name)))
        pool = KeyPool(members=members, budgets=budgets, rests=rests, now=now, pause=now.pause)
        until = datetime.fromtimestamp(float(began) + float(seconds), UTC)
        await asyncio.gather(*(draw(pool, now, until) for _ in range(CALLERS)))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
