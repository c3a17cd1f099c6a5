"""The sandbox and its drawing process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from tests.desks import Noted

from atelier import media
from atelier.errors import JobConflict, ProviderRateLimited, ProviderRefused, ProviderUnavailable
from atelier.pipelines.ports import ImageRequest, Script, StepReport
from atelier.providers import sandbox as sandbox_module
from atelier.providers.sandbox import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    await sandbox.close()


def request(prompt: str = "A hill", *, attempt: int = 1, seed: int | None = None, **script: Any) -> ImageRequest:
    return ImageRequest(
        prompt=prompt,
        negative_prompt="",
        style=None,
        aspect_ratio="1:1",
        quality="draft",
        seed=seed,
        output_format="png",
        script=Script(**script),
        attempt=attempt,
    )


async def test_it_reports_every_step_in_order(sandbox: Sandbox) -> None:
    steps: list[StepReport] = []
    image = await sandbox.generate(request(), Noted(steps.append))
    assert [step.step for step in steps] == list(range(1, 9))
    assert {step.total for step in steps} == {8}
    assert media.inspect(image.data).facts.format == "png"


async def test_the_same_request_gives_the_same_bytes(sandbox: Sandbox) -> None:
    one = await sandbox.generate(request(), Noted())
    again = await sandbox.generate(request(seed=one.seed), Noted())
    assert one.seed is not None
    other = await sandbox.generate(request(seed=one.seed + 1), Noted())
    assert one.data == again.data != other.data


async def test_several_pictures_advance_together(sandbox: Sandbox) -> None:
    order: list[int] = []

    async def draw(number: int) -> None:
        await sandbox.generate(request(seed=number), Noted(lambda _: order.append(number)))

    await asyncio.gather(*(draw(number) for number in range(3)))
    assert len(order) == 24
    end = len(order) - order[::-1].index(order[0])
    assert len({*order[:end]}) > 1, "a picture does not wait for the one before to be finished"


async def test_a_withdrawn_picture_does_not_hold_up_the_next(sandbox: Sandbox) -> None:
    began = asyncio.Event()
    drawing = asyncio.create_task(sandbox.generate(request(), Noted(lambda _: began.set())))
    await began.wait()
    drawing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawing
    assert (await sandbox.generate(request("Another"), Noted())).data


async def test_a_drawing_process_that_dies_is_replaced(sandbox: Sandbox) -> None:
    began = asyncio.Event()
    drawing = asyncio.create_task(sandbox.generate(request(), Noted(lambda _: began.set())))
    await began.wait()
    process = sandbox._easel._process
    assert process is not None
    process.kill()
    with pytest.raises(ProviderUnavailable):
        await drawing
    assert (await sandbox.generate(request(), Noted())).data


async def test_a_drawing_process_that_hangs_is_replaced(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    await sandbox.generate(request(), Noted())
    monkeypatch.setattr(sandbox_module, "SILENCE_SECONDS", 0.5)
    process = sandbox._easel._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(ProviderUnavailable, match="hangs"):
        await sandbox.generate(request(), Noted())
    await process.wait()
    monkeypatch.setattr(sandbox_module, "SILENCE_SECONDS", 20)
    assert (await sandbox.generate(request(), Noted())).data


async def test_scripts(sandbox: Sandbox) -> None:
    for scenario, error in (
        ("refused", ProviderRefused),
        ("rate_limited_then_ok", ProviderRateLimited),
        ("provider_down_then_ok", ProviderUnavailable),
        ("worker_lost", JobConflict),
    ):
        with pytest.raises(error):
            await sandbox.generate(request(scenario=scenario), Noted())
    for scenario in ("rate_limited_then_ok", "provider_down_then_ok", "worker_lost"):
        assert (await sandbox.generate(request(attempt=2, scenario=scenario), Noted())).data
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sandbox.generate(request(scenario="stall"), Noted()), 0.2)


async def test_noop_starts_no_process(sandbox: Sandbox) -> None:
    image = await sandbox.generate(request(scenario="noop"), Noted())
    assert image.shared
    assert media.inspect(image.data).facts.width > 0
    assert sandbox._easel._process is None


async def test_a_refined_picture_s_last_fifth_is_the_refiner_s(sandbox: Sandbox) -> None:
    steps: list[StepReport] = []
    image = await sandbox.generate(replace(request(), refine=True), Noted(steps.append))
    turns = [(step.step, step.part, step.part_step, step.part_total) for step in steps]
    base = [(number, "base_model", number, 6) for number in range(1, 7)]
    assert turns == [*base, (7, "refiner_model", 1, 2), (8, "refiner_model", 2, 2)]
    assert image.warnings == ()
