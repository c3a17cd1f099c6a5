"""Whoever helps with a group and stands still meanwhile: what was done and asked for since stays as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from tests.engine.test_groups import Crash, crash_at, create, found, jobs, new_group, run_all, statuses
from tests.house import House, failing

from atelier.errors import NotFound, ProviderRefused
from atelier.jobs.groups import Group, NewMember, Phase, models
from atelier.jobs.groups.register import GROUP, WORK
from atelier.jobs.models import Status
from atelier.jobs.ports import Document


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


async def half_made(house: House, monkeypatch: pytest.MonkeyPatch) -> Group:
    """Leave a group of which one member is there."""
    with monkeypatch.context() as patch:
        crash_at(house, 4, patch)
        with pytest.raises(Crash):
            await create(house, key="k")
    (document,) = await house.store.documents(GROUP)
    return await found(house, document.name)


async def helping_to_make(
    house: House, group: Group, monkeypatch: pytest.MonkeyPatch
) -> tuple[asyncio.Task[Group], Stop]:
    """Let another process help, which stands still when it has read what the members are made from."""
    late, stop = house.another_engine(), Stop("behind")
    content = late.groups.register.content

    async def stopping(group: Group) -> AsyncIterator[list[NewMember]]:
        async for chunk in content(group):
            await stop.stand()
            yield chunk

    monkeypatch.setattr(late.groups.register, "content", stopping)
    helping = asyncio.create_task(late.groups.finish_creating(group))
    await stop.reached.wait()
    return helping, stop


async def test_who_helps_late_makes_no_member_that_was_deleted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    group = await half_made(house, monkeypatch)
    helping, stop = await helping_to_make(house, group, monkeypatch)
    await house.engine.groups.finish_creating(group)
    first, *others = await jobs(house, group)
    await house.engine.cancel("ann", first.id)
    await house.engine.delete("ann", first.id)
    stop.go_on.set()
    await helping
    assert [job.id for job in await jobs(house, group)] == [job.id for job in others]


async def test_who_helps_late_makes_nothing_of_a_group_that_is_gone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = await half_made(house, monkeypatch)
    helping, stop = await helping_to_make(house, group, monkeypatch)
    await house.engine.groups.finish_creating(group)
    await house.engine.groups.cancel(group)
    await house.engine.delete_group(group)
    stop.go_on.set()
    with pytest.raises(NotFound):
        await helping
    assert (await house.store.members(group.id, since="")).snapshots == []


async def test_who_helps_late_does_not_open_another_content(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    group = await half_made(house, monkeypatch)
    helping, stop = await helping_to_make(house, group, monkeypatch)
    revised = await house.engine.groups.register.change(group.id, lambda now: replace(now, content="another"))
    stop.go_on.set()
    await helping
    assert await found(house, group.id) == revised, "its members are not made yet"


async def test_looking_at_the_group_while_making_it_costs_little(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    document = house.store.document

    async def counted(kind: str, name: str) -> Document | None:
        looks.append(kind)
        return await document(kind, name)

    monkeypatch.setattr(house.store, "document", counted)
    await create(house, 250)
    assert looks.count(GROUP) <= 3 + 2, "one for each hundred members, two to open it and hand over"


async def swept_late(house: House, monkeypatch: pytest.MonkeyPatch, stops: str) -> tuple[asyncio.Task[int], Stop]:
    """Let another process sweep, which stands still behind what it asks of the store."""
    late, stop = house.another_engine(), Stop("behind")
    part = late.groups if stops == "refill" else late.groups.register
    monkeypatch.setattr(part, stops, stop.around(getattr(part, stops)))
    sweeping = asyncio.create_task(late.sweep())
    await stop.reached.wait()
    return sweeping, stop


async def test_a_sweep_leaves_work_that_was_announced_and_is_yet_to_be_committed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.pipeline.acts["first"] = failing(*(ProviderRefused("No.") for _ in range(2)))
    group = await create(house, 2)
    await run_all(house, group)
    house.clock.pass_(minutes=1)
    late, stop = house.another_engine(), Stop("behind")
    monkeypatch.setattr(late.groups.register, "announce", stop.around(late.groups.register.announce))
    asking = asyncio.create_task(late.groups.retry_failed(group))
    await stop.reached.wait()
    await house.engine.sweep()
    stop.go_on.set()
    assert await asking == 2
    assert [entry.name for entry in await house.store.documents(WORK)] == [group.id]


@pytest.mark.parametrize("others", ["none", "another sweep was first"])
async def test_a_late_sweep_leaves_work_that_was_announced_since(
    house: House, monkeypatch: pytest.MonkeyPatch, others: str
) -> None:
    house.pipeline.acts["first"] = failing(*(ProviderRefused("No.") for _ in range(2)))
    group = await create(house, 2)
    await run_all(house, group)
    house.clock.pass_(minutes=1)
    sweeping, stop = await swept_late(house, monkeypatch, "refill")
    if others != "none":
        await house.engine.sweep()
        assert await house.store.documents(WORK) == []
    assert await house.engine.groups.retry_failed(group) == 2
    stop.go_on.set()
    await sweeping
    assert [entry.name for entry in await house.store.documents(WORK)] == [group.id]


async def test_who_announces_work_while_the_entry_goes_announces_it_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = house.engine.groups.register
    await register.announce("g", house.clock())
    stop = Stop("behind")
    with monkeypatch.context() as patch:
        patch.setattr(house.store, "document", stop.around(house.store.document))
        announcing = asyncio.create_task(register.announce("g", house.clock()))
        await stop.reached.wait()
    (seen,) = await register.at_work(after="", limit=9)
    await register.rest(seen)
    stop.go_on.set()
    await announcing
    assert [entry.name for entry in await house.store.documents(WORK)] == ["g"]


async def test_many_announce_one_group_at_once(house: House) -> None:
    await asyncio.gather(*(house.engine.groups.register.announce("g", house.clock()) for _ in range(30)))
    (entry,) = await house.store.documents(WORK)
    assert entry.rev == 30


async def test_a_sweep_leaves_a_group_that_is_about_to_be_committed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its members are made from is there, the group is not yet."""
    stop, put = Stop("in front"), house.store.put

    async def stopping(kind: str, *args: Any, **kwargs: Any) -> Document | None:
        if kind == GROUP and not stop.reached.is_set():
            await stop.stand()
        return await put(kind, *args, **kwargs)

    monkeypatch.setattr(house.store, "put", stopping)
    creating = asyncio.create_task(create(house, key="k"))
    await stop.reached.wait()
    await house.another_engine().sweep()
    stop.go_on.set()
    group = await creating
    assert len(await jobs(house, group)) == 6
    await run_all(house, group)
    assert await statuses(house, group) == {Status.COMPLETED: 6}


