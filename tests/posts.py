"""Posts as tests have them made: a writer that does what the test says, a web of a few pages, one stage at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.house import House

from atelier.errors import AtelierError, PageUnreadable
from atelier.jobs.engine import NewJob
from atelier.jobs.events import Claimed
from atelier.jobs.models import Job, Json, Record, Status
from atelier.jobs.pipeline import Services
from atelier.jobs.ports import Decision, worker_name
from atelier.pipelines.blog.models import KIND, BlogParams
from atelier.pipelines.blog.pipeline import BlogPipeline
from atelier.pipelines.blog.spans import SPANS
from atelier.pipelines.blog.state import BlogRun, BlogState
from atelier.pipelines.blog.work import Study, Work
from atelier.pipelines.ports import Desk, Script, Terms
from atelier.pipelines.sources import Finding, Findings, Page
from atelier.pipelines.texts import GeneratedText, TextRequest, Usage
from atelier.pipelines.writing import Writer
from atelier.providers.health import HealthBook, Observed
from atelier.providers.sandbox_writer import SandboxWriter

TOMATOES = BlogParams(
    blog_id="post-1",
    topic="Growing tomatoes on a balcony",
    provider="scribe",
    keywords=("balcony tomatoes", "tomato pots"),
    length="short",
)
PAID = Terms(abort="provider_cannot_cancel", abort_billed="unknown", billed="yes", prices={})
PRICE = 0.002
"""US dollars of each text of the scribe."""

Answer = Json | str | Exception
Says = Callable[[TextRequest, int], Answer | None]
"""What the scribe answers to a request, by how often that task's number was asked before; None: as the sandbox writes."""


class Scribe:
    """`pipelines.texts.TextProvider` that costs money, remembers what it was asked, and writes as the test says."""

    name, offer = "scribe", SandboxWriter.offer

    def __init__(self, says: Says | None = None, terms: Terms = PAID) -> None:
        self.terms, self.says = terms, says or scripted()
        self.asked: list[TextRequest] = []
        self.reached, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()
        self._sandbox = SandboxWriter()

    async def generate(self, request: TextRequest, desk: Desk) -> GeneratedText:
        times = self.keys.count(key_of(request))
        self.asked.append(request)
        self.reached.set()
        await self.open.wait()
        told = self.says(request, times)
        if isinstance(told, Exception):
            raise told
        made = await self._sandbox.generate(request, desk)
        if isinstance(told, str):
            made = replace(made, text=told, value=None)
        elif told is not None:
            made = replace(made, text="{…}", value=told)
        return replace(made, provider=self.name, model="quill", cost=PRICE, usage=Usage(read=10, written=5))

    @property
    def keys(self) -> list[str]:
        return [key_of(request) for request in self.asked]

    async def ping(self) -> None:
        """It is there."""

    async def close(self) -> None:
        """Nothing to let go of."""


def key_of(request: TextRequest) -> str:
    """Return what a request is known by: its task, and its section's number."""
    number = request.subject.get("number")
    return f"{request.task}/{number}" if number is not None else request.task


class Web:
    """A search and the pages it finds, as the test says: their texts by their addresses, or why they cannot be read."""

    name = "web"

    def __init__(self, pages: Mapping[str, str | PageUnreadable], failure: AtelierError | None = None) -> None:
        self.pages, self.failure = pages, failure
        self.queries: list[str] = []
        self.fetched: list[str] = []
        self.at_once = self.most_at_once = 0

    async def search(self, query: str, *, most: int) -> Findings:
        self.queries.append(query)
        if self.failure is not None:
            raise self.failure
        results = [Finding(url=url, title=f"Title of {url}", snippet="What it says.") for url in self.pages]
        return Findings(query=query, provider=self.name, results=tuple(results[:most]), cost=0.001)

    async def read(self, url: str) -> Page:
        self.fetched.append(url)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        found = self.pages.get(url, PageUnreadable("The page is not there."))
        if isinstance(found, PageUnreadable):
            raise found
        return page(url, found)

    async def ping(self) -> None:
        """It is there."""

    async def close(self) -> None:
        """Nothing to let go of."""


