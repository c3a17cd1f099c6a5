"""Stories on both stores: the text first, then pictures that draw themselves, each once, and an end in time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.contracts.writing import FAULT
from tests.history import picture_of
from tests.house import House
from tests.posts import PRICE, Scribe, scripted
from tests.tales import STORY_TIME, open_house, order, pictures, told
from tests.vendors import PAID, Vendor

from atelier.errors import Conflict, ProviderRefused, ProviderUnavailable
from atelier.jobs.events import Claimed, Retried
from atelier.jobs.groups import Group
from atelier.jobs.models import Snapshot, Status
from atelier.jobs.ports import Decide, Decision, Delivery
from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest
from atelier.pipelines.story.models import PICTURES
from atelier.providers.chain import FirstThatWorks
from atelier.providers.health import HealthBook, Observed

PICTURE = picture_of("A fox under a tree")


def painter(house: House, vendor: Vendor) -> Observed:  # type: ignore[type-arg]
    vendor.paint = lambda: PICTURE
    return Observed(vendor, HealthBook(house.store, house.clock))


def vendor(*failures: str) -> Vendor:
    """Return a painter who refuses whatever shows one of these words."""
    made = Vendor("painter", "k", [])

    def trouble() -> ProviderRefused | None:
        prompt = made.requests[-1].prompt
        return ProviderRefused("Not this.") if any(word in prompt for word in failures) else None

    made.trouble = trouble
    return made


async def drawn(house: House) -> None:
    """Deliver every picture that is handed over until none is left."""
    while True:
        waiting = [job for job in house.queue.dispatched if job.kind == "image"]
        house.queue.dispatched.clear()
        if not waiting:
            return
        for job in waiting:
            await house.engine.deliver(job.id, (await house.job(job.id)).dispatch)


async def test_the_text_is_there_before_the_pictures(house: House, tmp_path: Path) -> None:
    paints = vendor()
    open_house(house, Scribe(), painter(house, paints), tmp_path)
    job = await house.deliver((await order(house)).id)
    assert job.status is Status.COMPLETED, job.fault
    snapshot, story = await told(house, job)
    assert list(dict.fromkeys(record.stage for record in snapshot.records)) == [
        "queued",
        "writing",
        "illustrating",
        "completed",
    ]
    assert [scene["number"] for scene in story["scenes"]] == [1, 2, 3]
    assert snapshot.result is not None
    assert snapshot.result["text"] == story["text"] == "\n\n".join(scene["text"] for scene in story["scenes"])
    assert job.cost == pytest.approx(2 * PRICE)
    assert [one.job.status for one in await pictures(house, job)] == [Status.QUEUED] * 3
    assert paints.requests == [], "nothing is drawn while the story holds a slot"


async def test_pictures_belong_together(house: House, tmp_path: Path) -> None:
    """Style and looks in the same words each time, one seed, the scene's own sentence as alternative text."""
    paints = vendor()
    open_house(house, Scribe(), painter(house, paints), tmp_path)
    job = await house.deliver((await order(house)).id)
    await drawn(house)
    snapshot, story = await told(house, job)
    assert snapshot.result is not None
    prompts = [request.prompt for request in paints.requests]
    assert all(prompt.startswith(snapshot.result["style"]) for prompt in prompts)
    one = snapshot.result["characters"][0]
    assert sum(f"{one['name']}: {one['look']}" in prompt for prompt in prompts) >= 2
    assert len({request.seed for request in paints.requests}) == 1
    members = await pictures(house, job)
    texts = [one.result["images"][0]["alt_text"] for one in members if one.result is not None]
    assert texts == [scene["alt_text"] for scene in story["scenes"]]


async def test_a_scene_that_fails_fails_alone_and_may_run_again(house: House, tmp_path: Path) -> None:
    paints = vendor("walk home")
    open_house(house, Scribe(), painter(house, paints), tmp_path)
    job = await house.deliver((await order(house)).id)
    await drawn(house)
    members = await pictures(house, job)
    assert [one.job.status for one in members] == [Status.COMPLETED, Status.COMPLETED, Status.FAILED]
    house.clock.pass_(minutes=30)
    paints.trouble = lambda: None
    again = await house.engine.retry("ann", members[2].job.id, time_of=PICTURES)
    assert again.must_finish_by == house.clock() + STORY_TIME
    await drawn(house)
    assert [one.job.status for one in await pictures(house, job)] == [Status.COMPLETED] * 3