async def test_who_helps_late_runs_nothing_a_third_time(house: House) -> None:
    """What a revision lets run again, and fails again, stays so, however late somebody else finishes the same revision."""
    house.pipeline.acts["first"] = failing(*[ProviderRefused("No.")] * 4)
    asked = new_group(2, key="k", request="r")
    group = await create(house, 2, key="k", request="r")
    await run_all(house, group)
    house.clock.pass_(seconds=1)
    group, _ = await house.engine.groups.revise(asked)
    assert await statuses(house, group) == {Status.QUEUED: 2}
    house.clock.pass_(seconds=1)
    await run_all(house, group)
    assert await statuses(house, group) == {Status.FAILED: 2}
    await house.another_engine().groups.finish_creating(group)
    assert [(job.status, job.run) for job in await jobs(house, group)] == [(Status.FAILED, 2)] * 2


@pytest.mark.parametrize("stops", ["find", "_documents"])
async def test_a_late_sweep_removes_no_content_of_a_group_that_was_made_since(
    house: House, monkeypatch: pytest.MonkeyPatch, stops: str
) -> None:
    """A crash left content nobody refers to; the group was asked for again while that was looked at."""
    with monkeypatch.context() as patch:
        crash_at(house, 2, patch)
        with pytest.raises(Crash):
            await create(house, key="k")
    house.clock.pass_(minutes=61)
    late, stop = house.another_engine(), Stop("behind")
    register = late.groups.register
    if stops == "find":
        monkeypatch.setattr(register, "find", stop.around(register.find))
    else:
        documents = register._documents

        async def stopping(kind: str, start: str) -> AsyncIterator[Document]:
            async for document in documents(kind, start):
                yield document
            await stop.stand()

        monkeypatch.setattr(register, "_documents", stopping)
    sweeping = asyncio.create_task(late.sweep())
    await stop.reached.wait()
    group = await create(house, key="k")
    stop.go_on.set()
    await sweeping
    assert [len(chunk) async for chunk in house.engine.groups.register.content(group)] == [6]
    assert [entry.name for entry in await house.store.documents(WORK)] == [group.id]
