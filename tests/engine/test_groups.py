"""Groups on the real store: creating, handing over, pausing, cancelling, forgetting, and what a crash leaves."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.house import Gate, House, failing

from atelier.errors import (
    AlreadyTerminal,
    Conflict,
    IdempotencyMismatch,
    NotFound,
    ProviderRefused,
    QueueFull,
    StoreUnavailable,
)
from atelier.jobs.groups import Group, NewGroup, NewMember, Phase, models, standing_of
from atelier.jobs.groups.register import CONTENT, ENDED, GROUP, WORK
from atelier.jobs.models import Job, Json, Reason, Status
from atelier.jobs.pipeline import Run
from atelier.jobs.ports import Delivery, Find
from atelier.jobs.progress import Milestone

WINDOW = 4
"""Of the house."""


class Crash(Exception):
    """The process ended here."""


def new_group(count: int = 6, kind: str = "batch", **fields: Any) -> NewGroup:
    members = [NewMember(name=str(place), params={}, title=f"picture {place}") for place in range(count)]
    return NewGroup(kind=kind, member_kind="image", owner="ann", members=fields.pop("members", members), **fields)


async def create(house: House, count: int = 6, **fields: Any) -> Group:
    return (await house.engine.groups.create(new_group(count, **fields)))[0]


async def jobs(house: House, group: Group) -> list[Job]:
    return [member.job for member in await house.engine.groups.members(group)]


async def statuses(house: House, group: Group) -> Counter[Status]:
    return Counter(job.status for job in await jobs(house, group))


async def found(house: House, group_id: str) -> Group:
    group = await house.engine.groups.register.find(group_id)
    assert group is not None
    return group


async def run_all(house: House, group: Group) -> None:
    """Deliver what is due until nothing is."""
    while due := [
        job for job in await jobs(house, group) if job.status is Status.QUEUED and is_due(job, house.clock())
    ]:
        for job in due:
            await house.deliver(job.id)


def is_due(job: Job, now: datetime) -> bool:
    return job.run_at is not None and job.run_at <= now


async def test_members_are_made_in_order_and_the_first_ones_handed_over(house: House) -> None:
    group = await create(house)
    members = await jobs(house, group)
    assert [job.id for job in members] == house.engine.groups.member_ids(group)
    assert [job.title for job in members] == [f"picture {place}" for place in range(6)]
    assert [job.status for job in members] == [Status.QUEUED] * 4 + [Status.PENDING] * 2
    assert {job.id for job in house.queue.dispatched} == {job.id for job in members[:4]}
    assert {job.group for job in members} == {group.id}
    assert {job.must_finish_by for job in members} == {house.clock() + timedelta(hours=1)}
    assert await house.stages(members[5].id) == [], "a member whose turn has not come has no record"
    assert (group.phase, group.complete) == (Phase.OPEN, True)


async def test_a_window_of_members_is_handed_over_at_a_time(house: House) -> None:
    group = await create(house, 20)
    order: list[int] = []

    async def watch(run: Run[Any, Any]) -> None:
        order.append(run.job.place)
        counts = await statuses(house, group)
        assert counts[Status.QUEUED] + counts[Status.PROCESSING] <= WINDOW

    house.pipeline.acts["first"] = watch
    await run_all(house, group)
    assert order == list(range(20)), "turns are in the order of the items"
    assert await statuses(house, group) == {Status.COMPLETED: 20}


async def test_refills_at_once_hand_over_no_more_than_one_would(house: House) -> None:
    group = await create(house, 20)
    other = house.another_engine()
    first = (await jobs(house, group))[0]
    await house.engine.cancel("ann", first.id)
    before = (await statuses(house, group))[Status.QUEUED]
    assert before == WINDOW, "a member's end hands over the next"
    for _ in range(3):
        await asyncio.gather(*(engine.groups.refill(group.id) for engine in (house.engine, other) * 10))
    counts = await statuses(house, group)
    assert (counts[Status.QUEUED], counts[Status.PENDING]) == (WINDOW, 15)
    assert max(job.dispatch for job in await jobs(house, group)) == 1


async def test_what_waits_for_long_lets_others_go_first(house: House) -> None:
    held = [NewMember(name=f"held {n}", params={}, not_before=house.clock() + timedelta(hours=2)) for n in range(5)]
    now = [NewMember(name=f"now {n}", params={}) for n in range(5)]
    group = await create(house, members=[*held, *now])
    assert group.deadline == house.clock() + timedelta(hours=3)
    assert (await statuses(house, group))[Status.QUEUED] == 5 + WINDOW, "at once, without waiting for a sweep"
    await run_all(house, group)
    assert (await statuses(house, group))[Status.COMPLETED] == 5
    waiting = (await jobs(house, group))[0]
    assert (waiting.status, waiting.state_reason) == (Status.QUEUED, Reason.WAITING_UNTIL)
    house.clock.pass_(hours=2)
    await run_all(house, group)
    assert await statuses(house, group) == {Status.COMPLETED: 10}


async def test_one_bad_member_does_not_stop_the_others(house: House) -> None:
    group = await create(house)
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    await run_all(house, group)
    assert await statuses(house, group) == {Status.FAILED: 1, Status.COMPLETED: 5}
    again = await house.engine.retry("ann", (await jobs(house, group))[0].id)
    assert standing_of(group, [job.status for job in await jobs(house, group)]).status is Status.PROCESSING
    await house.deliver(again.id)
    assert await statuses(house, group) == {Status.COMPLETED: 6}


async def test_what_is_tried_again_never_shortens_the_time_of_the_others(house: House) -> None:
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    held = NewMember(name="held", params={}, not_before=house.clock() + timedelta(hours=2))
    group = await create(house, members=[NewMember(name="now", params={}), held])
    assert group.deadline == house.clock() + timedelta(hours=3)
    await run_all(house, group)
    assert await house.engine.groups.retry_failed(group) == 1
    assert (await found(house, group.id)).deadline == group.deadline


async def test_a_pause_neither_starves_a_member_nor_takes_time_from_it(house: House) -> None:
    group = await create(house, 1)
    house.clock.pass_(minutes=59)
    paused = await house.engine.groups.pause(group.id)
    assert paused.must_finish_by(house.clock()) == house.clock() + models.PAUSED_LOOK
    house.clock.pass_(minutes=-30)
    assert (await house.engine.groups.resume(group.id)).deadline == group.deadline, "another machine's clock is behind"


async def test_a_group_remembers_so_many_marks(house: House) -> None:
    group = await create(house, 1)
    for number in range(models.MARKS + 1):
        group = models.marked(group, models.Mark(key=str(number), request="r"))
    assert len(group.marks) == models.MARKS
    assert models.done_before(group, models.Mark(key=str(models.MARKS), request="r")), "the latest is known"


async def test_a_key_makes_one_group_for_each_owner(house: House) -> None:
    groups = house.engine.groups
    first, replayed = await groups.create(new_group(key="k", request="r"))
    again, replayed_again = await groups.create(new_group(key="k", request="r"))
    assert (replayed, replayed_again, again.id) == (False, True, first.id)
    assert len(await jobs(house, first)) == 6
    with pytest.raises(IdempotencyMismatch):
        await groups.create(new_group(5, key="k", request="other"))
    others = await asyncio.gather(*(groups.create(new_group(key="k-2", request="r")) for _ in range(8)))
    assert [replayed for _, replayed in others].count(False) == 1
    assert len({group.id for group, _ in others}) == 1
    assert len(await house.store.documents(CONTENT)) == 2, "who lost leaves nothing behind"


async def test_a_full_queue_takes_no_group_but_knows_those_it_took(house: House) -> None:
    groups = house.engine.groups
    first, _ = await groups.create(new_group(200, key="k", request="r"))
    with pytest.raises(QueueFull):
        await groups.create(new_group(200, key="k-2", request="r"))
    assert await groups.create(new_group(200, key="k", request="r")) == (first, True)
    assert [document.name for document in await house.store.documents(GROUP)] == [first.id]


async def test_others_groups_and_other_kinds_look_like_none(house: House) -> None:
    group = await create(house)
    for owner, group_id, kind in (("bob", group.id, "batch"), ("ann", "0" * 32, "batch"), ("ann", group.id, "board")):
        with pytest.raises(NotFound, match=f"There is no such {kind}"):
            await house.engine.groups.get(owner, group_id, kind)


def crash_at(house: House, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store answer no write from the one with this number on, as if the process had ended before it."""
    left = iter(range(number))

    def ending(name: str) -> None:
        method = getattr(house.store, name)

        async def write(*args: Any, **kwargs: Any) -> Any:
            if next(left, None) is None:
                raise Crash
            return await method(*args, **kwargs)

        monkeypatch.setattr(house.store, name, write)

    for name in ("put", "create", "write", "drop"):
        ending(name)


