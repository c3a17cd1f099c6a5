"""Whoever follows a group sees every member's last state, whatever the timing, and one reader serves all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from tests.house import House, failing
from tests.jobs import Clock
from tests.stores import Backend, Sqlite, deaf

from atelier.errors import ProviderRefused, StoreUnavailable
from atelier.jobs.events import Cancelled, Claimed, Completed, Event, Failed, Queued, Retried, StageStarted
from atelier.jobs.groups import Group, NewGroup, NewMember
from atelier.jobs.groups import followers as module
from atelier.jobs.groups.models import opened
from atelier.jobs.models import Fault, Receipt, Status, Update
from atelier.jobs.ports import Decide, Decision, Members, Store, Touch

FAULT = Fault(code="internal", message="Broken.", retryable=True)


@dataclass
class Seen:
    """What one follower was shown: each member's last update, all statuses, and whether the end came."""

    last: dict[str, Update] = field(default_factory=dict)
    statuses: list[tuple[str, Status]] = field(default_factory=list)
    over: bool = False


async def create(house: House, count: int = 3) -> Group:
    members = [NewMember(name=str(place), params={}) for place in range(count)]
    new = NewGroup(kind="batch", member_kind="image", owner="ann", members=members)
    return (await house.engine.groups.create(new))[0]


async def collect(house: House, group: Group, *, pause: float = 0, seen: Seen | None = None) -> Seen:
    seen = seen or Seen()
    async for update in house.engine.groups.follow(group.id):
        assert not seen.over, "nothing comes behind the end"
        if update is None:
            seen.over = True
            continue
        seen.last[update.job.id] = update
        seen.statuses.append((update.job.id, update.job.status))
        await asyncio.sleep(pause)
    return seen


async def following(house: House, group: Group, count: int) -> asyncio.Task[Seen]:
    """Follow a group; begun when so many members were shown."""
    seen = Seen()
    watching = asyncio.create_task(collect(house, group, seen=seen))
    async with asyncio.timeout(60):
        while len(seen.last) < count:
            await asyncio.sleep(0.01)
    return watching


async def ends(task: asyncio.Task[Seen], within: float = 60) -> Seen:
    async with asyncio.timeout(within):
        return await task


async def run_all(house: House, group: Group) -> None:
    for member_id in house.engine.groups.member_ids(group):
        await house.deliver(member_id)


async def test_a_follower_sees_the_present_state_then_every_end(house: House) -> None:
    group = await create(house)
    ids = house.engine.groups.member_ids(group)
    await house.deliver(ids[0])
    watching = await following(house, group, 3)
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    await house.deliver(ids[1])
    await house.deliver(ids[2])
    seen = await ends(watching)
    assert seen.over
    assert {seen.statuses[place] for place in range(3)} == {
        (ids[0], Status.COMPLETED),
        (ids[1], Status.QUEUED),
        (ids[2], Status.QUEUED),
    }
    last = {member_id: update.record.stage for member_id, update in seen.last.items() if update.record}
    assert last == {ids[0]: "completed", ids[1]: "error", ids[2]: "completed"}
    assert seen.last[ids[2]].result == {"value": 2}
    assert (await collect(house, group)).over, "who comes later sees the ends and the end"


