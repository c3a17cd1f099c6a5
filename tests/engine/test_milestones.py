"""What a run keeps on its way: made once, paid once, told where it is meant to be told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.house import House

from atelier.errors import StoreUnavailable
from atelier.jobs.models import Json, Snapshot, Status
from atelier.jobs.pipeline import Run
from atelier.jobs.ports import Decide
from atelier.jobs.progress import Milestone

SECTION: Json = {"title": "Soil", "markdown": "Long. " * 200, "cost": 0.02}


def section() -> Milestone:
    return Milestone(
        message="Section 1 of 3",
        progress=30,
        tell=lambda made: {"section": {"title": made["title"], "markdown": made["markdown"]}},
        spent=lambda made: made["cost"],
        warn=lambda made: (f"{made['title']} was short.",),
    )


def makes(calls: list[str]) -> Callable[[], Awaitable[Json]]:
    async def make() -> Json:
        calls.append("made")
        return SECTION

    return make


async def test_what_is_told_stands_in_the_record_and_not_in_the_job(house: House) -> None:
    async def writes(run: Run[Any, Any]) -> None:
        await run.once("section/1", makes([]), section())
        assert run.kept("section/1") == SECTION
        assert run.kept("section/2") is None

    house.pipeline.acts["first"] = writes
    done = await house.deliver((await house.submit()).id)
    assert done.shows == {}
    (record,) = [one for one in (await house.engine.get("ann", done.id)).records if one.data]
    told = {"title": SECTION["title"], "markdown": SECTION["markdown"]}
    assert record.data == {"key": "section/1", "section": told}
    assert (record.message, record.progress) == ("Section 1 of 3", 30)
    assert done.cost == pytest.approx(0.25 + 0.02)
    assert done.warnings == ("Soil was short.", "done")


@pytest.mark.parametrize("lost", ["asked", "answered"])
async def test_what_it_cost_is_counted_as_often_as_it_was_made(house: House, lost: str) -> None:
    """The write failed, or only its answer was lost: cost and what was made are one write."""
    calls: list[str] = []
    failed: list[str] = []
    write = house.store.write

    async def fails(job_id: str, decide: Decide) -> Snapshot | None:
        if not calls or failed:
            return await write(job_id, decide)
        failed.append(lost)
        if lost == "answered":
            await write(job_id, decide)
        raise StoreUnavailable("Away.")

    async def writes(run: Run[Any, Any]) -> None:
        await run.once("section/1", makes(calls), section())

    house.store.write = fails  # type: ignore[method-assign]
    house.pipeline.acts["first"] = writes
    job = await house.submit()
    assert (await house.deliver(job.id)).status is Status.QUEUED
    house.clock.pass_(minutes=1)
    done = await house.deliver(job.id)
    assert done.status is Status.COMPLETED
    assert len(calls) == (2 if lost == "asked" else 1)
    assert done.cost == pytest.approx(0.25 + 0.02), "what was not kept was not counted either"
    told = [one for one in (await house.engine.get("ann", done.id)).records if one.data.get("key")]
    assert len(told) == 1


async def test_what_is_kept_without_a_sentence_is_no_line_of_the_log(house: House) -> None:
    calls: list[str] = []

    async def writes(run: Run[Any, Any]) -> None:
        kept = await run.once("quiet", makes(calls), Milestone(spent=lambda made: made["cost"]))
        assert kept == SECTION
        if len(calls) == 1 and run.job.attempt == 1:
            raise StoreUnavailable("Away.")

    house.pipeline.acts["first"] = writes
    job = await house.submit()
    await house.deliver(job.id)
    house.clock.pass_(minutes=1)
    done = await house.deliver(job.id)
    assert (done.status, calls, done.shows) == (Status.COMPLETED, ["made"], {})
    assert done.cost == pytest.approx(0.25 + 0.02)
    assert await house.stages(job.id) == ["queued", "first", "first", "second", "completed"]