WRITES = 1 + 2 + 1 + 6 + 1 + 4
"""Of creating six members: the work entry, two chunks, the group, the members, its opening, a window."""


@pytest.mark.parametrize("number", range(WRITES + 1))
async def test_a_crash_anywhere_while_creating_leaves_all_or_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    big = [NewMember(name=str(place), params={"prompt": "x" * 60_000}) for place in range(6)]
    with monkeypatch.context() as patch:
        crash_at(house, number, patch)
        crashed = False
        try:
            await house.engine.groups.create(new_group(members=big, key="k"))
        except Crash:
            crashed = True
        assert crashed == (number < WRITES)
    survivor = house.another_engine()
    await survivor.sweep()
    committed = await house.store.documents(GROUP)
    if not committed:
        assert number <= 3
        house.clock.pass_(minutes=61)
        await survivor.sweep()
        assert [await house.store.documents(kind) for kind in (WORK, CONTENT, GROUP)] == [[], [], []]
        assert await house.store.find(Find(owner="ann", kinds=("image",))) == []
        return
    assert number > 3
    group = await found(house, committed[0].name)
    assert [job.id for job in await jobs(house, group)] == survivor.groups.member_ids(group)
    assert (await statuses(house, group)) == {Status.QUEUED: 4, Status.PENDING: 2}
    assert (await house.store.parts((await jobs(house, group))[5].id))["params"] == big[5].params
    again, replayed = await survivor.groups.create(new_group(members=big, key="k"))
    assert (again, replayed) == (group, True)
    await run_all(house, group)
    assert await statuses(house, group) == {Status.COMPLETED: 6}


