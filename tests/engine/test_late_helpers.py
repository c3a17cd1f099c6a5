"""Whoever helps with a group and stands still meanwhile: what was done and asked for since stays as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from tests.engine.test_groups import create, found, jobs, new_group, statuses
from tests.house import House

from atelier.jobs.groups import Group, Phase, models
from atelier.jobs.models import Status


class Stop:
    """Where somebody stands still: in front of what is asked, or behind it with the answer."""

    def __init__(self, where: str) -> None:
        self.where, self.reached, self.go_on = where, asyncio.Event(), asyncio.Event()

    def around(self, asked: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return what stands still when it is asked first."""

        async def stopping(*args: Any, **kwargs: Any) -> Any:
            if self.where == "behind":
                answer = await asked(*args, **kwargs)
                await self.stand()
                return answer
            await self.stand()
            return await asked(*args, **kwargs)

        return stopping

    async def stand(self) -> None:
        self.reached.set()
        await self.go_on.wait()


async def retried(house: House, group: Group) -> None:
    for job in await jobs(house, group):
        await house.engine.retry("ann", job.id)


async def made_afresh(house: House, group: Group) -> None:
    await house.engine.delete_group(group)
    house.clock.pass_(seconds=1)
    again, _ = await house.engine.groups.create(new_group(key="k"))
    assert again.id == group.id


@pytest.mark.parametrize("where", ["in front", "behind"])
@pytest.mark.parametrize("ask", [retried, made_afresh])
async def test_a_late_cancel_leaves_what_was_asked_for_after_it(
    house: House, monkeypatch: pytest.MonkeyPatch, ask: Callable[[House, Group], Awaitable[None]], where: str
) -> None:
    group = await create(house, key="k")
    group = await house.engine.groups.register.change(group.id, partial(models.cancelling, now=house.clock()))
    late, stop = house.another_engine(), Stop(where)
    monkeypatch.setattr(late.groups, "members", stop.around(late.groups.members))
    helping = asyncio.create_task(late.groups.finish_cancelling(group))
    await stop.reached.wait()
    await house.engine.groups.finish_cancelling(group)
    assert await statuses(house, group) == {Status.CANCELLED: 6}
    await ask(house, group)
    stop.go_on.set()
    await helping
    assert (await statuses(house, group))[Status.CANCELLED] == 0
    assert (await found(house, group.id)).phase is Phase.OPEN


async def test_a_late_cancel_does_not_end_a_later_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that was opened again between the two is cancelled by the later one, and the group is not open before."""
    groups = house.engine.groups
    group = await create(house)
    first = await groups.register.change(group.id, partial(models.cancelling, now=house.clock()))
    late, stop = house.another_engine(), Stop("behind")
    monkeypatch.setattr(late.groups, "members", stop.around(late.groups.members))
    helping = asyncio.create_task(late.groups.finish_cancelling(first))
    await stop.reached.wait()
    house.clock.pass_(seconds=1)
    second = await groups.register.change(group.id, partial(models.cancelling, now=house.clock()))
    stop.go_on.set()
    await helping
    assert await found(house, group.id) == second
    await groups.finish_cancelling(second)
    assert await statuses(house, group) == {Status.CANCELLED: 6}
    assert (await found(house, group.id)).phase is Phase.OPEN