def page(url: str, text: str) -> Page:
    return Page(
        url=url,
        title=f"Title of {url}",
        text=text,
        headings=(),
        words=len(text.split()),
        fetched_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


POTS = """Tomatoes grow well on a balcony when their pots hold at least 20 litres of soil. Small pots dry out within a day \
in summer, and the fruit splits.

A survey of 412 gardeners in Leeds found that 64 percent of them water their tomato pots twice a day in July. Most of them \
use rainwater where they can."""

SUN = """A balcony tomato needs six hours of sun each day, and plants on a south wall ripen two weeks earlier than others.

Cherry tomatoes ripen first. The tomato is native to western South America, and Spanish ships brought it to Europe in the \
sixteenth century, where people grew it as an ornament."""

PAGES = {"https://pots.example/a": POTS, "https://sun.example/b": SUN}


def pipeline(house: House, scribe: Scribe, web: Web | None) -> BlogPipeline:
    source = Observed(scribe, HealthBook(house.store, house.clock))
    return BlogPipeline(sources={"scribe": source}, search=web, reader=web or Web({}))


def open_house(house: House, scribe: Scribe, web: Web | None) -> None:
    """Let the house make posts."""
    house.others[KIND] = pipeline(house, scribe, web)
    house.engine = house.another_engine()


async def order(house: House, params: BlogParams = TOMATOES, **changes: Any) -> Job:
    """Submit a post."""
    new = NewJob(kind=KIND, owner="ann", params=params.model_copy(update=changes), tags={"blog_id": params.blog_id})
    return (await house.engine.submit(new)).snapshot.job


async def result_of(house: House, job: Job) -> Json:
    snapshot = await house.engine.get("ann", job.id)
    assert snapshot.job.status is Status.COMPLETED, snapshot.job.fault
    assert snapshot.result is not None
    return snapshot.result


async def log(house: House, job: Job) -> tuple[Record, ...]:
    return (await house.engine.get("ann", job.id)).records


async def made(house: House, scribe: Scribe, web: Web | None = None, **changes: Any) -> tuple[Job, Json]:
    """Make a post in one go; its job and result."""
    open_house(house, scribe, web)
    job = await house.deliver((await order(house, **changes)).id)
    return job, await result_of(house, job)


async def begun(
    house: House,
    params: BlogParams = TOMATOES,
    *,
    state: BlogState | None = None,
    once: Mapping[str, Json] | None = None,
) -> BlogRun:
    """Return a run of a post that got so far: a stage can be tried in it, and what it writes is written."""
    open_house(house, Scribe(), None)
    job = await order(house, params)
    claimed = Claimed(worker=worker_name("here", 1), lease_until=house.clock())
    snapshot = await house.store.write(job.id, lambda _: Decision(events=(claimed,)))
    assert snapshot is not None
    kept = {f"once/{key}": part for key, part in (once or {}).items()}
    values = (state or BlogState()).model_dump(mode="json")
    parts = {"params": params.model_dump(mode="json"), "state": {"values": values}, **kept}
    run: BlogRun = BlogRun(
        job=snapshot.job,
        services=Services(store=house.store, now=house.clock, lease=house.engine._runner._policy.lease),
        parts=parts,
    )
    await run.load(house.others[KIND])
    return run


def at_work(house: House, run: BlogRun, stage: str, scribe: Scribe, web: Web | None = None) -> Work:
    """Return a stage's work on the run."""
    writer = Writer({"scribe": Observed(scribe, HealthBook(house.store, house.clock))})
    return Work(run=run, study=Study(writer=writer, search=web, reader=web or Web({})), stage=stage, span=SPANS[stage])


async def told(house: House, run: BlogRun) -> list[tuple[str, Json]]:
    """Return the log of a run's job: messages and data."""
    snapshot = await house.store.read(run.job.id, after=0)
    assert snapshot is not None
    return [(record.message, dict(record.data)) for record in snapshot.records]


def scripted(**answers: Sequence[Answer | None] | Answer) -> Says:
    """Answer tasks as told: `section_2=…` for one section, `section=…` for all; a list: one after the other."""

    def says(request: TextRequest, times: int) -> Answer | None:
        found = answers.get(key_of(request).replace("/", "_"), answers.get(request.task))
        if isinstance(found, list):
            return found[times] if times < len(found) else None
        return found  # type: ignore[return-value]

    return says


SLOW = Script(scenario="slow", seconds=1)
