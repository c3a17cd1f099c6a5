"""Groups with lanes, and groups that are given another content: what is made, kept, run again, and what a crash leaves."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from tests.engine.test_groups import Crash, crash_at
from tests.house import House, failing

from atelier.errors import Conflict, IdempotencyMismatch, NotFound, ProviderRefused, QueueFull
from atelier.jobs.groups import Group, Mark, NewGroup, NewMember, Phase, Place, Redraw, standing_of
from atelier.jobs.groups.register import CONTENT, WORK
from atelier.jobs.models import Status

Names = dict[str, str]
"""What a board asks for: items by name (`lane/number`), each with its meaning."""

KEY = Mark(key="of a redraw", request="a/1 as v2")


def member(name: str, meaning: str = "", **fields: Any) -> NewMember:
    return NewMember(
        name=name, params={"meaning": meaning}, lane=name.split("/", maxsplit=1)[0], meaning=meaning, **fields
    )


def board(names: Names, **fields: Any) -> NewGroup:
    members = [member(name, meaning) for name, meaning in names.items()]
    return NewGroup(
        kind="board", member_kind="image", owner="ann", members=members, key="k", request=str(names), title="film", **fields
    )  # fmt: skip


def names(*numbers: int, lanes: tuple[str, ...] = ("a",), meaning: str = "v1") -> Names:
    return {f"{lane}/{number}": meaning for lane in lanes for number in numbers}


async def post(house: House, asked: Names, redraw: Redraw = Redraw.NONE, **fields: Any) -> Group:
    return (await house.engine.groups.revise(board(asked, **fields), redraw))[0]


async def redraw(
    house: House, group: Group, name: str, meaning: str = "", mark: Mark | None = None
) -> tuple[Group, bool]:
    return await house.engine.groups.redraw(group, name, lambda _: member(name, meaning), mark)


async def places(house: House, group: Group) -> dict[str, Place]:
    return {place.item.name: place for place in await house.engine.groups.places(group)}


async def statuses(house: House, group: Group) -> dict[str, Status | None]:
    found = await places(house, group)
    return {name: place.latest.job.status if place.latest is not None else None for name, place in found.items()}


async def drawings(house: House, group: Group) -> dict[str, int]:
    return {name: place.item.drawing for name, place in (await places(house, group)).items()}


async def run_all(house: House, group: Group) -> None:
    while True:
        due = [one.job for one in await house.engine.groups.members(group) if one.job.status is Status.QUEUED]
        if not due:
            return
        for job in due:
            await house.deliver(job.id)


async def test_each_lane_has_a_window_and_none_waits_for_another(house: House) -> None:
    group = await post(house, names(*range(6), lanes=("a", "slow", "b")))
    found = await statuses(house, group)
    queued = Counter(name.split("/")[0] for name, status in found.items() if status is Status.QUEUED)
    assert queued == {"a": 4, "slow": 2, "b": 4}
    first = next(job for job in house.queue.dispatched if job.lane == "slow")
    house.queue.dispatched.clear()
    await house.deliver(first.id)
    assert [job.lane for job in house.queue.dispatched] == ["slow"], "a lane's end hands over its own next one"
    await run_all(house, group)
    assert set((await statuses(house, group)).values()) == {Status.COMPLETED}


async def test_most_is_a_bound_over_all_lanes(house: House) -> None:
    group = await post(house, names(*range(6), lanes=("a", "b")), most=3)
    order: list[str] = []

    async def watch(run: Any) -> None:
        found = Counter((await statuses(house, group)).values())
        assert found[Status.QUEUED] + found[Status.PROCESSING] <= 3
        order.append(run.job.lane)

    house.pipeline.acts["first"] = watch
    await run_all(house, group)
    assert Counter(order) == {"a": 6, "b": 6}
    assert set(order[:4]) == {"a", "b"}, "the lane with the fewest under way goes first"


async def test_turns_may_differ_from_the_order_of_the_items(house: House) -> None:
    members = [member(f"a/{number}", turn=9 - number) for number in range(9)]
    new = NewGroup(kind="board", member_kind="image", owner="ann", members=members, key="t", request="r")
    group, _ = await house.engine.groups.revise(new)
    assert [place.item.name for place in await house.engine.groups.places(group)] == [f"a/{n}" for n in range(9)]
    waiting = [name for name, status in (await statuses(house, group)).items() if status is Status.PENDING]
    assert waiting == [f"a/{n}" for n in range(5)], "those with the first turns went first"


async def test_the_same_content_attaches_and_another_is_refused_while_it_goes_on(house: House) -> None:
    groups = house.engine.groups
    group, attached = await groups.revise(board(names(1, 2)))
    assert not attached
    for redraw in Redraw:
        assert await groups.revise(board(names(1, 2)), redraw) == (group, True)
    with pytest.raises(Conflict, match="other content"):
        await groups.revise(board(names(1, 2, 3)))
    await groups.pause(group.id)
    assert (await groups.revise(board(names(1, 2))))[1]
    await groups.resume(group.id)
    await run_all(house, group)
    assert (await groups.revise(board(names(1, 2))))[1], "all is there: nothing is to be done"
    assert await drawings(house, group) == {"a/1": 1, "a/2": 1}


@pytest.mark.parametrize(
    ("redraw", "expected"),
    [
        (Redraw.NONE, {"a/1": 1, "a/2": 1, "a/4": 1}),
        (Redraw.CHANGED, {"a/1": 1, "a/2": 2, "a/4": 1}),
        (Redraw.ALL, {"a/1": 2, "a/2": 2, "a/4": 1}),
    ],
)
async def test_a_revision_keeps_makes_and_leaves_out(house: House, redraw: Redraw, expected: dict[str, int]) -> None:
    group = await post(house, names(1, 2, 3))
    await run_all(house, group)
    before = {name: place.latest for name, place in (await places(house, group)).items()}
    house.pipeline.entered.clear()
    group = await post(house, {"a/1": "v1", "a/2": "v2", "a/4": "v1"}, redraw)
    assert await drawings(house, group) == expected
    assert [item.name for item in group.left_out] == ["a/3"]
    assert (group.phase, group.complete) == (Phase.OPEN, True)
    await run_all(house, group)
    assert set((await statuses(house, group)).values()) == {Status.COMPLETED}
    assert house.pipeline.entered.count("first") == sum(expected.values()) - 2
    for name, place in (await places(house, group)).items():
        if expected[name] == 1 and name != "a/4":
            assert place.latest == before[name], "what is kept is untouched"
    again = await post(house, names(1, 2, 3))
    assert [item.name for item in again.left_out] == ["a/4"]
    assert (await drawings(house, again))["a/3"] == 1, "what comes back has its picture still"
    assert len(await house.store.documents(CONTENT)) == 1, "what was made from older contents is gone"


async def test_a_kept_picture_keeps_the_meaning_it_was_made_for(house: House) -> None:
    group = await post(house, {"a/1": "v1"})
    await run_all(house, group)
    group = await post(house, {"a/1": "v2"})
    assert await drawings(house, group) == {"a/1": 1}
    group = await post(house, {"a/1": "v2"}, Redraw.CHANGED)
    assert await drawings(house, group) == {"a/1": 2}


async def test_what_ended_badly_runs_again_or_is_made_for_what_is_asked_now(house: House) -> None:
    house.pipeline.acts["first"] = failing(ProviderRefused("No."), ProviderRefused("No."))
    group = await post(house, names(1, 2, 3))
    await run_all(house, group)
    assert Counter((await statuses(house, group)).values()) == {Status.FAILED: 2, Status.COMPLETED: 1}
    group = await post(house, {"a/1": "v1", "a/2": "v2", "a/3": "v1"})
    found = await places(house, group)
    assert {name: place.item.drawing for name, place in found.items()} == {"a/1": 1, "a/2": 2, "a/3": 1}
    first = found["a/1"].latest
    assert first is not None
    assert (first.job.run, first.job.must_finish_by) == (2, group.deadline)
    await run_all(house, group)
    assert set((await statuses(house, group)).values()) == {Status.COMPLETED}


async def test_a_member_that_was_deleted_is_made_again(house: House) -> None:
    group = await post(house, names(1, 2))
    await run_all(house, group)
    gone = (await house.engine.groups.members(group))[0]
    await house.store.delete(gone.job.id)
    group = await post(house, names(1, 2))
    assert await drawings(house, group) == {"a/1": 2, "a/2": 1}


async def test_a_member_that_was_deleted_counts_as_cancelled(house: House) -> None:
    group = await post(house, names(1, 2, 3))
    await run_all(house, group)
    for deleted in (1, 2, 3):
        await house.engine.delete("ann", house.engine.groups.member_ids(group)[deleted - 1])
        now = await house.engine.groups.get("ann", group.id)
        members = await house.engine.groups.members(now)
        standing = standing_of(now, (member.job.status for member in members))
        assert (standing.completed, standing.cancelled, standing.deleted) == (3 - deleted, deleted, deleted)
        assert standing.status is (Status.COMPLETED if deleted < 3 else Status.CANCELLED)


async def test_retry_failed_runs_only_what_failed_and_through_the_window(house: House) -> None:
    house.pipeline.acts["first"] = failing(*[ProviderRefused("No.")] * 7)
    group = await post(house, names(*range(8)))
    await run_all(house, group)
    house.clock.pass_(hours=72)
    while await house.engine.sweep():
        pass
    assert await house.store.documents(WORK) == []
    assert await house.engine.groups.retry_failed(group) == 7
    found = Counter((await statuses(house, group)).values())
    assert found == {Status.QUEUED: 4, Status.PENDING: 3, Status.COMPLETED: 1}
    assert len(await house.store.documents(WORK)) == 1, "the sweeper looks at it again"
    await run_all(house, group)
    with pytest.raises(Conflict, match="has failed"):
        await house.engine.groups.retry_failed(group)


async def test_retry_failed_leaves_earlier_drawings_and_what_was_left_out(house: House) -> None:
    """They are jobs of their own: nobody asked for their pictures again, which cost money."""
    house.pipeline.acts["first"] = failing(*[ProviderRefused("No.")] * 3)
    group = await post(house, names(0, 1, 2))
    await run_all(house, group)
    earlier, left_out, failed = await house.engine.groups.members(group)
    group, _ = await redraw(house, group, "a/0", "v2")
    await run_all(house, group)
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    group = await post(house, {"a/0": "v2", "a/2": "v1"})
    await run_all(house, group)
    assert await house.engine.groups.retry_failed(group) == 1
    assert [(await house.job(one.job.id)).run for one in (earlier, left_out, failed)] == [1, 1, 3]


async def test_what_is_made_again_after_the_deadline_has_time_of_its_own(house: House) -> None:
    house.pipeline.acts["first"] = failing(ProviderRefused("No."))
    group = await post(house, names(0, 1))
    await run_all(house, group)
    house.clock.pass_(hours=72)
    group, _ = await redraw(house, group, "a/1", "v2")
    first, second = [one.job for one in await house.engine.groups.members(group)]
    assert second.must_finish_by == house.clock() + timedelta(hours=48)
    assert (first.created_at, second.created_at) == (group.created_at, house.clock()), "it is not as old as its group"
    house.clock.pass_(hours=72)
    await house.engine.groups.retry_failed(group)
    assert (await house.job(first.id)).must_finish_by == house.clock() + timedelta(hours=48)


async def test_what_runs_again_with_a_revision_counts_as_well(house: House) -> None:
    house.pipeline.acts["first"] = failing(*[ProviderRefused("No.")] * 3)
    group = await post(house, names(0, 1, 2))
    await run_all(house, group)
    others = [member(f"b/{number}") for number in range(297)]
    await house.engine.groups.create(NewGroup(kind="batch", member_kind="image", owner="ann", members=others))
    with pytest.raises(QueueFull):
        await post(house, names(0, 1, 2))
    assert set((await statuses(house, group)).values()) == {Status.FAILED}


async def test_one_item_is_drawn_again_while_the_others_go_on(house: House) -> None:
    groups = house.engine.groups
    group = await post(house, names(*range(6)))
    with pytest.raises(Conflict, match="This is queued at present"):
        await redraw(house, group, "a/0", "v2")
    with pytest.raises(NotFound):
        await redraw(house, group, "a/9")
    first = (await groups.members(group))[0]
    await house.deliver(first.job.id)
    group, _ = await redraw(house, group, "a/0", "v2")
    place = (await places(house, group))["a/0"]
    assert place.latest is not None
    assert place.completed is not None
    assert (place.item.drawing, place.latest.job.status) == (2, Status.PENDING)
    assert place.completed.job.id == first.job.id, "the earlier picture is shown until there is another"
    await groups.pause(group.id)
    with pytest.raises(Conflict, match="It is paused: resume it first"):
        await redraw(house, group, "a/0")
    await groups.resume(group.id)
    await run_all(house, group)
    assert set((await statuses(house, group)).values()) == {Status.COMPLETED}


async def test_a_full_queue_takes_no_revision(house: House) -> None:
    group = await post(house, names(1))
    await run_all(house, group)
    with pytest.raises(QueueFull):
        await post(house, names(*range(400)))
    assert (await house.engine.groups.get("ann", group.id)).phase is Phase.OPEN


async def test_who_revises_at_the_same_time_agrees(house: House) -> None:
    group = await post(house, names(1))
    await run_all(house, group)
    engines = (house.engine, house.another_engine())
    asked = [board(names(1, 2)), board(names(1, 3))] * 4
    done = await asyncio.gather(
        *(engine.groups.revise(new) for engine in engines for new in asked), return_exceptions=True
    )
    made = [one for one in done if not isinstance(one, BaseException)]
    assert {type(one) for one in done if isinstance(one, BaseException)} <= {Conflict}
    assert [attached for _, attached in made].count(False) == 1
    assert len({group.items for group, _ in made}) == 1
    found = await house.engine.groups.places(made[0][0])
    assert all(place.latest is not None for place in found)
    assert len(await house.store.documents(CONTENT)) == 1, "who lost leaves nothing behind"


@pytest.mark.parametrize("number", range(12))
async def test_a_crash_anywhere_in_a_revision_leaves_the_old_or_the_new(
    house: House, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    house.pipeline.acts["second"] = failing(ProviderRefused("No."))
    group = await post(house, names(1, 2, 3))
    await run_all(house, group)
    asked = {"a/1": "v1", "a/2": "v2", "a/4": "v1"}
    with monkeypatch.context() as patch:
        crash_at(house, number, patch)
        crashed = False
        try:
            await post(house, asked, Redraw.CHANGED)
        except Crash:
            crashed = True
    survivor = house.another_engine()
    await survivor.sweep()
    after = await survivor.groups.get("ann", group.id)
    assert after.phase is Phase.OPEN
    if after.items == group.items:
        assert crashed
        assert after == group
    group = await post(house, asked, Redraw.CHANGED)
    await run_all(house, group)
    assert await drawings(house, group) == {"a/1": 1, "a/2": 2, "a/4": 1}
    assert set((await statuses(house, group)).values()) == {Status.COMPLETED}
    runs = {job.latest.job.run for job in (await places(house, group)).values() if job.latest is not None}
    assert runs == {1, 2}
    assert crashed == (number < 11), "as many writes as a revision has"


async def test_a_crash_in_a_redraw_is_finished_by_the_sweeper(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    group = await post(house, names(1, 2))
    await run_all(house, group)
    house.clock.pass_(minutes=1)
    while await house.engine.sweep():
        pass
    with monkeypatch.context() as patch:
        crash_at(house, 3, patch)
        with pytest.raises(Crash):
            await redraw(house, group, "a/1", "v1", KEY)
    await house.another_engine().sweep()
    group = await house.engine.groups.get("ann", group.id)
    assert await statuses(house, group) == {"a/1": Status.QUEUED, "a/2": Status.COMPLETED}
    assert (await redraw(house, group, "a/1", "v1", KEY))[1], "what was accepted before the crash is not made twice"
    assert await drawings(house, await house.engine.groups.get("ann", group.id)) == {"a/1": 2, "a/2": 1}


@pytest.mark.parametrize("number", range(8))
async def test_a_redraw_with_a_key_is_made_once_wherever_a_crash_comes(
    house: House, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    group = await post(house, names(1, 2))
    await run_all(house, group)
    with monkeypatch.context() as patch:
        crash_at(house, number, patch)
        crashed = False
        try:
            await redraw(house, group, "a/1", "v2", KEY)
        except Crash:
            crashed = True
    assert crashed == (number < 7), "as many writes as a redraw has"
    again, _ = await redraw(house, group, "a/1", "v2", KEY)
    await house.another_engine().sweep()
    await run_all(house, again)
    assert (await redraw(house, group, "a/1", "v2", KEY))[1], "after its end, too"
    assert await drawings(house, await house.engine.groups.get("ann", group.id)) == {"a/1": 2, "a/2": 1}
    assert set((await statuses(house, again)).values()) == {Status.COMPLETED}


async def test_a_key_of_a_redraw_stands_for_that_one_only(house: House) -> None:
    group = await post(house, names(1, 2), mark=Mark(key="of the post", request="r"))
    await run_all(house, group)
    assert not (await redraw(house, group, "a/1", "v2", KEY))[1]
    for name, asked, mark in (
        ("a/1", "v3", Mark(key=KEY.key, request="other")),
        ("a/2", "v2", Mark(key=KEY.key, request="another beat")),
        ("a/1", "v2", Mark(key="of the post", request="redraw")),
    ):
        with pytest.raises(IdempotencyMismatch):
            await redraw(house, group, name, asked, mark)
    assert await drawings(house, await house.engine.groups.get("ann", group.id)) == {"a/1": 2, "a/2": 1}


async def test_who_redraws_at_the_same_time_with_one_key_draws_once(house: House) -> None:
    group = await post(house, names(1, 2))
    await run_all(house, group)
    done = await asyncio.gather(*(redraw(house, group, "a/1", "v2", KEY) for _ in range(4)))
    assert sorted(replayed for _, replayed in done) == [False, True, True, True]
    assert await drawings(house, await house.engine.groups.get("ann", group.id)) == {"a/1": 2, "a/2": 1}


async def test_who_redraws_other_items_at_the_same_time_does_not_disturb(house: House) -> None:
    group = await post(house, names(1, 2, 3))
    await run_all(house, group)
    await asyncio.gather(*(redraw(house, group, name) for name in ("a/1", "a/3")))
    assert await drawings(house, await house.engine.groups.get("ann", group.id)) == {"a/1": 2, "a/2": 1, "a/3": 2}


async def test_posts_of_one_key_at_the_same_time_agree_on_what_it_stands_for(house: House) -> None:
    asked = [board(names(1), mark=Mark(key="k", request=text)) for text in ("one", "other")]
    done = await asyncio.gather(*(house.engine.groups.revise(new) for new in asked), return_exceptions=True)
    assert Counter(type(one) for one in done) == {tuple: 1, IdempotencyMismatch: 1}


async def test_titled_groups_are_listed_by_owner_and_title(house: House) -> None:
    made = {}
    for title in ("b", "a", "c"):
        new = NewGroup(
            kind="board", member_kind="image", owner="ann", members=[member("a/1")], key=title, request="", title=title
        )
        made[title] = (await house.engine.groups.create(new))[0]
    await house.engine.groups.create(
        NewGroup(
            kind="board", member_kind="image", owner="bob", members=[member("a/1")], key="x", request="", title="x"
        )
    )
    register = house.engine.groups.register
    assert await register.titled("ann", "board", after="", limit=2) == ([made["a"], made["b"]], "b")
    assert await register.titled("ann", "board", after="b", limit=9) == ([made["c"]], None)
    assert await register.titled("ann", "batch", after="", limit=9) == ([], None)
    await house.store.drop("group", made["b"].id)
    assert await register.titled("ann", "board", after="", limit=2) == ([made["a"]], "b"), "more may come behind it"
