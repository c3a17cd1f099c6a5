"""Front door C's WebSocket: before, during and after the POST; what it tells, and how it ends."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.canaries import with_planted
from tests.images import ROOT
from tests.live import Live, Serve
from tests.sockets import Watcher, check, generate, watching

from atelier import wiring
from atelier.api.media import sockets as media_sockets
from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest, StepReport
from atelier.providers.sandbox import Sandbox
from atelier.settings import Settings

NOOP = {"sandbox": {"scenario": "noop"}}


def slow(seconds: float) -> dict[str, Any]:
    return {"quality": "draft", "sandbox": {"scenario": "slow", "seconds": seconds}}


def in_order(messages: list[dict[str, Any]]) -> None:
    """Nothing falls: neither numbers, nor steps within one drawing, nor the bar; and all fields are there."""
    progress = [message for message in messages if message["type"] == "progress"]
    for message in progress:
        check(message, progress[0]["task_id"])
    for name in ("seq", "percentage", "elapsed_time"):
        values = [message[name] for message in progress]
        assert values == sorted(values), (name, values)


async def test_opened_before_the_request_it_tells_everything_and_closes(live: Live) -> None:
    async with watching(live.base, "task-1") as watcher:
        first = await watcher.next()
        check(first, "task-1")
        assert (first["status"], first["current_step"], first["total_steps"], first["seq"]) == ("pending", 0, 0, 0)
        asking = asyncio.create_task(generate(live.client, "task-1", **slow(2)))
        assert await watcher.rest() == 1000
        answer = (await asking).json()
    in_order(watcher.messages)
    stages = [message["message"] for message in watcher.messages]
    assert stages[:3] == ["Waiting for the request", "Queued", "Stage 1: starting base model"]
    assert any(sentence.startswith("Base model generation: step ") for sentence in stages)
    assert stages[-2:] == ["Storing the image", "Image generated successfully"]
    last = watcher.messages[-1]
    assert (last["status"], last["percentage"], last["current_step"], last["total_steps"]) == ("completed", 100, 8, 8)
    assert last["image_url"] == answer["image_url"]
    assert last["job_id"] == answer["job_id"]
    assert [message["seq"] for message in watcher.messages if message["message"] in stages[:2]] == [0, 1]
    assert {message["seq"] for message in watcher.messages} == {0, 1, 2, 3, 4, 5}, "no record is left out"


async def test_with_a_refiner_the_message_counts_within_the_stage_and_the_bar_over_both(live: Live) -> None:
    async with watching(live.base, "task-1") as watcher:
        asking = asyncio.create_task(generate(live.client, "task-1", use_refinement=True, **slow(3)))
        assert await watcher.rest() == 1000
        await asking
    in_order(watcher.messages)
    refining = [each for each in watcher.messages if each["message"].startswith("Refiner model generation: step ")]
    assert refining, "the turn of the second model is told at once"
    for message in refining:
        number, total = map(int, message["message"].rpartition(" ")[2].split("/"))
        assert (message["current_step"], total, message["total_steps"]) == (6 + number, 2, 8)
        assert message["percentage"] == round(100 * message["current_step"] / 8, 1)
        assert message["current_stage"] == "refiner_model"
    assert [each["current_stage"] for each in watcher.messages if "Storing" in each["message"]] == ["refiner_model"]
    base = [each for each in watcher.messages if each["message"].startswith("Base model generation")]
    assert {each["current_stage"] for each in base} == {"base_model"}
    assert all(each["message"].endswith("/6") for each in base)


async def test_late_comers_are_told_the_present_state_first(live: Live) -> None:
    asking = asyncio.create_task(generate(live.client, "task-1", **slow(2)))
    async with watching(live.base, "task-1") as early:
        while not (await early.next())["current_step"]:
            pass
        async with watching(live.base, "task-1") as late:
            first = await late.next()
            assert first["current_step"] >= early.messages[-1]["current_step"] > 0
            assert first["seq"] == early.messages[-1]["seq"]
            second = await late.next()
            waited = second["elapsed_time"] - first["elapsed_time"] > 0.9
            told = (second["current_step"], second["seq"]) != (first["current_step"], first["seq"])
            assert waited or told or "preview_url" in second, "the present state is not said twice"
            assert await late.rest() == 1000
        assert await early.rest() == 1000
    await asking
    in_order(late.messages)
    async with watching(live.base, "task-1") as too_late:
        assert await too_late.rest() == 1000
    assert [message["status"] for message in too_late.messages] == ["completed"]
    assert too_late.messages[0]["image_url"] == early.messages[-1]["image_url"]
    assert (too_late.messages[0]["current_step"], too_late.messages[0]["total_steps"]) == (8, 8)


async def test_cut_and_resumed_nothing_is_missing(live: Live) -> None:
    """However often it is cut: each number is told, in order, and the end."""
    asking = asyncio.create_task(generate(live.client, "task-1", **slow(1)))
    told: list[dict[str, Any]] = []
    cuts = 0
    while not told or told[-1]["status"] != "completed":
        cursor: dict[str, Any] = {"after": str(told[-1]["seq"])} if told else {"after": "0"}
        async with watching(live.base, "task-1", **cursor) as watcher:
            told.append(await watcher.next())
            watcher.connection.transport.abort()
        cuts += 1
    await asking
    assert cuts >= 4
    numbers = [message["seq"] for message in told]
    assert numbers == sorted(numbers)
    assert {*numbers} - {0} == {1, 2, 3, 4, 5}
    for after in range(5):
        async with watching(live.base, "task-1", after=str(after)) as watcher:
            assert await watcher.rest() == 1000
        assert [message["seq"] for message in watcher.messages] == list(range(after + 1, 6))


async def test_a_cursor_that_is_none_is_none(live: Live) -> None:
    await generate(live.client, "task-1", **NOOP)
    for after in ("", "x", "-1", "1.5", "²", "9" * 400):
        async with watching(live.base, "task-1", after=after) as watcher:
            assert await watcher.rest() == 1000
        assert watcher.messages[-1]["status"] == "completed", after


@pytest.mark.parametrize("scenario", ["refused", "garbage"])
async def test_failures_are_told(live: Live, scenario: str) -> None:
    async with watching(live.base, "task-1") as watcher:
        answer = (await generate(live.client, "task-1", sandbox={"scenario": scenario})).json()
        assert await watcher.rest() == 1000
    in_order(watcher.messages)
    last = watcher.messages[-1]
    assert last["status"] == "failed"
    assert last["error"] == answer["message"]
    assert last["message"] == f"Generation failed: {answer['message']}"


async def test_a_cancelled_job_has_failed_with_that_word(live: Live) -> None:
    asking = asyncio.create_task(generate(live.client, "task-1", sandbox={"scenario": "stall"}))
    async with watching(live.base, "task-1") as watcher:
        message = await watcher.until("generating")
        await live.client.post(f"{ROOT}/jobs/{message['job_id']}/cancel")
        assert await watcher.rest() == 1000
    last = watcher.messages[-1]
    assert (last["status"], last["error"]) == ("failed", "Cancelled")
    answer = (await asking).json()
    assert (answer["success"], answer["message"], answer["code"]) == (False, "Cancelled", "cancelled")


def resting(message: dict[str, Any]) -> None:
    """It says all that is documented of a job between two attempts."""
    check(message, "task-1")
    assert (message["status"], message["seq"]) == ("pending", 3)
    assert message["message"].startswith("Rate limited: ")
    assert 1 < message["estimated_remaining"] < 60
    assert message["job_id"]


async def test_between_two_attempts_it_is_pending(serve: Serve) -> None:
    async with serve(retry_base_seconds=3) as live, watching(live.base, "task-1") as watcher:
        asking = asyncio.create_task(generate(live.client, "task-1", sandbox={"scenario": "rate_limited_then_ok"}))
        await watcher.until("generating")
        resting(await watcher.until("pending", within=3))
        cursors: tuple[dict[str, Any], ...] = ({}, {"after": "2"}, {"after": "3"})
        for cursor in cursors:
            async with watching(live.base, "task-1", **cursor) as late:
                resting(await late.until("pending", within=1))
                assert [each["seq"] for each in late.messages] == [3] * len(late.messages)
        assert await watcher.rest() == 1000
        assert (await asking).json()["success"]
    in_order(watcher.messages)
    shown = [message["status"] for message in watcher.messages]
    assert [one for one, before in zip(shown, ["", *shown], strict=False) if one != before] == [
        "pending", "generating", "pending", "generating", "completed",
    ]  # fmt: skip
    assert shown[2:].count("pending") == 1, "the same state is said once"


async def test_a_job_that_is_held_says_until_when(live: Live) -> None:
    held = {"scenario": "ok", "hold_until": time.time() + 3}
    async with watching(live.base, "task-1") as watcher:
        asking = asyncio.create_task(generate(live.client, "task-1", quality="draft", sandbox=held))
        first, queued, waiting = await watcher.next(), await watcher.next(), await watcher.next(within=2)
        job = (await live.client.get(f"{ROOT}/jobs/{queued['job_id']}")).json()
        assert (first["status"], queued["message"], queued["seq"]) == ("pending", "Queued", 1)
        assert (waiting["status"], waiting["seq"]) == ("pending", 1)
        assert waiting["message"] == job["message"] == f"Waiting until {job['resume_at']}"
        assert 1 < waiting["estimated_remaining"] < 60
        async with watching(live.base, "task-1") as late:
            assert (await late.next())["message"] == waiting["message"]
        assert await watcher.rest() == 1000
        assert (await asking).json()["success"]
    in_order(watcher.messages)


class Taciturn(Sandbox):
    """The sandbox as a provider that tells nothing while it draws."""

    offer = replace(Sandbox.offer, steps={}, refines=False)

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:
        class Silent:
            def step(self, step: StepReport) -> None: ...

            def __getattr__(self, name: str) -> Any:
                return getattr(desk, name)

        return await super().generate(request, Silent())


async def taciturn(serve: Serve, tmp_path: Path) -> Any:
    settings: dict[str, Any] = {"data_dir": tmp_path / "data"}
    adapters = await asyncio.to_thread(wiring.build_adapters, Settings(**with_planted(settings)))
    return serve(**settings, adapters=replace(adapters, image_providers={"sandbox": Taciturn()}))


async def test_steps_that_nobody_tells_are_guessed_and_marked(serve: Serve, tmp_path: Path) -> None:
    async with await taciturn(serve, tmp_path) as live, watching(live.base, "task-1") as watcher:
        asking = asyncio.create_task(generate(live.client, "task-1", use_refinement=True, **slow(4)))
        assert await watcher.rest() == 1000
        answer = (await asking).json()
    in_order(watcher.messages)
    job = [message for message in watcher.messages if "job_id" in message]
    assert {message["total_steps"] for message in job} == {50}
    assert all(message["estimated"] is True for message in job)
    moving = [message["current_step"] for message in job if message["status"] == "generating" and message["seq"] == 3]
    assert len({*moving}) >= 3, "about one a second"
    assert max(moving) < 50, "never at the end before the job is"
    assert job[-1]["current_step"] == 50
    assert {message["current_stage"] for message in job} == {"base_model"}
    assert answer["warnings"] == ["sandbox has no second model to refine pictures with; this one was not refined."]


async def test_nobody_who_never_comes_is_waited_for_for_ever(serve: Serve) -> None:
    async with serve(media={"ws_wait_seconds": 0.5}) as live, watching(live.base, "task-1") as watcher:
        assert await watcher.rest() == 4404
    assert [message["status"] for message in watcher.messages] == ["pending"]


async def test_silence_is_broken_by_keep_alives(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_sockets, "SILENCE_SECONDS", 0.2)
    async with watching(live.base, "task-1") as watcher:
        await watcher.next()
        assert [await watcher.next() for _ in range(3)] == [{"type": "keep-alive"}] * 3


async def test_while_it_is_drawn_there_is_a_word_every_other_second(live: Live) -> None:
    asking = asyncio.create_task(generate(live.client, "task-1", sandbox={"scenario": "stall"}))
    async with watching(live.base, "task-1") as watcher:
        message = await watcher.until("generating")
        later = [await watcher.next(), await watcher.next(), await watcher.next()]
        assert later[-1]["elapsed_time"] > message["elapsed_time"]
        assert later[-1]["seq"] == later[-2]["seq"]
        await live.client.post(f"{ROOT}/jobs/{message['job_id']}/cancel")
        assert await watcher.rest() == 1000
    await asking


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.soak)])
async def test_many_sockets_on_one_task_and_one_on_each_of_many(live: Live, count: int) -> None:
    async def watch(task_id: str) -> Watcher:
        async with watching(live.base, task_id) as watcher:
            await watcher.next()
            ready.append(task_id)
            assert await watcher.rest(300) == 1000
        return watcher

    ready: list[str] = []
    tasks = ["one"] * count + [f"task-{number}" for number in range(count)]
    sockets_ = [asyncio.create_task(watch(task_id)) for task_id in tasks]
    async with asyncio.timeout(300):
        while len(ready) < len(tasks):
            await asyncio.sleep(0.05)
    names = list(dict.fromkeys(tasks))
    for start in range(0, len(names), 50):
        lot = [generate(live.client, task_id, **NOOP) for task_id in names[start : start + 50]]
        assert all(answer.json()["success"] for answer in await asyncio.gather(*lot))
    for watcher in await asyncio.gather(*sockets_):
        in_order(watcher.messages)
        assert watcher.messages[-1]["status"] == "completed"
        assert {message["seq"] for message in watcher.messages} == {0, 1, 2, 3, 4, 5}
    assert live.app.state.surroundings.engine.followed == 0
    assert live.app.state.surroundings.streams.opened("local") == 0
