"""A process that draws with a pool of keys as fast as it may, for a while, in time that runs faster than ours.

Arguments: the store's file, the vendor's address, when time began, how many times faster it runs, and for how many of
its seconds.
"""

from __future__ import annotations

import asyncio
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


class Time:
    """Time that began at a moment and runs faster since."""

    def __init__(self, began: float, faster: float) -> None:
        self._began, self._faster = began, faster

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self._began + (time.time() - self._began) * self._faster, UTC)

    async def pause(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds() / self._faster)


class Distant(Vendor):
    """A vendor behind a socket, who is told when the call was sent."""

    def __init__(self, key: str, client: httpx.AsyncClient, now: Time) -> None:
        super().__init__("gemini", key, [])
        self._client, self._now = client, now

    async def generate(self, request: ImageRequest, desk: VendorDesk) -> GeneratedImage:
        answer = await self._client.get(f"/{self._key}/{os.getpid()}/{self._now().timestamp()}")
        if answer.status_code == 429:
            raise ProviderRateLimited("Too many.", retry_after=timedelta(seconds=20))
        return await super().generate(request, desk)


async def draw(pool: KeyPool[ImageRequest, GeneratedImage, Offer], now: Time, until: datetime) -> None:
    """Draw one picture after the other; where the pool says to come back, come back then."""
    while now() < until:
        try:
            await pool.generate(image_request(), Desk())
        except ProviderWaits as waits:
            await now.pause(max(waits.until - now(), timedelta()))


async def main(file: str, address: str, began: str, faster: str, seconds: str) -> None:
    now = Time(float(began), float(faster))
    store = SqliteStore(Path(file), now)
    await store.open()
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        book, rests = HealthBook(store, now), Rests(store, now)
        budgets = Budgets(store, now, pause=now.pause)
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