async def test_large_members_lie_in_documents_well_below_a_mebibyte(house: House) -> None:
    big = [NewMember(name=str(place), params={"prompt": "ü" * 10_000}) for place in range(100)]
    group = await create(house, members=big)
    assert len(await jobs(house, group)) == 100
    for kind in (GROUP, CONTENT):
        for document in await house.store.documents(kind):
            assert len(str(document.body).encode()) < 400_000


@pytest.mark.parametrize(
    ("members", "complete", "status"),
    [
        ("qcf", True, Status.PROCESSING),
        ("pxx", True, Status.PROCESSING),
        ("rcc", True, Status.PROCESSING),
        ("ccc", True, Status.COMPLETED),
        ("cfx", True, Status.COMPLETED),
        ("ffx", True, Status.FAILED),
        ("xxx", True, Status.CANCELLED),
        ("cc", True, Status.COMPLETED),
        ("", True, Status.CANCELLED),
        ("cc", False, Status.PROCESSING),
        ("", False, Status.PROCESSING),
    ],
)
async def test_status_follows_from_the_members(house: House, members: str, complete: bool, status: Status) -> None:  # noqa: FBT001
    letters = dict(zip("pqrcfx", Status, strict=True))
    group = await create(house, 3)
    counted = standing_of(
        group if complete else house.engine.groups._making.group(new_group(3)), [letters[one] for one in members]
    )
    assert counted.status is status
    deleted = 3 - len(members) if complete else 0
    assert (counted.completed, counted.failed) == (members.count("c"), members.count("f"))
    assert (counted.cancelled, counted.deleted) == (members.count("x") + deleted, deleted)


