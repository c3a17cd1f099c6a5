"""Removing what has ended: all that belongs together or nothing, and nothing of it ever runs again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from tests.engine.test_groups import Crash, create, found, jobs, new_group, run_all, statuses
from tests.house import House, failing

from atelier.errors import Conflict, ProviderRefused
from atelier.jobs.groups import Group, NewMember, Phase
from atelier.jobs.groups.register import CONTENT, GROUP, TITLE, WORK
from atelier.jobs.models import Job, Status


def when_removed(house: House, then: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    """Do something when what a job made is to be removed, before the job itself is."""
    vars(house.pipeline)["deleted"] = then


async def failed(house: House) -> Job:
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    return await house.deliver((await house.submit()).id)


async def ended_group(house: House, count: int = 4) -> Group:
    """Make a group whose first member has failed, and the others have their pictures."""
    group = await create(house, count, key="k")
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    await run_all(house, group)
    assert await statuses(house, group) == {Status.FAILED: 1, Status.COMPLETED: count - 1}
    return await found(house, group.id)


async def refused(asked: Awaitable[object]) -> None:
    with pytest.raises(Conflict, match="being deleted"):
        await asked


async def test_a_job_that_is_being_removed_is_not_run_again(house: House) -> None:
    job = await failed(house)

    async def retry(job_id: str) -> None:
        await refused(house.engine.retry("ann", job_id))

    when_removed(house, retry)
    await house.engine.delete("ann", job.id)
    assert await house.store.get(job.id) is None


async def test_a_job_that_was_opened_again_is_not_removed(house: House) -> None:
    job = await failed(house)
    removed: list[str] = []

    async def note(job_id: str) -> None:
        removed.append(job_id)

    when_removed(house, note)
    await house.engine.retry("ann", job.id)
    with pytest.raises(Conflict, match="has ended"):
        await house.engine.delete("ann", job.id)
    assert removed == []
    assert (await house.deliver(job.id)).status is Status.COMPLETED


async def test_a_group_of_which_a_member_goes_on_stays_whole(house: House) -> None:
    group = await ended_group(house)
    again = (await jobs(house, group))[0]
    await house.engine.retry("ann", again.id)
    with pytest.raises(Conflict, match="has ended"):
        await house.engine.delete_group(group)
    assert (await found(house, group.id)).phase is Phase.OPEN
    assert [job.removing for job in await jobs(house, group)] == [False] * 4
    await house.deliver(again.id)
    assert await statuses(house, group) == {Status.COMPLETED: 4}
    await house.engine.delete_group(group)
    assert await house.store.documents(GROUP) == []


async def test_of_a_group_that_is_removed_nothing_is_left(house: House) -> None:
    group = await create(house, 2, key="k", title="Tide")
    await run_all(house, group)
    await house.engine.delete_group(await found(house, group.id))
    assert [await house.store.documents(kind) for kind in (GROUP, CONTENT, WORK, TITLE)] == [[]] * 4


async def test_what_else_failed_runs_again_while_a_member_is_removed(house: House) -> None:
    group = await create(house, 2, key="k")
    house.pipeline.acts["first"] = failing(*[ProviderRefused("No.")] * 2)
    await run_all(house, group)
    going, staying = await jobs(house, group)
    reopened: list[int] = []

    async def retry(_: str) -> None:
        reopened.append(await house.engine.groups.retry_failed(group))

    when_removed(house, retry)
    await house.engine.delete("ann", going.id)
    assert reopened == [1]
    assert (await house.job(staying.id)).status is Status.QUEUED
    assert await house.store.get(going.id) is None


async def test_a_paused_group_that_stays_is_paused(house: House) -> None:
    group = await ended_group(house)
    again = (await jobs(house, group))[0]
    await house.engine.groups.pause(group.id)
    await house.engine.retry("ann", again.id)
    with pytest.raises(Conflict):
        await house.engine.delete_group(group)
    assert (await found(house, group.id)).phase is Phase.PAUSED


@pytest.mark.parametrize("paused", [False, True])
async def test_nothing_is_done_to_a_group_that_is_being_removed(house: House, paused: bool) -> None:  # noqa: FBT001 - a parameter
    group = await ended_group(house)
    if paused:
        await house.engine.groups.pause(group.id)
    ids = [job.id for job in await jobs(house, group)]
    groups, tried = house.engine.groups, []

    async def try_all(job_id: str) -> None:
        now = await found(house, group.id)
        if job_id != ids[0]:
            return
        await refused(house.engine.retry("ann", job_id))
        for asked in (groups.pause(group.id), groups.resume(group.id), groups.retry_failed(now)):
            await refused(asked)
        await refused(groups.redraw(now, "1", lambda params: NewMember(name="1", params=params)))
        await refused(groups.revise(new_group(5, key="k")))
        await house.engine.sweep()
        tried.append(job_id)

    when_removed(house, try_all)
    await house.engine.delete_group(group)
    assert tried == ids[:1]
    assert [await house.store.get(job_id) for job_id in ids] == [None] * 4
    assert await house.store.documents(GROUP) == []


@pytest.mark.parametrize("again", ["asked again", "swept"])
async def test_what_a_crash_leaves_of_a_removal_is_removed(house: House, again: str) -> None:
    group = await ended_group(house)
    ids = [job.id for job in await jobs(house, group)]

    async def crash(job_id: str) -> None:
        if job_id == ids[2]:
            raise Crash

    when_removed(house, crash)
    with pytest.raises(Crash):
        await house.engine.delete_group(group)
    assert (await found(house, group.id)).phase is Phase.REMOVING

    async def go(_: str) -> None:
        return

    when_removed(house, go)
    other = house.another_engine()
    if again == "swept":
        await other.sweep()
        assert (await found(house, group.id)).phase is Phase.REMOVING, "whoever began may still be at it"
        house.clock.pass_(minutes=61)
        await other.sweep()
    else:
        await other.delete_group(await found(house, group.id))
    assert [await house.store.get(job_id) for job_id in ids] == [None] * 4
    assert await house.store.documents(GROUP) == []


async def test_a_job_goes_with_its_group_or_not_at_all(house: House) -> None:
    group, with_it = await ended_group(house), await failed(house)
    await house.engine.retry("ann", with_it.id)
    with pytest.raises(Conflict):
        await house.engine.delete("ann", with_it.id, group=group)
    assert len(await jobs(house, group)) == 4
    await house.engine.cancel("ann", with_it.id)
    await house.engine.delete("ann", with_it.id, group=group)
    assert await house.store.get(with_it.id) is None
    assert await jobs(house, group) == []


async def test_a_member_without_its_group_is_not_made(house: House) -> None:
    group = await create(house, 2)
    first, second = await jobs(house, group)
    await house.engine.groups.register.remove(group.id)
    for job in (first, second):
        with_receipt = await house.deliver(job.id)
        assert with_receipt.status is Status.CANCELLED
    assert house.pipeline.entered == []