async def test_asked_for_twice_it_is_one_group_and_nothing_is_written_twice(house: House, tmp_path: Path) -> None:
    """The attempt dies between the pictures' acceptance and its own end."""
    scribe, paints = Scribe(), vendor()
    groups = open_house(house, scribe, painter(house, paints), tmp_path)

    async def die(_: Group) -> None:
        raise ProviderUnavailable("The power is gone.")

    groups.then = [die]
    job = await house.deliver((await order(house)).id)
    assert job.status is Status.QUEUED
    house.clock.pass_(minutes=1)
    job = await house.deliver(job.id)
    assert job.status is Status.COMPLETED
    assert scribe.keys == ["story_outline", "story_text"]
    await drawn(house)
    assert len(paints.requests) == 3


async def test_a_full_queue_costs_no_text(house: House, tmp_path: Path) -> None:
    scribe = Scribe()
    groups = open_house(house, scribe, painter(house, vendor()), tmp_path)
    groups.full = True
    job = await house.deliver((await order(house)).id)
    assert (job.status, (await told(house, job))[1]["title"]) == (Status.QUEUED, "Ada: A fox and a lost key")
    groups.full = False
    house.clock.pass_(minutes=1)
    assert (await house.deliver(job.id)).status is Status.COMPLETED
    assert len(scribe.asked) == 2


async def test_without_pictures_there_is_no_group(house: House, tmp_path: Path) -> None:
    open_house(house, Scribe(), painter(house, vendor()), tmp_path)
    job = await house.deliver((await order(house, illustrated=False)).id)
    assert job.status is Status.COMPLETED
    assert await pictures(house, job) == []


async def test_a_text_of_the_wrong_number_of_scenes_is_asked_for_again(house: House, tmp_path: Path) -> None:
    scribe = Scribe(scripted(story_text=[{"scenes": ["One.", "Two."]}]))
    open_house(house, scribe, painter(house, vendor()), tmp_path)
    job = await house.deliver((await order(house)).id)
    assert job.status is Status.COMPLETED
    assert scribe.keys == ["story_outline", "story_text", "story_text"]
    assert "at least 3 items" in scribe.asked[-1].prompt


async def test_the_level_is_told_to_who_writes(house: House, tmp_path: Path) -> None:
    for level, words in (("A2", "About 50 words a scene"), ("B1", "About 90"), ("C1", "About 140")):
        scribe = Scribe()
        open_house(house, scribe, painter(house, vendor()), tmp_path / level)
        await house.deliver((await order(house, level=level)).id)
        assert words in scribe.asked[-1].prompt
        assert f"language: {level}." in scribe.asked[-1].prompt


async def test_everything_has_ended_by_minute_sixteen(house: House, tmp_path: Path) -> None:
    """Pictures that nobody takes, one that is being drawn, and a story that nobody writes."""
    paints = vendor()
    open_house(house, Scribe(), painter(house, paints), tmp_path)
    written, unwritten = [await order(house) for _ in range(2)]
    await house.deliver(written.id)
    await house.lose((await pictures(house, written))[0].job.id)
    house.clock.moment = written.created_at + STORY_TIME
    await house.engine.sweep()
    assert (await house.job(unwritten.id)).fault.code == "deadline_exceeded"  # type: ignore[union-attr]
    members = await pictures(house, written)
    assert [one.job.status for one in members] == [Status.FAILED] * 3
    assert {one.job.fault.message for one in members if one.job.fault} == {"The job was not finished by its deadline."}


class Stalling(Vendor):
    """A vendor who takes orders, and never draws until it is asked to be down."""

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:
        made = await super().generate(request, desk)
        await asyncio.Event().wait()
        return made


