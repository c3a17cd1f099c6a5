"""Front door A over models on this machine: steps, stages and previews in the stream, cancels, and those who wait."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests import diffusion
from tests.images import ROOT, STAGES, ended, events_of, reached, submit
from tests.live import Live, serving

from atelier import wiring
from atelier.doctor import examine
from atelier.doctor.findings import Verdict
from atelier.jobs import steps
from atelier.providers.diffusers import host
from atelier.providers.diffusers.provider import Diffusers
from atelier.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module", autouse=True)
def alone() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        diffusion.offline(patch)
        yield


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the settings of small models."""
    (models,) = diffusion.built(tmp_path_factory, 256)
    return {"model": str(models / "base"), "refiner": str(models / "refiner"), "device": "cpu"}


@pytest.fixture(scope="module")
def often() -> Iterator[None]:
    """Small models are done within a second: let previews come and steps be told twenty times in each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring.local, "Diffusers", partial(Diffusers, preview=timedelta(milliseconds=50)))
        patch.setattr(steps, "STEP_INTERVAL", timedelta(milliseconds=50))
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local(own: dict[str, str], often: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:  # noqa: ARG001 - works by being there
    """Serve with small models, which a first picture has loaded."""
    data = tmp_path_factory.mktemp("local") / "data"
    async with serving(data, image_providers=("diffusers",), providers={"diffusers": own}) as live:
        await ended(live, await submit(live, {"prompt": "A hill", "quality": "ultra"}), within=100)
        yield live


async def streamed(live: Live, **body: Any) -> list[dict[str, Any]]:
    response = await live.client.post(f"{ROOT}/generate/stream", json={"prompt": "A hill", **body}, timeout=100)
    return [event for _, event in events_of(response.text)]


def drawing_process() -> int:
    """Return the process that has the models."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    (found,) = [int(one) for one in children if host.MODULE.encode() in Path(f"/proc/{one}/cmdline").read_bytes()]
    return found


@contextlib.contextmanager
def held(process: int) -> Iterator[None]:
    """Let a process stand still."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def drawing(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["stage"] == "generating" and "step" in event]


async def test_steps_and_previews_are_in_the_stream(local: Live) -> None:
    events = await streamed(local, quality="ultra", seed=7)
    assert [stage for stage, _ in itertools.groupby(event["stage"] for event in events)] == STAGES
    told = drawing(events)
    assert {event["total_steps"] for event in told} == {50}
    numbers = [event["step"] for event in told]
    assert numbers == sorted(numbers)
    assert any(step >= 40 for step in numbers), "the refiner's turn is told at once, however quick it was before"
    (picture,) = events[-1]["data"]["result"]["images"]
    assert (picture["width"], picture["height"], picture["seed"]) == (256, 256, 7)
    assert (picture["provider"], picture["model"]) == ("diffusers", "base + refiner")
    assert any("preview_url" in event for event in told), "a preview comes every few steps"


async def test_a_cancel_is_confirmed_and_costs_nothing(local: Live) -> None:
    job = await submit(local, {"prompt": "A hill", "quality": "high"})
    await reached(local, job, "generating")
    cancelled = (await local.client.post(f"{ROOT}/jobs/{job}/cancel")).json()
    assert cancelled["status"] == "cancelled"
    assert (cancelled["cancellation"]["outcome"], cancelled["cancellation"]["billed"]) == (
        "confirmed_by_provider",
        "no",
    )
    assert (await ended(local, await submit(local, {"prompt": "A hill"}), within=60))["status"] == "completed"


async def test_two_are_drawn_one_after_the_other(local: Live) -> None:
    jobs = [await submit(local, {"prompt": "Hill 0", "quality": "high"})]
    await reached(local, jobs[0], "generating")
    places: set[int] = set()
    with held(drawing_process()):
        jobs.append(await submit(local, {"prompt": "Hill 1", "quality": "high"}))
        async with asyncio.timeout(60):
            while not places:
                states = [(await local.client.get(f"{ROOT}/jobs/{job}")).json() for job in jobs]
                waiting = [state for state in states if state["state_reason"] == "provider_queued"]
                places |= {state["queue"]["provider_position"] for state in waiting}
                await asyncio.sleep(0.05)
        assert {state["status"] for state in states} == {"processing"}
    assert places == {1}
    assert [(await ended(local, job, within=60))["status"] for job in jobs] == ["completed", "completed"]


async def test_it_is_listed_with_what_it_draws(local: Live) -> None:
    (provider,) = (await local.client.get(f"{ROOT}/providers")).json()["providers"]
    assert (provider["name"], provider["models"]) == ("diffusers", ["base", "refiner"])
    assert len(provider["styles"]) == 17
    assert provider["limits"]["concurrent"] == 1


async def test_the_doctor_says_what_draws(own: dict[str, str], tmp_path: Path) -> None:
    shape = {"data_dir": tmp_path, "image_providers": ("diffusers",)}
    found = await visited(**shape, providers={"diffusers": own})
    assert found["provider diffusers"].well
    assert found["provider diffusers"].text.startswith("draws on cpu in float32")
    gone = await visited(**shape, providers={"diffusers": {"model": str(tmp_path)}})
    assert gone["parts"].text.startswith(f"ATELIER_IMAGE_PROVIDERS names diffusers. {tmp_path} is no directory with")


async def visited(**settings: Any) -> dict[str, Verdict]:
    return {found.name: found.verdict async for found in examine(Settings(**settings), None)}
