"""Texts within a run: ordered durably, paid for once, asked for once more where they are of no use."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from tests.house import House
from tests.posts import PRICE, Scribe, scripted

from atelier.errors import (
    MaybeCharged,
    ProviderError,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
    ProviderWaits,
)
from atelier.jobs.engine import NewJob
from atelier.jobs.models import Job, Json, Reason, Status
from atelier.jobs.pipeline import Pipeline, Product, Run
from atelier.jobs.stages import stage
from atelier.pipelines.ledger import Ledger
from atelier.pipelines.ports import Script, Terms
from atelier.pipelines.texts import GeneratedText, TextRequest
from atelier.pipelines.writing import Asking, Told, Writer, Written
from atelier.providers.health import HealthBook, Observed

UNCLEAR = "brought no text; it may have been charged."


class Params(BaseModel):
    provider: str = "scribe"
    script: Script = Script()


class State(BaseModel):
    ledger: Ledger = Ledger()


class Shape(BaseModel):
    word: str
    count: int


class Essay(Pipeline[Params, State]):
    """Asks for what the test says, one text after the other."""

    kind, params, state = "essay", Params, State

    def __init__(self, writer: Writer, *askings: Asking) -> None:
        self.writer, self.askings = writer, askings
        self.written: list[Written] = []

    @stage(progress=5, message="Writing")
    async def writing(self, run: Run[Params, State]) -> None:
        for number, asking in enumerate(self.askings):
            told = Told(message=f"Text {number}", progress=10.0 + number, tell=lambda one: {"words": one.text})
            self.written.append(await self.writer.ask(run, asking, told))

    stages = (writing,)

    def product(self, run: Run[Params, State]) -> Product:  # noqa: ARG002
        return Product(result={"tokens": sum(one.tokens for one in self.written)})


def asking(key: str = "section/1", **fields: Any) -> Asking:
    values: dict[str, Any] = {
        "task": key.partition("/")[0],
        "instructions": "Write.",
        "prompt": "A text.",
        "most_tokens": 100,
        "subject": {"topic": "Hills", "number": 1} if "/" in key else {"topic": "Hills"},
        **fields,
    }
    return Asking(key=key, **values)


class Desk:
    """A house with an essay in it."""

    def __init__(self, house: House, scribe: Scribe, *askings: Asking) -> None:
        self.house, self.scribe = house, scribe
        writer = Writer({"scribe": Observed(scribe, HealthBook(house.store, house.clock))})
        self.essay = Essay(writer, *askings)
        house.others["essay"] = self.essay
        house.engine = house.another_engine()

    async def submit(self) -> Job:
        return (await self.house.engine.submit(NewJob(kind="essay", owner="ann", params=Params()))).snapshot.job

    async def again(self, job: Job) -> Job:
        self.house.clock.pass_(minutes=2)
        self.essay.written.clear()
        return await self.house.deliver(job.id)


async def test_a_text_is_ordered_once_and_counted_once(house: House) -> None:
    """The second text fails twice: the first is neither ordered nor paid for again."""
    down = ProviderUnavailable("Down.")
    scribe = Scribe(scripted(section="The hill is green.", other=[down, down]))
    desk = Desk(house, scribe, asking("section/1"), asking("other"))
    job = await desk.submit()
    await house.deliver(job.id)
    await desk.again(job)
    done = await desk.again(job)
    assert (done.status, scribe.keys) == (Status.COMPLETED, ["section/1", "other", "other", "other"])
    assert done.cost == pytest.approx(2 * PRICE)
    snapshot = await house.engine.get("ann", job.id)
    assert snapshot.result == {"tokens": 2 * 15}
    kept = [record for record in snapshot.records if record.data.get("key") == "section/1"]
    assert [record.data for record in kept] == [{"key": "section/1", "words": "The hill is green."}]
    assert done.warnings == ()


async def test_an_order_stands_in_the_ledger_before_it_is_placed(house: House) -> None:
    desk = Desk(house, Scribe(), asking())
    desk.scribe.open.clear()
    job = await desk.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await desk.scribe.reached.wait()
    kept: Json = (await house.store.parts(job.id))["state"]["values"]["ledger"]
    assert kept["open"]["section/1"]["provider"] == "scribe"
    assert (await house.job(job.id)).billed == "unknown"
    desk.scribe.open.set()
    await running
    done = await house.job(job.id)
    assert (done.status, done.cost, done.billed) == (Status.COMPLETED, PRICE, "yes")
    assert (await house.store.parts(job.id))["state"]["values"]["ledger"]["open"] == {}


async def test_what_costs_nothing_is_not_written_down_before(house: House) -> None:
    free = Terms(abort="confirmed_by_provider", abort_billed="no", billed="no", prices={})
    desk = Desk(house, Scribe(terms=free), asking())
    desk.scribe.open.clear()
    job = await desk.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await desk.scribe.reached.wait()
    assert (
        "state" not in await house.store.parts(job.id)
        or not (await house.store.parts(job.id))["state"]["values"]["ledger"]["open"]
    )
    desk.scribe.open.set()
    await running


async def test_an_order_that_was_lost_is_placed_once_more_and_told(house: House) -> None:
    lost = MaybeCharged("The connection broke.")
    desk = Desk(house, Scribe(scripted(section=[lost])), asking())
    job = await desk.submit()
    await house.deliver(job.id)
    done = await desk.again(job)
    assert (done.status, len(desk.scribe.asked)) == (Status.COMPLETED, 2)
    (warning,) = done.warnings
    assert warning.endswith(UNCLEAR)


async def test_a_third_order_of_the_same_text_is_not_placed(house: House) -> None:
    lost = MaybeCharged("The connection broke.")
    desk = Desk(house, Scribe(scripted(section=[lost, lost, lost])), asking())
    job = await desk.submit()
    await house.deliver(job.id)
    failed = await desk.again(job)
    assert failed.fault is not None
    assert (failed.status, failed.fault.code, len(desk.scribe.asked)) == (Status.FAILED, "maybe_charged", 2)
    await house.engine.retry("ann", job.id)
    await desk.again(job)
    done = await desk.again(job)
    assert (done.status, len(desk.scribe.asked)) == (Status.COMPLETED, 4), (
        "a person may ask for more, and be unlucky once"
    )


async def test_each_text_may_be_lost_once(house: House) -> None:
    lost = MaybeCharged("The connection broke.")
    desk = Desk(house, Scribe(scripted(section=[lost], other=[lost])), asking("section/1"), asking("other"))
    job = await desk.submit()
    await house.deliver(job.id)
    await desk.again(job)
    done = await desk.again(job)
    assert (done.status, len(done.warnings)) == (Status.COMPLETED, 2)
    assert desk.scribe.keys == ["section/1", "section/1", "other", "other"]


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("", "was not the JSON"),
        ("This is {not JSON", "was not the JSON"),
        ({"word": "hill"}, "count: Field required"),
        ({"word": "hill", "count": "many"}, "count"),
    ],
)
async def test_a_broken_answer_is_asked_for_again_with_what_is_wrong(house: House, broken: Any, why: str) -> None:
    good = {"word": "hill", "count": 3}
    scribe = Scribe(scripted(shape=[broken, good]))
    desk = Desk(house, scribe, asking("shape", answer=Shape))
    done = await desk.again(await desk.submit())
    assert (done.status, len(scribe.asked)) == (Status.COMPLETED, 2)
    assert desk.essay.written[0].answer(Shape) == Shape(**good)
    assert desk.essay.written[0].tokens == 30, "both were paid for"
    assert done.cost == pytest.approx(2 * PRICE)
    assert why in scribe.asked[1].prompt
    (warning,) = done.warnings
    assert "thrown away" in warning


async def test_a_second_broken_answer_is_the_last(house: House) -> None:
    scribe = Scribe(scripted(shape=["", ""]))
    desk = Desk(house, scribe, asking("shape", answer=Shape))
    failed = await desk.again(await desk.submit())
    assert failed.fault is not None
    assert (failed.status, failed.fault.code, len(scribe.asked)) == (Status.FAILED, "invalid_text", 2)
    assert failed.cost == pytest.approx(2 * PRICE)


async def test_a_broken_answer_of_an_earlier_attempt_counts(house: House) -> None:
    scribe = Scribe(scripted(shape=["", ProviderUnavailable("Down."), {"word": "hill", "count": 1}]))
    desk = Desk(house, scribe, asking("shape", answer=Shape))
    job = await desk.submit()
    await desk.again(job)
    done = await desk.again(job)
    assert (done.status, desk.essay.written[0].tokens) == (Status.COMPLETED, 30)
    assert done.cost == pytest.approx(2 * PRICE)


async def test_an_empty_text_is_asked_for_again(house: House) -> None:
    desk = Desk(house, Scribe(scripted(section=["  \n ", "Whole."])), asking())
    done = await desk.again(await desk.submit())
    assert (done.status, desk.essay.written[0].text) == (Status.COMPLETED, "Whole.")


class Cut(Scribe):
    """Has no room left."""

    async def generate(self, request: TextRequest, desk: Any) -> GeneratedText:
        return replace(await super().generate(request, desk), ending="length")


async def test_a_text_that_was_cut_off_ends_with_its_last_whole_sentence(house: House) -> None:
    desk = Desk(house, Cut(scripted(section="The hill is green. The lake is blue. And the")), asking())
    done = await desk.again(await desk.submit())
    assert desk.essay.written[0].text == "The hill is green. The lake is blue."
    assert "cut off" in done.warnings[0]


async def test_a_text_of_which_too_little_is_whole_is_asked_for_again(house: House) -> None:
    desk = Desk(house, Cut(scripted(section=["Oh. The hill that lies behind the lake and", "All is well."])), asking())
    done = await desk.again(await desk.submit())
    assert (done.status, desk.essay.written[0].text) == (Status.COMPLETED, "All is well.")


async def test_waiting_for_a_key_costs_no_attempt(house: House) -> None:
    until = house.clock() + timedelta(minutes=1)
    waits = ProviderWaits("All rest.", until=until, for_key=True)
    desk = Desk(house, Scribe(scripted(section=[waits])), asking())
    job = await desk.submit()
    waiting = await house.deliver(job.id)
    assert (waiting.state_reason, waiting.attempt, waiting.run_at) == (Reason.WAITING_FOR_KEY, 0, until)
    assert (await desk.again(job)).status is Status.COMPLETED


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ProviderRefused("No."), Status.FAILED, "provider_refused"),
        (ProviderNoCredit("Empty."), Status.FAILED, "provider_no_credit"),
        (ProviderRateLimited("Slowly."), Status.QUEUED, "provider_rate_limited"),
    ],
)
async def test_what_owes_nothing_leaves_the_ledger_empty(
    house: House, error: ProviderError, status: Status, code: str
) -> None:
    desk = Desk(house, Scribe(scripted(section=[error])), asking())
    job = await house.deliver((await desk.submit()).id)
    assert job.fault is not None
    assert (job.status, job.fault.code, job.billed) == (status, code, "no")
    assert (await house.store.parts(job.id))["state"]["values"]["ledger"]["open"] == {}


async def test_a_cancel_says_what_is_paid_for(house: House) -> None:
    """The first text is here and paid for; the second is under way, and nobody can tell."""
    desk = Desk(house, Scribe(), asking("section/1"), asking("other"))
    job = await desk.submit()

    async def asked(count: int) -> None:
        async with asyncio.timeout(60):
            while len(desk.scribe.asked) < count:
                await asyncio.sleep(0.01)

    desk.scribe.says = lambda request, _: desk.scribe.open.clear() if request.task == "section" else None
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await asked(2)
    cancelled = await house.engine.cancel("ann", job.id)
    await running
    receipt = (await house.job(job.id)).cancellation
    assert cancelled is not None
    assert receipt is not None
    assert (receipt.outcome, receipt.billed) == ("provider_cannot_cancel", "yes")


async def test_a_cancel_between_two_texts_says_that_nothing_was_under_way(house: House) -> None:
    essay = Desk(house, Scribe(), asking("section/1"))
    gate = asyncio.Event()

    async def waits(run: Run[Params, State]) -> None:
        await Essay.writing.work(essay.essay, run)
        gate.set()
        await asyncio.Event().wait()

    essay.essay.stages = (replace(Essay.writing, work=lambda _, run: waits(run)),)  # type: ignore[misc]
    job = await essay.submit()
    running = asyncio.create_task(house.engine.deliver(job.id, 1))
    await gate.wait()
    await house.engine.cancel("ann", job.id)
    await running
    receipt = (await house.job(job.id)).cancellation
    assert receipt is not None
    assert (receipt.outcome, receipt.billed) == ("aborted_before_send", "yes")
