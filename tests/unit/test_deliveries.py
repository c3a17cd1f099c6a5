"""Slots for deliveries: each kind has its own, and only those who end soon are waited for."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from atelier.api import deliveries
from atelier.api.deliveries import Deliveries, Slots
from atelier.errors import RateLimited


class Anybody:
    async def check(self, authorization: str | None) -> None:
        """Let in."""


async def kind_of(job_id: str) -> str | None:
    return {"p": "image", "b": "blog"}.get(job_id[0])


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Deliveries:
    monkeypatch.setattr(deliveries, "PATIENCE_SECONDS", 0.2)
    slots = {"image": Slots(1, patient=True), "blog": Slots(1, patient=False)}
    return Deliveries(issuer=Anybody(), slots=slots, kind_of=kind_of)


async def test_a_kind_takes_no_place_of_another(door: Deliveries) -> None:
    async with door.slot("b1", "blog"):
        async with door.slot("p1", "image"):
            with pytest.raises(RateLimited):
                await hold(door, "b2", "blog")
        async with door.slot("p2", "image"):
            pass
    async with door.slot("b3", "blog"):
        pass


async def test_what_is_not_told_is_looked_up(door: Deliveries) -> None:
    for kind in (None, "", "of tomorrow"):
        async with door.slot("b1", kind), door.slot("p1", kind):
            with pytest.raises(RateLimited):
                await hold(door, "b2", None)


async def test_what_is_no_job_needs_no_place(door: Deliveries) -> None:
    async with door.slot("b1", "blog"), door.slot("p1", "image"), door.slot("x", None), door.slot("x", "story"):
        pass


async def test_posts_are_not_waited_for(door: Deliveries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "PATIENCE_SECONDS", 60)
    async with door.slot("b1", "blog"), asyncio.timeout(60):
        with pytest.raises(RateLimited):
            await hold(door, "b2", "blog")


async def test_pictures_wait_for_a_place(door: Deliveries) -> None:
    async with contextlib.AsyncExitStack() as held:
        await held.enter_async_context(door.slot("p1", "image"))
        second = asyncio.create_task(hold(door, "p2", "image"))
        await asyncio.sleep(0.05)
        assert not second.done()
    await second
    async with door.slot("p1", "image"):
        with pytest.raises(RateLimited) as told:
            await hold(door, "p2", "image")
    assert told.value.retry_after == deliveries.COME_BACK


async def test_a_place_is_given_back_whatever_happens(door: Deliveries) -> None:
    with pytest.raises(RuntimeError):
        await hold(door, "b1", "blog", RuntimeError())
    await hold(door, "b2", "blog")


async def hold(door: Deliveries, job_id: str, kind: str | None, error: Exception | None = None) -> None:
    async with door.slot(job_id, kind):
        if error is not None:
            raise error
