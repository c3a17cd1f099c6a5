"""Work that goes on."""

from __future__ import annotations

import asyncio

from atelier.errors import StoreUnavailable
from atelier.jobs.background import every


async def test_a_chore_outlives_whatever_breaks_in_it() -> None:
    done = 0

    async def chore() -> None:
        nonlocal done
        done += 1
        raise (OverflowError, StoreUnavailable, ZeroDivisionError)[done % 3]("broken")

    doing = asyncio.create_task(every(0.01, chore, "chore_failed"))
    async with asyncio.timeout(60):
        while done < 6:
            await asyncio.sleep(0.01)
    doing.cancel()
