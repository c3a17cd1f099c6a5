"""Paused time does not count for what is being drawn when the pause comes, either: its group is asked before it is ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.house import Gate, House

from atelier.errors import ProviderUnavailable, StoreUnavailable
from atelier.jobs.groups import Group, NewGroup, NewMember
from atelier.jobs.models import Job, Status
from atelier.jobs.pipeline import Run
from atelier.jobs.ports import Delivery, Document, Touch

BEAT = timedelta(seconds=0.3)
"""The lease: a third of it is how often the run looks at the clock, which stands in between."""

LONGEST = 20
"""Seconds that a test waits for anything."""


class Drawing:
    """The only member of a group, an hour from its deadline, which is being drawn until the gate is opened."""

    delivery: asyncio.Task[Delivery]

    def __init__(self, house: House, group: Group, patch: pytest.MonkeyPatch) -> None:
        self.house, self.group, self._beaten = house, group, asyncio.Event()
        self.gate = house.pipeline.acts["first"] = Gate()
        (self.job_id,) = house.engine.groups.member_ids(group)
        self._touch = house.store.touch
        patch.setattr(house.store, "touch", self._beat)

    async def _beat(self, touch: Touch) -> Job | None:
        job = await self._touch(touch)
        self._beaten.set()
        return job

    async def passes(self, **duration: float) -> None:
        """Let time pass between two beats: a lease that ran out during one would be lost."""
        self._beaten.clear()
        async with asyncio.timeout(LONGEST):
            await self._beaten.wait()
        self.house.clock.pass_(**duration)

    async def moved_to(self, moment: datetime) -> Job:
        """Wait until the member has to finish by then, or has ended."""
        async with asyncio.timeout(LONGEST):
            while (job := await self.house.job(self.job_id)).must_finish_by != moment and not job.status.terminal:
                await asyncio.sleep(0.02)
        return job

    async def ended(self) -> Job:
        """Let the drawing end, and its delivery."""
        self.gate.open.set()
        async with asyncio.timeout(LONGEST):
            await self.delivery
        return await self.house.job(self.job_id)


@pytest.fixture
async def drawing(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Drawing]:
    house.engine = house.another_engine(lease=BEAT)
    members = [NewMember(name="one", params={})]
    new = NewGroup(kind="batch", member_kind="image", owner="ann", members=members)
    drawing = Drawing(house, (await house.engine.groups.create(new))[0], monkeypatch)
    drawing.delivery = asyncio.create_task(house.engine.deliver(drawing.job_id, 1))
    await drawing.gate.reached.wait()
    yield drawing
    drawing.delivery.cancel()
    await asyncio.wait({drawing.delivery})


async def test_what_is_drawn_goes_on_while_its_group_is_paused(house: House, drawing: Drawing) -> None:
    await drawing.passes(minutes=45)
    await house.engine.groups.pause(drawing.group.id)
    for _ in range(3):
        await drawing.passes(minutes=15)
        job = await drawing.moved_to(house.clock() + timedelta(minutes=15))
        assert job.status is Status.PROCESSING, "what was left at the pause is left now"
    done = await drawing.ended()
    assert (done.status, done.attempt, done.fence) == (Status.COMPLETED, 1, 1)


async def test_what_was_drawn_through_a_pause_has_its_group_s_new_deadline(house: House, drawing: Drawing) -> None:
    resumed = await paused_for_twenty_minutes(drawing)
    await drawing.passes(minutes=20)
    job = await drawing.moved_to(resumed.deadline)
    assert (job.status, resumed.deadline) == (Status.PROCESSING, house.clock() + timedelta(minutes=10))
    await drawing.passes(minutes=10)
    await asyncio.wait_for(drawing.delivery, LONGEST)
    assert code_of(await house.job(drawing.job_id)) == "deadline_exceeded", "that one holds"


async def test_without_a_pause_a_member_ends_at_its_deadline(house: House, drawing: Drawing) -> None:
    await drawing.passes(minutes=60)
    await asyncio.wait_for(drawing.delivery, LONGEST)
    assert code_of(await house.job(drawing.job_id)) == "deadline_exceeded"


async def test_a_failure_near_the_old_deadline_is_tried_again_before_the_new_one(
    house: House, drawing: Drawing
) -> None:
    async def fail(_: Run[Any, Any]) -> None:
        raise ProviderUnavailable("Away.", retry_after=timedelta(minutes=2))

    house.pipeline.acts["second"] = fail
    resumed = await paused_for_twenty_minutes(drawing)
    await drawing.passes(minutes=9)
    job = await drawing.ended()
    assert (job.status, job.must_finish_by) == (Status.QUEUED, resumed.deadline)


async def test_a_run_whose_group_cannot_be_asked_goes_on_and_asks_again(
    house: House, drawing: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier.jobs.runner.ASK_AGAIN_SECONDS", 0.01)
    document, answers = house.store.document, iter((False,) * 3)

    async def document_at_last(kind: str, name: str) -> Document | None:
        if next(answers, True):
            return await document(kind, name)
        raise StoreUnavailable("Away.")

    await house.engine.groups.pause(drawing.group.id)
    await drawing.passes(minutes=60)
    monkeypatch.setattr(house.store, "document", document_at_last)
    await drawing.moved_to(house.clock() + timedelta(minutes=60))
    assert next(answers, None) is None, "it was asked while the store was away"
    assert (await drawing.ended()).status is Status.COMPLETED


async def paused_for_twenty_minutes(drawing: Drawing) -> Group:
    """Pause half an hour before the deadline; the group as it was resumed."""
    groups = drawing.house.engine.groups
    await drawing.passes(minutes=30)
    await groups.pause(drawing.group.id)
    await drawing.passes(minutes=20)
    return await groups.resume(drawing.group.id)


def code_of(job: Job) -> str | None:
    return job.fault.code if job.fault is not None else None
