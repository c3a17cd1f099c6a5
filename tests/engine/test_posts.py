"""Whole posts on both stores: every stage in its place, every text once, every trouble told."""

from __future__ import annotations

import pytest
from tests.house import House
from tests.posts import PAGES, PRICE, Scribe, Web, log, made, open_house, order, result_of, scripted

from atelier.errors import (
    MaybeCharged,
    ProviderRefused,
    ProviderUnavailable,
)
from atelier.jobs.models import Status
from atelier.pipelines.blog.spans import SPANS

STAGES = tuple(SPANS)


async def test_a_post_goes_through_thirteen_stages(house: House) -> None:
    scribe = Scribe()
    job, result = await made(house, scribe, Web(PAGES))
    records = await log(house, job)
    stages = [record.stage for record in records]
    assert list(dict.fromkeys(stages)) == ["queued", *STAGES, "completed"]
    bar = [record.progress for record in records]
    assert bar == sorted(bar)
    sections = [record.data["section"] for record in records if "section" in record.data]
    assert [section["number"] for section in sections] == [1, 2, 3, 4]
    assert all(section["markdown"] and section["words"] > 50 for section in sections)
    assert len(scribe.keys) == len(set(scribe.keys))
    assert result["total_tokens"] == 15 * len(scribe.asked) == sum(each["tokens"] for each in result["stage_results"])
    assert result["total_cost"] == pytest.approx(PRICE * len(scribe.asked) + 2 * 0.001), "and two searches"
    assert job.cost == pytest.approx(sum(each["cost"] for each in result["stage_results"]))
    assert [each["stage"] for each in result["stage_results"]] == list(STAGES)


async def test_citations_are_of_sources_that_say_so(house: House) -> None:
    """A claim without a source and a source without the claim: neither is cited, both are told of."""
    told = (
        "A survey of 412 gardeners in Leeds found that 64 percent of them water their tomato pots twice a day in July."
    )
    planted = "In 2019 the Dutch ministry counted 31,000 balcony tomatoes in Utrecht."
    web = Web({**PAGES, "https://idle.example/c": "Bees. " * 40})
    says = scripted(section_2=f"{told} {planted} Gardeners like that.", enhance=ProviderRefused("No."))
    job, result = await made(house, Scribe(says), web)
    (cited,) = [each for each in result["citations"] if each["text"] == told]
    assert cited == {"text": told, "url": "https://pots.example/a", "title": "Title of https://pots.example/a"}
    assert planted not in {each["text"] for each in result["citations"]}
    assert f"No source was found for this sentence: “{planted}”" in job.warnings
    assert any("nothing in the post rests on it" in each and "https://idle.example/c" in each for each in job.warnings)
    assert "https://idle.example/c" not in result["content"]
    assert {each["url"] for each in result["citations"]} <= set(PAGES)
    assert f"{told} [\\[1\\]](<https://pots.example/a>)" in result["content"]
    assert "1. [Title of https://pots.example/a](<https://pots.example/a>)" in result["content"]


async def test_attempts_go_on_where_the_last_one_was(house: House) -> None:
    """Every stage's text fails once: nothing that was kept is asked for again, and tokens are counted once."""
    down = ProviderUnavailable("Down.")
    tasks = [
        "keywords",
        "competitors",
        "intent",
        "outline",
        "section_2",
        "section_4",
        "enhance_1",
        "polish",
        "integrate",
    ]
    scribe = Scribe(scripted(**{task: [down] for task in tasks}))
    web = Web(PAGES)
    open_house(house, scribe, web)
    job = await order(house)
    for _ in tasks:
        job = await house.deliver(job.id)
        if job.status is Status.FAILED:
            await house.engine.retry("ann", job.id)
        house.clock.pass_(minutes=1)
    job = await house.deliver(job.id)
    result = await result_of(house, job)
    failed = {task.replace("_", "/") for task in tasks}
    assert {key: scribe.keys.count(key) for key in set(scribe.keys)} == {
        key: 1 + (key in failed) for key in set(scribe.keys)
    }
    assert result["total_tokens"] == 15 * len(set(scribe.keys))
    assert len(web.queries) == 2
    assert len(web.fetched) == 2
    assert job.cost == pytest.approx(sum(each["cost"] for each in result["stage_results"]))


async def test_a_text_that_was_lost_is_told_and_the_post_goes_on(house: House) -> None:
    lost = MaybeCharged("The connection broke.")
    scribe = Scribe(scripted(section_3=[lost]))
    open_house(house, scribe, Web(PAGES))
    job = await order(house)
    await house.deliver(job.id)
    house.clock.pass_(minutes=1)
    job = await house.deliver(job.id)
    await result_of(house, job)
    assert scribe.keys.count("section/3") == 2
    assert sum("may have been charged" in each for each in job.warnings) == 1