async def test_pausing_holds_what_was_handed_over_and_resuming_goes_on(house: House) -> None:
    group = await create(house)
    groups = house.engine.groups
    await groups.pause(group.id)
    await groups.pause(group.id)
    first = (await jobs(house, group))[0]
    held = await house.deliver(first.id)
    assert (held.status, held.state_reason, held.attempt) == (Status.PENDING, Reason.PAUSED, 0)
    assert house.pipeline.entered == []
    await run_all(house, group)
    await house.engine.sweep()
    assert await statuses(house, group) == {Status.PENDING: 6}
    await groups.resume(group.id)
    await groups.resume(group.id)
    assert (await statuses(house, group))[Status.QUEUED] == WINDOW
    await run_all(house, group)
    assert await statuses(house, group) == {Status.COMPLETED: 6}
    assert (await house.job(first.id)).attempt == 1


async def test_what_runs_when_the_group_is_paused_goes_on(house: House) -> None:
    group = await create(house)
    gate = house.pipeline.acts["first"] = Gate()
    job = (await jobs(house, group))[0]
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.reached.wait()
    await house.engine.groups.pause(group.id)
    gate.open.set()
    assert await running is Delivery.SETTLED
    counts = await statuses(house, group)
    assert (counts[Status.COMPLETED], counts[Status.QUEUED], counts[Status.PENDING]) == (1, 3, 2)


async def test_a_cancel_that_comes_while_a_member_is_held_wins(house: House) -> None:
    group = await create(house)
    await house.engine.groups.pause(group.id)
    job = (await jobs(house, group))[0]
    await house.deliver(job.id)
    await house.engine.cancel("ann", job.id)
    assert (await house.job(job.id)).status is Status.CANCELLED


async def test_paused_time_does_not_count(house: House) -> None:
    group = await create(house)
    groups = house.engine.groups
    house.clock.pass_(minutes=50)
    await groups.pause(group.id)
    looked = 0
    for _ in range(12):
        house.clock.pass_(hours=2)
        looked += await house.engine.sweep()
        assert await house.engine.sweep() == 1, "only the group's own entry: its members are not looked at again"
    assert (await statuses(house, group)).keys() <= {Status.QUEUED, Status.PENDING}, "nobody ends a paused member"
    resumed = await groups.resume(group.id)
    assert resumed.deadline == house.clock() + timedelta(minutes=10)
    first = await house.deliver((await jobs(house, group))[0].id)
    assert first.status is Status.COMPLETED
    assert {job.must_finish_by for job in await jobs(house, group)} == {resumed.deadline}
    house.clock.pass_(minutes=11)
    await house.engine.sweep()
    assert await statuses(house, group) == {Status.COMPLETED: 1, Status.FAILED: 5}


async def test_a_member_that_waited_through_a_pause_gets_its_group_s_time(house: House) -> None:
    """It was queued before the pause and is claimed after it, between two sweeps."""
    group = await create(house)
    house.clock.pass_(minutes=30)
    await house.engine.groups.pause(group.id)
    house.clock.pass_(minutes=29)
    resumed = await house.engine.groups.resume(group.id)
    seen: list[datetime] = []

    async def look(run: Run[Any, Any]) -> None:
        seen.append(run.job.must_finish_by)

    house.pipeline.acts["first"] = look
    await house.deliver((await jobs(house, group))[0].id)
    assert seen == [resumed.deadline]


async def test_a_group_that_is_not_open_cannot_be_paused_nor_resumed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        crash_at(house, 5, patch)
        with pytest.raises(Crash):
            await create(house)
    (document,) = await house.store.documents(GROUP)
    for change in (house.engine.groups.pause, house.engine.groups.resume):
        with pytest.raises(Conflict, match="still being set up"):
            await change(document.name)
        with pytest.raises(NotFound):
            await change("0" * 32)


