"""Stable Diffusion XL on this machine, really drawn: small models with random weights, in the process that holds real ones."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import resource
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image
from tests import diffusion
from tests.desks import Noted
from tests.providers.fakes import request

from atelier import media
from atelier.errors import OutOfMemory, ProviderUnavailable
from atelier.pipelines.ports import GeneratedImage, StepReport
from atelier.providers.diffusers import host
from atelier.providers.diffusers.provider import Diffusers
from atelier.providers.frames import packed, received

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITHIN = 100
Part = tuple[int, str, int, int]


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return diffusion.built(tmp_path_factory, 64, 512)


@pytest.fixture(scope="module")
def models(sizes: list[Path]) -> Path:
    return sizes[0]


@pytest.fixture(scope="module", autouse=True)
def alone() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        diffusion.offline(patch)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local(models: Path) -> AsyncIterator[Diffusers]:
    """Return one provider for all: its process is started once, as it is in life."""
    made = diffusion.provider(models)
    yield made
    await made.close()


class Watched(Noted):
    """A desk that keeps all steps and can be waited at for one of them."""

    def __init__(self) -> None:
        super().__init__(self._keep)
        self.steps: list[StepReport] = []
        self._more = asyncio.Event()

    def _keep(self, step: StepReport) -> None:
        self.steps.append(step)
        self._more.set()

    async def at(self, step: int) -> None:
        while not self.steps or self.steps[-1].step < step:
            self._more.clear()
            await self._more.wait()

    @property
    def parts(self) -> list[Part]:
        return [(step.step, step.part, step.part_step, step.part_total) for step in self.steps]


async def draw(local: Diffusers, desk: Noted | None = None, **asked: Any) -> GeneratedImage:
    async with asyncio.timeout(WITHIN):
        return await local.generate(request(**{"seed": 5, **asked}), desk or Noted())


def pid(local: Diffusers) -> int:
    process = local._host._process
    assert process is not None
    return process.pid


async def test_what_cannot_be_loaded_is_said_without_its_place_and_tried_again(local: Diffusers, models: Path) -> None:
    refiner, away = models / "refiner", models / "away"
    refiner.rename(away)
    with pytest.raises(ProviderUnavailable, match=r"^The local models cannot be loaded; the service's log says why\.$"):
        await draw(local, quality="ultra")
    away.rename(refiner)
    assert (await draw(local, quality="draft")).model == "base", "what was loaded is kept"


async def test_base_and_refiner_share_fifty_steps_and_every_one_is_told(local: Diffusers) -> None:
    desk = Watched()
    made = await draw(local, desk, quality="high", refine=True)
    base = [(step, "base_model", step, 40) for step in range(41)]
    assert desk.parts == [*base, *((40 + step, "refiner_model", step, 10) for step in range(11))]
    assert {step.total for step in desk.steps} == {50}, "both counts are known before the first step"
    facts = media.inspect(made.data).facts
    assert (facts.width, facts.height, facts.format) == (64, 64, "png")
    assert (made.model, made.seed, made.cost, made.warnings) == ("base + refiner", 5, 0.0, ())
    assert set(desk.places) <= {(None, None)}, "what was not loaded yet was waited for"


async def test_the_base_model_draws_alone_unless_it_is_asked_for_more(local: Diffusers) -> None:
    desk, ultra = Watched(), Watched()
    alone = await draw(local, desk, output_format="jpeg", quality="standard")
    assert desk.parts == [(step, "base_model", step, 30) for step in range(31)]
    assert (alone.model, media.inspect(alone.data).facts.format) == ("base", "jpeg")
    assert (await draw(local, ultra, quality="ultra")).model == "base + refiner"
    assert len(ultra.steps) == 52
    again = Watched()
    await draw(local, again, quality="ultra")
    assert again.places == [], "models are loaded once"


async def test_the_seed_decides_and_words_matter(local: Diffusers) -> None:
    one, again, other, words, without, styled = [
        (await draw(local, quality="draft", **asked)).data
        for asked in (
            {}, {}, {"seed": 6}, {"prompt": "Another"}, {"negative_prompt": "fog"}, {"style": "line-art"}
        )
    ]  # fmt: skip
    assert one == again
    assert len({one, other, words, without, styled}) == 5


async def test_previews_are_small_pictures_every_few_steps(local: Diffusers) -> None:
    desk = Watched()
    await draw(local, desk, quality="high", refine=True)
    previews = [(step.step, step.preview) for step in desk.steps if step.preview is not None]
    assert [number for number, _ in previews] == list(range(5, 51, 5))
    for _, preview in previews:
        with Image.open(io.BytesIO(preview)) as picture:
            assert (picture.format, picture.size) == ("JPEG", (256, 256))
            assert picture.convert("L").getextrema() != (0, 0)
    assert len({preview for _, preview in previews}) == len(previews)


async def test_words_that_are_not_read_are_told_of(local: Diffusers) -> None:
    assert (await draw(local, quality="draft", prompt="a" * 75)).warnings == ()
    (told,) = (await draw(local, quality="draft", prompt="a" * 76)).warnings
    assert told.startswith("The prompt is longer than the model reads")


async def test_those_who_wait_know_their_places_and_may_leave(local: Diffusers) -> None:
    first, second, third = Watched(), Watched(), Watched()
    drawing = asyncio.create_task(draw(local, first, quality="high"))
    await first.at(1)
    leaving = asyncio.create_task(draw(local, second, quality="high"))
    last = asyncio.create_task(draw(local, third, quality="draft"))
    while not third.places:
        await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert not drawing.done(), "who waits is let go at once"
    assert [place for place, _ in third.places] == [2, 1]
    await asyncio.gather(drawing, last)
    assert [step.step for step in first.steps] == list(range(51))
    assert [step.step for step in third.steps] == list(range(16)), "one at a time, none left out"
    assert second.steps == []


async def test_a_cancelled_picture_is_left_for_the_next(local: Diffusers) -> None:
    desk, before, took = Watched(), pid(local), local._host._took
    drawing = asyncio.create_task(draw(local, desk, quality="high", refine=True))
    await desk.at(3)
    drawing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawing
    told = len(desk.steps)
    async with asyncio.timeout(WITHIN):
        while local._host._pending is not None:
            await asyncio.sleep(0.001)
    assert local._host._took is took, "it was not drawn to its end"
    assert len(desk.steps) == told, "nobody is told any more"
    assert (await draw(local, quality="draft")).data
    assert pid(local) == before


async def test_a_process_that_is_killed_is_replaced(local: Diffusers) -> None:
    desk = Watched()
    drawing = asyncio.create_task(draw(local, desk, quality="high"))
    waiting = asyncio.create_task(draw(local, quality="draft"))
    await desk.at(3)
    os.kill(pid(local), signal.SIGKILL)
    with pytest.raises(ProviderUnavailable, match="was killed, most likely because memory ran out") as raised:
        await drawing
    assert raised.value.retryable
    assert (await waiting).data, "who waited is drawn by the next process"


@contextlib.contextmanager
def little_memory(process: int, more: int) -> Iterator[None]:
    """Let a process have so many bytes beyond what it has."""
    (has,) = re.findall(r"VmData:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    before = resource.prlimit(process, resource.RLIMIT_DATA)
    resource.prlimit(process, resource.RLIMIT_DATA, (int(has) * 1024 + more, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_DATA, before)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by prlimit")
async def test_no_memory_is_told_as_that_and_the_models_stay(
    sizes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")  # what is freed is gone, and has to be asked for again
    large = diffusion.provider(sizes[1], refiner="", steps=4)
    try:
        before = await draw(large, quality="draft")
        with little_memory(pid(large), 1_000_000), pytest.raises(OutOfMemory, match=r"^Out of memory: ") as raised:
            await draw(large, quality="draft")
        assert (raised.value.code, raised.value.retryable) == ("out_of_memory", False)
        desk = Watched()
        assert (await draw(large, desk, quality="draft")).data == before.data
        assert desk.places == [], "nothing was loaded again"
    finally:
        await large.close()


async def test_the_process_stops_within_a_step_and_ends_with_its_input(models: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", host.MODULE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    which = {"model": str(models / "base"), "refiner": "", "device": "", "dtype": ""}
    order = {
        "prompt": "a", "negative_prompt": "", "aspect_ratio": "1:1", "steps": 1000, "refine": False, "seed": 1,
        "preview_seconds": 9,
    }  # fmt: skip
    process.stdin.write(packed(which) + packed({"number": 1, "order": order, "format": "png"}))
    async with asyncio.timeout(WITHIN):
        while (head := (await received(process.stdout))[0]).get("step", 0) < 5:
            pass
        process.stdin.write(packed({"number": 1, "withdraw": True}))
        while "end" not in head:
            last = head.get("step")
            head, _ = await received(process.stdout)
        assert head["end"] == "stopped"
        assert last is not None
        assert last < 900, "the step in hand, and as many as a busy machine makes of the message's way"
        process.stdin.close()
        assert await process.wait() == 0


async def test_a_picture_that_takes_too_long_is_given_up(local: Diffusers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local._host, "_patience", 0.05)
    with pytest.raises(ProviderUnavailable, match=r"did not finish the picture within 0\.05 seconds"):
        await draw(local, quality="high")


async def test_counts_are_the_schedulers_nothing_unsafe_is_loaded_and_telling_is_cheap(
    models: Path, tmp_path: Path
) -> None:
    found = json.loads(await asyncio.to_thread(diffusion.run, "library_facts.py", str(models), str(tmp_path)))
    table = {50: [40, 10], 40: [32, 8], 30: [23, 7], 25: [20, 5], 10: [8, 2], 4: [3, 1], 2: [1, 1], 1: [0, 1]}
    assert {int(steps): counts for steps, counts in found["table"].items()} == table
    assert len(found["schedulers"]) == 4
    for scheduler, pairs in found["schedulers"].items():
        for counted, drawn in pairs:
            assert counted == drawn, scheduler
    for reason, (kind, story) in found["failures"].items():
        assert kind == "unloadable", reason
        assert reason in story
    assert found["telling"]["cpu_share_of_20_ms"] < 0.02, (
        "what telling of every step costs, however busy the machine is"
    )


async def test_it_can_be_asked_what_it_draws_with(models: Path, tmp_path: Path) -> None:
    said = await diffusion.provider(models, refiner="nobody/has-this").examine()
    assert said.startswith("draws on cpu in float32 with torch 2.")
    assert f"{models / 'base'} is here" in said
    assert "nobody/has-this is fetched from the hub with the first picture" in said
    with pytest.raises(ProviderUnavailable, match=r"There is no device cuda:9; there is cpu \(1\)\."):
        await diffusion.provider(models, device="cuda:9").examine()
    with pytest.raises(ProviderUnavailable, match=r"has no model_index\.json"):
        await diffusion.provider(models, model=str(tmp_path)).ping()


async def test_steps_follow_the_setting_and_the_quality(models: Path) -> None:
    few = diffusion.provider(models, steps=10, timeout=timedelta(seconds=1))
    assert dict(few.offer.steps) == {"draft": 3, "standard": 6, "high": 10, "ultra": 10}
    assert (few.offer.refines, diffusion.provider(models, refiner="").offer.refines) == (True, False)
    assert few.offer.models == ("base", "refiner")