async def test_a_renewed_lease_is_no_news(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atelier.jobs.groups.engine.CANCEL_WAIT", timedelta(seconds=0.1))
    group = await create(house, 1)
    (member,) = house.engine.groups.member_ids(group)
    watching = await following(house, group, 1)
    await house.lose(member)
    for _ in range(5):
        lease_until = house.clock() + timedelta(seconds=30)
        await house.store.touch(Touch(job_id=member, fence=1, lease_until=lease_until))
    await house.engine.groups.cancel(group)
    house.clock.pass_(seconds=31)
    await house.engine.sweep()
    seen = await ends(watching)
    assert [status for _, status in seen.statuses] == ["queued", "processing", "processing", "cancelled"]


async def test_many_followers_share_one_reader(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    members = house.store.members

    async def counted(group: str, *, since: str) -> Any:
        nonlocal reads
        reads += 1
        return await members(group, since=since)

    monkeypatch.setattr(house.store, "members", counted)
    monkeypatch.setattr("atelier.stores.firestore.following.TICK_SECONDS", 3600)  # looks of a long test
    group = await create(house, 4)
    watching = [asyncio.create_task(collect(house, group)) for _ in range(100)]
    await asyncio.sleep(0.05)
    await run_all(house, group)
    for one in watching:
        assert len((await ends(one)).last) == 4
    assert reads <= 5, "read at the start, at a poller's first looks and at the end: what is between is told"


async def test_a_slow_follower_skips_states_but_no_end(house: House) -> None:
    group = await create(house, 4)
    slow = asyncio.create_task(collect(house, group, pause=0.03))
    await asyncio.sleep(0.01)
    await run_all(house, group)
    seen = await ends(slow)
    assert {update.job.status for update in seen.last.values()} == {Status.COMPLETED}
    assert len(seen.statuses) < 4 * 5


async def test_a_paused_group_is_not_over(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PHASE_SECONDS", 0.05)
    group = await create(house)
    watching = await following(house, group, 3)
    for member_id in house.engine.groups.member_ids(group):
        await house.engine.cancel("ann", member_id)
    assert (await ends(watching)).over
    await house.engine.groups.pause(group.id)
    watching = asyncio.create_task(collect(house, group))
    await asyncio.sleep(0.2)
    assert not watching.done(), "every member has ended, but the group may go on"
    await house.engine.groups.resume(group.id)
    assert (await ends(watching)).over


async def test_a_group_that_is_being_made_is_not_over(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PHASE_SECONDS", 0.05)
    new = NewGroup(kind="batch", member_kind="image", owner="ann", members=[NewMember(name="0", params={})])
    groups = house.engine.groups
    group, _ = await groups.register.commit(groups._making.group(new), new.members)
    watching = asyncio.create_task(collect(house, group))
    await asyncio.sleep(0.2)
    assert not watching.done()
    await groups.finish_creating(group)
    await run_all(house, group)
    seen = await ends(watching)
    assert [update.job.status for update in seen.last.values()] == [Status.COMPLETED]


async def test_following_ends_without_an_end_when_the_process_does(house: House) -> None:
    group = await create(house)
    watching = await following(house, group, 3)
    house.engine.close()
    seen = await ends(watching)
    assert (seen.over, len(seen.last)) == (False, 3)
    assert not (await ends(asyncio.create_task(collect(house, group)))).over


async def test_a_store_that_is_away_is_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    members, away = house.store.members, [True] * 3

    async def unsteady(group: str, *, since: str) -> Any:
        if away and away.pop():
            raise StoreUnavailable("Away.")
        return await members(group, since=since)

    monkeypatch.setattr(house.store, "members", unsteady)
    group = await create(house)
    watching = asyncio.create_task(collect(house, group))
    await asyncio.sleep(0.1)
    await run_all(house, group)
    assert (await ends(watching)).over


async def test_a_member_that_no_cursor_shows_is_seen_before_the_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that comes into view long after its time is behind every cursor; the whole group is read once more."""
    groups, store = house.engine.groups, house.store
    members, listen = store.members, store.listen_to_members
    new = NewGroup(
        kind="batch", member_kind="image", owner="ann", members=[NewMember(name=str(n), params={}) for n in range(2)]
    )
    group, _ = await groups.register.commit(groups._making.group(new), new.members)
    late = groups.member_ids(group)[1]

    async def overlooking(asked: str, *, since: str) -> Members:
        found = await members(asked, since=since)
        return replace(found, snapshots=[one for one in found.snapshots if not since or one.job.id != late])

    monkeypatch.setattr(store, "members", overlooking)
    monkeypatch.setattr(store, "listen_to_members", lambda to, heard: listen(to, lambda _: heard(None)))
    watching = asyncio.create_task(collect(house, group))
    await asyncio.sleep(0.1)
    await groups.finish_creating(group)
    for member in reversed(groups.member_ids(group)):
        await house.deliver(member)
    seen = await ends(watching)
    assert {job_id: update.job.status for job_id, update in seen.last.items()}[late] is Status.COMPLETED


async def test_a_group_is_looked_at_again_though_nobody_tells(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came in behind the cursor is found when the store reads the whole group again."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.2)
    group = await create(house, 1)
    watching = await following(house, group, 1)
    with deaf(house.store):
        await run_all(house, group)
    assert (await ends(watching)).over


async def test_a_member_that_was_removed_unheard_is_not_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process ended and deleted it, and this one slept through both."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.2)
    group = await create(house, 1)
    watching = await following(house, group, 1)
    (member,) = [one.job for one in await house.engine.groups.members(group)]
    with deaf(house.store):
        await house.engine.cancel("ann", member.id)
        await house.engine.delete("ann", member.id)
    assert (await ends(watching)).over


async def test_a_follower_whose_reader_breaks_ends(house: House, backend: Backend) -> None:
    group = await create(house)
    for member in house.engine.groups.member_ids(group):
        await backend.spoil_log(member)
    assert not (await ends(asyncio.create_task(collect(house, group)))).over


async def test_a_member_that_is_run_again_is_followed_again(house: House) -> None:
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    group = await create(house)
    await run_all(house, group)
    assert (await collect(house, group)).over
    again = await house.engine.retry("ann", house.engine.groups.member_ids(group)[0])
    watching = asyncio.create_task(collect(house, group))
    await asyncio.sleep(0.05)
    assert not watching.done()
    await house.deliver(again.id)
    assert {update.job.status for update in (await ends(watching)).last.values()} == {Status.COMPLETED}


async def test_who_is_still_being_served_the_end_does_not_end_who_comes_after_a_retry(house: House) -> None:
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    group = await create(house)
    slow = house.engine.groups.follow(group.id)
    await anext(slow)
    await run_all(house, group)
    assert (await collect(house, group)).over
    again = await house.engine.retry("ann", house.engine.groups.member_ids(group)[0])
    watching = asyncio.create_task(collect(house, group))
    await asyncio.sleep(0.05)
    assert not watching.done()
    await house.deliver(again.id)
    seen = await ends(watching)
    assert {update.job.status for update in seen.last.values()} == {Status.COMPLETED}
    async with asyncio.timeout(60):
        assert [update async for update in slow][-1] is None


def history(clock: Clock, chance: random.Random) -> list[tuple[Event, ...]]:
    """Return one member's life as the commits that make it."""
    lease = clock() + timedelta(seconds=30)
    claimed = Claimed(worker="w-1", lease_until=lease)
    steps: list[tuple[Event, ...]] = [(Queued(run_at=clock()),)]
    for _ in range(chance.randrange(3)):
        steps += [(claimed,), (Retried(run_at=clock(), fault=FAULT),)]
    receipt = Receipt(requested_at=clock(), outcome="dequeued", billed="no")
    possible: list[Event] = [Completed(), Failed(fault=FAULT), Cancelled(receipt=receipt)]
    end = chance.choice(possible)
    if isinstance(end, Completed) or chance.random() < 0.5:
        steps += [(claimed, StageStarted(stage="s", progress=1, message="Go"))]
    return [*steps, (end,)]


def always(decision: Decision) -> Decide:
    return lambda _: decision


async def live(member: str, steps: Sequence[tuple[Event, ...]], stores: Sequence[Store], chance: random.Random) -> None:
    for events in steps:
        parts = {"result": {"of": member}} if isinstance(events[-1], Completed) else {}
        await chance.choice(stores).write(member, always(Decision(events=events, parts=parts)))
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)


async def follow_late(house: House, group: Group, chance: random.Random) -> Seen:
    await asyncio.sleep(chance.random() * 0.05)
    return await collect(house, group, pause=chance.choice([0, 0, 0.001]))


async def interleave(house: House, stores: Sequence[Store], seed: int) -> None:
    """Let four members live at once while three followers come at any moment: each must see every end."""
    chance = random.Random(seed)
    members = [NewMember(name=str(place), params={}) for place in range(4)]
    new = NewGroup(kind="batch", member_kind="image", owner="ann", members=members)
    groups = house.engine.groups
    group, _ = await groups.register.commit(groups._making.group(new), new.members)
    watching = [asyncio.create_task(follow_late(house, group, chance)) for _ in range(3)]
    await groups._making.create_members(group)
    await groups.register.change(group.id, opened)
    lives = [live(member, history(house.clock, chance), stores, chance) for member in groups.member_ids(group)]
    await asyncio.gather(*lives)
    ended = {member.job.id: member for member in await groups.members(group)}
    for one in watching:
        seen = await ends(one, 20)
        assert seen.over, seed
        for job_id, member in ended.items():
            shown = seen.last[job_id]
            assert (shown.job, shown.result) == (member.job, member.result), seed
            assert (shown.record,) == member.records, seed


@pytest.mark.parametrize("rounds", [4, pytest.param(100, marks=pytest.mark.soak)])
@pytest.mark.parametrize("processes", [1, 2])
async def test_no_interleaving_hides_an_end(house: House, backend: Backend, processes: int, rounds: int) -> None:
    """Many groups at a time, each with three followers, with and without another process's writes."""
    groups, rounds = (50, rounds) if isinstance(backend, Sqlite) else (6, (rounds + 3) // 4)
    other = backend.process()
    await other.open()
    stores: tuple[Store, ...] = (house.store, other)[:processes]
    for first in range(rounds):
        await asyncio.gather(*(interleave(house, stores, first * groups + number) for number in range(groups)))
    await other.close()