async def test_when_nobody_draws_every_picture_has_failed_by_minute_sixteen(house: House, tmp_path: Path) -> None:
    """One provider stalls with a picture and is down after that, the other is down: one picture is under way, one is to be
    tried again, one waits for its turn."""
    free = replace(PAID, abort_billed="no", billed="no")
    first, second = Stalling("first", "k", []), Vendor("second", "k", [], lambda: ProviderUnavailable("It is down."))
    first.terms = second.terms = free
    book = HealthBook(house.store, house.clock)
    chain = FirstThatWorks("painter", [Observed(first, book), Observed(second, book)], clock=house.clock)
    open_house(house, Scribe(), chain, tmp_path)
    story = await house.deliver((await order(house)).id)
    under_way, tried, _ = [one.job for one in await pictures(house, story)]
    drawing = asyncio.create_task(house.deliver(under_way.id))
    async with asyncio.timeout(60):
        while not first.requests:
            await asyncio.sleep(0.01)
    first.trouble = lambda: ProviderUnavailable("It is down.")
    await house.deliver(tried.id)
    house.clock.moment = story.created_at + STORY_TIME - timedelta(seconds=30)
    await house.engine.sweep()
    standing = [one.job.status for one in await pictures(house, story)]
    assert standing == [Status.PROCESSING, Status.QUEUED, Status.QUEUED], "nobody gives up before"
    house.clock.moment = story.created_at + STORY_TIME
    await house.engine.sweep()
    await asyncio.wait_for(drawing, 60)
    snapshot, text = await told(house, story)
    members = [one.job for one in await pictures(house, story)]
    assert [one.status for one in members] == [Status.FAILED] * 3
    assert {one.fault.message for one in members if one.fault} == {"The job was not finished by its deadline."}
    assert max(one.completed_at for one in members if one.completed_at) <= story.created_at + STORY_TIME
    assert (snapshot.job.status, text["title"]) == (Status.COMPLETED, "Ada: A fox and a lost key"), "the text stays"


async def test_a_cancel_while_the_pictures_are_ordered_takes_them_along(house: House, tmp_path: Path) -> None:
    groups = open_house(house, Scribe(), painter(house, vendor()), tmp_path)
    made, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: Group) -> None:
        made.set()
        await go_on.wait()

    groups.then = [wait]
    job = await order(house)
    delivered = asyncio.create_task(house.deliver(job.id))
    await asyncio.wait_for(made.wait(), 60)
    await house.engine.cancel("ann", job.id)
    assert (await asyncio.wait_for(delivered, 60)).status is Status.CANCELLED
    assert [one.job.status for one in await pictures(house, job)] == [Status.CANCELLED] * 3


async def test_who_has_lost_the_story_orders_no_pictures(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process took it over as its text was written, which this one does not hear of."""
    groups = open_house(house, Scribe(), painter(house, vendor()), tmp_path)
    job, write, accepted = await order(house), house.store.write, list[str]()
    taken = Retried(run_at=house.clock(), fault=FAULT), Claimed(worker="elsewhere-1", lease_until=house.clock())

    async def loses(job_id: str, decide: Decide) -> Snapshot | None:
        snapshot = await write(job_id, decide)
        _, story = await told(house, job)
        if story and not accepted:
            accepted.append("the text")
            await write(job_id, lambda _: Decision(events=taken))
        return snapshot

    async def count(group: Group) -> None:
        accepted.append(group.id)

    groups.then = [count]
    monkeypatch.setattr(house.store, "write", loses)
    monkeypatch.setattr(house.store, "listen", lambda *_: lambda: None)
    assert await house.engine.deliver(job.id, job.dispatch) is Delivery.BUSY
    assert accepted == ["the text"]


async def test_a_group_is_removed_with_all_it_made_when_it_has_ended(house: House, tmp_path: Path) -> None:
    open_house(house, Scribe(), painter(house, vendor()), tmp_path)
    job = await house.deliver((await order(house)).id)
    group = await house.engine.groups.of_key("ann", PICTURES, job.id)
    assert group is not None
    with pytest.raises(Conflict):
        await house.engine.delete_group(group)
    await drawn(house)
    assert len([path for path in (tmp_path / "pictures").rglob("*") if path.is_file()]) >= 3
    await house.engine.delete_group(group)
    assert [path for path in (tmp_path / "pictures").rglob("*") if path.is_file()] == []
    assert await house.engine.groups.of_key("ann", PICTURES, job.id) is None
    assert await house.store.documents("group_items") == []


async def test_what_was_drawn_for_a_job_that_is_gone_goes_too(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process has deleted it while this one slept, which finds that out when it writes the end."""
    open_house(house, Scribe(), painter(house, vendor()), tmp_path)
    await house.deliver((await order(house)).id)
    picture = next(job for job in house.queue.dispatched if job.kind == "image")
    written = house.store.write

    def drawings() -> list[Path]:
        return [path for path in (tmp_path / "pictures").rglob("*") if path.is_file()]

    async def gone(job_id: str, decide: Decide) -> Snapshot | None:
        return None if await asyncio.to_thread(drawings) else await written(job_id, decide)

    monkeypatch.setattr(house.store, "write", gone)
    assert await house.engine.deliver(picture.id, picture.dispatch) is Delivery.BUSY, "it is not this run's to settle"
    assert drawings() == []