async def test_cancel_ends_every_member(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atelier.jobs.groups.engine.CANCEL_WAIT", timedelta(hours=1))
    group = await create(house)
    gate = house.pipeline.acts["first"] = Gate()
    first, *_ = await jobs(house, group)
    running = asyncio.create_task(house.engine.deliver(first.id, 1))
    await gate.reached.wait()
    async with asyncio.timeout(60):
        await house.engine.groups.cancel(group)
    await running
    assert await statuses(house, group) == {Status.CANCELLED: 6}
    receipts = [job.cancellation.outcome for job in await jobs(house, group) if job.cancellation]
    assert receipts == ["aborted_before_send"] + ["dequeued"] * 5
    assert (await found(house, group.id)).phase is Phase.OPEN
    with pytest.raises(AlreadyTerminal):
        await house.engine.groups.cancel(group)


async def test_cancel_answers_without_a_dead_worker_s_receipt(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atelier.jobs.groups.engine.CANCEL_WAIT", timedelta(seconds=0.1))
    group = await create(house)
    await house.lose((await jobs(house, group))[0].id)
    async with asyncio.timeout(60):
        await house.engine.groups.cancel(group)
    assert await statuses(house, group) == {Status.PROCESSING: 1, Status.CANCELLED: 5}
    house.clock.pass_(seconds=11)
    await house.engine.sweep()
    assert await statuses(house, group) == {Status.CANCELLED: 6}


async def test_a_paused_group_can_be_cancelled(house: House) -> None:
    group = await create(house)
    await house.engine.groups.pause(group.id)
    await house.deliver((await jobs(house, group))[0].id)
    await house.engine.groups.cancel(group)
    assert await statuses(house, group) == {Status.CANCELLED: 6}


@pytest.mark.parametrize("number", range(1, 9))
async def test_a_crash_while_cancelling_is_finished_by_the_sweeper(
    house: House, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    group = await create(house)
    with monkeypatch.context() as patch:
        crash_at(house, number, patch)
        with pytest.raises(Crash):
            await house.engine.groups.cancel(group)
    survivor = house.another_engine()
    await survivor.sweep()
    expected = {Status.CANCELLED: 6} if number > 1 else {Status.QUEUED: 4, Status.PENDING: 2}
    assert await statuses(house, group) == expected, "written first, then done"
    await survivor.sweep()
    assert (await found(house, group.id)).phase is Phase.OPEN


async def test_cancelling_a_half_made_group_cancels_what_was_not_made(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        crash_at(house, 5, patch)
        with pytest.raises(Crash):
            await create(house)
    (document,) = await house.store.documents(GROUP)
    await house.engine.groups.cancel(await found(house, document.name))
    group = await found(house, document.name)
    assert await statuses(house, group) == {Status.CANCELLED: 6}
    assert group.complete


async def test_a_deleted_member_is_not_made_again(house: House) -> None:
    group = await create(house)
    await house.engine.cancel("ann", (first := (await jobs(house, group))[0]).id)
    await house.engine.delete("ann", first.id)
    await house.engine.sweep()
    await house.engine.groups.cancel(group)
    assert await statuses(house, group) == {Status.CANCELLED: 5}


async def test_a_refill_that_a_crash_lost_is_done_by_the_sweeper(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    group = await create(house)

    async def lost(*_: object) -> bool:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(house.engine.groups._window, "refill", lost)
        await run_all(house, group)
    assert await statuses(house, group) == {Status.COMPLETED: 4, Status.PENDING: 2}
    await house.engine.sweep()
    await run_all(house, group)
    assert await statuses(house, group) == {Status.COMPLETED: 6}


async def test_a_sweep_looks_at_groups_with_work_left_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    done, paused = await create(house), await create(house)
    await run_all(house, done)
    await house.engine.groups.pause(paused.id)
    house.clock.pass_(minutes=1)
    await house.engine.sweep()
    assert [document.name for document in await house.store.documents(WORK)] == [paused.id]
    asked: list[str] = []
    find = house.engine.groups.register.find

    async def counted(group_id: str) -> Group | None:
        asked.append(group_id)
        return await find(group_id)

    monkeypatch.setattr(house.engine.groups.register, "find", counted)
    await house.engine.sweep()
    assert asked == [paused.id]


async def test_a_sweep_is_bounded_and_the_next_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atelier.jobs.groups.sweeper.LOT", 2)
    groups = [await create(house, 1) for _ in range(5)]
    attended: list[str] = []
    refill = house.engine.groups.refill

    async def counted(group_id: str) -> bool:
        attended.append(group_id)
        return await refill(group_id)

    monkeypatch.setattr(house.engine.groups, "refill", counted)
    ids = sorted(group.id for group in groups)
    for expected in (ids[:2], ids[:4], ids, [*ids, *ids[:2]]):
        await house.engine.sweep()
        assert attended == expected


async def test_old_batches_are_forgotten_whole_and_other_groups_kept(house: House) -> None:
    batch, board = await create(house, 3), await create(house, 3, kind="board", listed=False)
    for group in (batch, board):
        await run_all(house, group)
    house.clock.pass_(minutes=1)
    await house.engine.sweep()
    house.clock.pass_(days=29)
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    await house.engine.sweep()
    assert len(await jobs(house, batch)) == 3
    house.clock.pass_(days=2)
    await house.engine.sweep()
    assert await jobs(house, batch) == []
    assert await house.engine.groups.register.find(batch.id) is None
    assert len(await jobs(house, board)) == 3
    assert {document.name.split("/")[0] for document in await house.store.documents(CONTENT)} == {board.id}
    assert await house.store.documents(ENDED) == []


async def test_a_batch_whose_picture_was_made_again_is_kept_from_then(house: House) -> None:
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    group = await create(house, 3)
    await run_all(house, group)
    house.clock.pass_(minutes=1)
    await house.engine.sweep()
    house.clock.pass_(days=20)
    failed = (await jobs(house, group))[0]
    await house.engine.retry("ann", failed.id)
    await house.deliver(failed.id)
    house.clock.pass_(days=11)
    await house.engine.sweep()
    assert len(await jobs(house, group)) == 3
    house.clock.pass_(days=20)
    await house.engine.sweep()
    assert await jobs(house, group) == []


async def test_a_member_whose_group_cannot_be_asked_is_given_back_with_its_attempt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was done for it, so nobody has to wait for a lease to end, and no worker has stopped answering."""
    group = await create(house, 1)
    (job,) = await jobs(house, group)

    async def away(*_: object) -> None:
        raise StoreUnavailable("Away.")

    with monkeypatch.context() as patch:
        patch.setattr(house.engine.groups, "admit", away)
        assert await house.engine.deliver(job.id, job.dispatch) is Delivery.SETTLED
    again = await house.job(job.id)
    assert (again.status, again.attempt, again.worker, again.fault) == (Status.QUEUED, 0, None, None)
    assert again.run_at is not None
    assert again.run_at > house.clock(), "a store that is away is not asked in a circle"
    assert house.queue.dispatched[-1] == again
    house.clock.pass_(seconds=2)
    assert (await house.deliver(job.id)).status is Status.COMPLETED


async def test_lists_show_members_of_batches_only(house: House) -> None:
    batch = await create(house, 3)
    await create(house, 3, kind="board", listed=False)
    listed = await house.engine.find(Find(owner="ann", kinds=("image",)))
    assert {one.job.id for one in listed} == {job.id for job in await jobs(house, batch)}


async def test_a_milestone_shows_what_it_made_from_then_on(house: House) -> None:
    async def draft(run: Run[Any, Any]) -> None:
        async def make() -> Json:
            return {"picture": {"at": "/draft.png"}, "cost": 1}

        drafted = Milestone(message="Drafted", progress=20, show=lambda made: {"at": made["picture"]["at"]})
        await run.once("draft", make, drafted)

    house.pipeline.acts["first"] = draft
    done = await house.deliver((await house.submit()).id)
    assert done.shows == {"draft": {"at": "/draft.png"}}
    records = (await house.engine.get("ann", done.id)).records
    assert [record.data for record in records if record.stage == "first"] == [
        {},
        {"key": "draft", "draft": {"at": "/draft.png"}},
    ]
