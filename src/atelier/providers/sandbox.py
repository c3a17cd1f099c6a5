"""The sandbox: deterministic pictures without network, key or model, and scripted trouble for tests."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import contextvars
import hashlib
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from atelier import logs
from atelier.errors import ProviderUnavailable
from atelier.pipelines.ports import (
    BASE_MODEL,
    REFINER_MODEL,
    Desk,
    GeneratedImage,
    ImageRequest,
    Offer,
    StepReport,
    Terms,
)
from atelier.providers.frames import packed, received
from atelier.providers.palette import ASPECT_RATIOS, STEPS, STYLES
from atelier.providers.scripted import trouble

MODEL = "sandbox-painter-1"
SILENCE_SECONDS = 20.0
"""A drawing process that says nothing for this long hangs; it is ended, and another started."""

PREVIEW_SECONDS = 0.8
"""Previews come this far apart; steps are written once a second anyway."""

REFINED = 0.2
"""The share of a refined picture's steps that are its refiner's."""

Report = Callable[[StepReport], None]
"""Takes steps as they happen; returns at once."""

LARGEST_SEED = 4294967294
FREE = dict.fromkeys(("draft", "standard", "high", "ultra"), 0.0)

NOOP_PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAPElEQVR42u3SsQ0AIAzEQCNR/C4MwZKsmw8FPYqokdxe5zbmEilcKER2lOBaCe"
    "7IZeAPPriCOFcVCh5u3Y7I/zPV5VF8AAAAAElFTkSuQmCC"
)
"""The one picture of the scenario `noop`."""


class Sandbox:
    """`pipelines.ports.ImageProvider` that draws in a process of its own."""

    name = "sandbox"
    terms = Terms(abort="confirmed_by_provider", abort_billed="no", billed="no", prices=FREE)

    offer = Offer(
        models=(MODEL,),
        styles=STYLES,
        aspect_ratios=ASPECT_RATIOS,
        qualities=tuple(STEPS),
        formats=("png", "jpeg", "webp"),
        steps=STEPS,
        refines=True,
    )

    def __init__(self) -> None:
        self._easel = Easel()

    async def ping(self) -> None:
        """There is nobody to reach: the drawing process starts with the first order."""

    async def close(self) -> None:
        """End the drawing process."""
        await self._easel.close()

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:
        """Do what the script says: draw, or fail as a provider would."""
        match request.script.scenario:
            case "noop":
                return _made(NOOP_PICTURE, 0, shared=True)
            case "garbage":
                return _made(b"This is not a picture.", 0)
            case "slow":
                return await self._draw_slowly(request, desk)
            case "stall":
                await asyncio.Event().wait()
            case _:
                trouble(request)
        return await self._draw(request, desk.step, preview_seconds=PREVIEW_SECONDS)

    async def _draw(self, request: ImageRequest, report: Report, *, preview_seconds: float) -> GeneratedImage:
        seed = request.seed if request.seed is not None else _seed_of(request)
        told = _in_turns(report) if request.refine else report
        data = await self._easel.draw({**_order(request, seed), "preview_seconds": preview_seconds}, told)
        return _made(data, seed)

    async def _draw_slowly(self, request: ImageRequest, desk: Desk) -> GeneratedImage:
        """Draw at the usual pace, then tell the steps over the seconds that were asked for."""
        steps: list[StepReport] = []
        image = await self._draw(request, steps.append, preview_seconds=0.0)
        for step in steps:
            desk.step(step)
            await asyncio.sleep(request.script.seconds / len(steps))
        return image


def _in_turns(report: Report) -> Report:
    """Tell the steps as those of two models: the last fifth is the refiner's."""

    def told(step: StepReport) -> None:
        base = step.total - max(round(step.total * REFINED), 1)
        if step.step <= base:
            report(replace(step, part=BASE_MODEL, part_step=step.step, part_total=base))
        else:
            report(replace(step, part=REFINER_MODEL, part_step=step.step - base, part_total=step.total - base))

    return told


def _made(data: bytes, seed: int, *, shared: bool = False) -> GeneratedImage:
    return GeneratedImage(data=data, provider=Sandbox.name, model=MODEL, seed=seed, cost=0.0, shared=shared)


def _seed_of(request: ImageRequest) -> int:
    """The same request gives the same picture: without a seed, the prompt is the seed."""
    digest = hashlib.sha256(request.prompt.encode()).digest()
    return int.from_bytes(digest[:4], "big") % (LARGEST_SEED + 1)


def _order(request: ImageRequest, seed: int) -> dict[str, Any]:
    commission = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "style": request.style,
        "aspect_ratio": request.aspect_ratio,
        "quality": request.quality,
        "seed": seed,
    }
    return {"commission": commission, "format": request.output_format}


@dataclass(kw_only=True, slots=True)
class Pending:
    """An order that is being drawn: where its steps go and where its picture is awaited."""

    process: asyncio.subprocess.Process
    report: Report
    picture: asyncio.Future[bytes] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Easel:
    """The drawing process, started when first needed and again when it died."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._pending: dict[int, Pending] = {}
        self._numbers = itertools.count(1)
        self._heard = 0.0

    async def draw(self, order: dict[str, Any], report: Report) -> bytes:
        """Return the picture's bytes. Cancelling withdraws the order. Raises ProviderUnavailable."""
        process = await self._running()
        number, pending = next(self._numbers), Pending(process=process, report=report)
        self._pending[number] = pending
        try:
            self._send(process, {**order, "number": number})
            return await self._picture(process, pending)
        finally:
            del self._pending[number]
            if not pending.picture.done() or pending.picture.cancelled():
                pending.picture.cancel()
                self._send(process, {"number": number, "withdraw": True})

    async def _picture(self, process: asyncio.subprocess.Process, pending: Pending) -> bytes:
        """Wait as long as the process draws: it tells of every step of every picture."""
        self._heard = clock = asyncio.get_running_loop().time()
        while clock - self._heard < SILENCE_SECONDS:
            left = self._heard + SILENCE_SECONDS - clock
            await asyncio.wait({pending.picture}, timeout=left)
            if pending.picture.done():
                return pending.picture.result()
            clock = asyncio.get_running_loop().time()
        if self._process is process:
            self._process = None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise ProviderUnavailable("The sandbox's drawing process hangs; another is started.")

    async def close(self) -> None:
        """End the process: it stops when its input ends."""
        if self._process is None or self._reader is None:
            return
        process, self._process = self._process, None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.wait({self._reader}, timeout=5)

    async def _running(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._process is None:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "atelier.providers.easel",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    start_new_session=True,  # a terminal's Ctrl-C is for the service, which then ends this
                )
                self._reader = asyncio.create_task(self._read(self._process), context=contextvars.Context())
            return self._process

    def _send(self, process: asyncio.subprocess.Process, message: dict[str, Any]) -> None:
        if process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(packed(message))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Hand out what the process sends; when it dies, whoever waits is told and the next order starts another."""
        assert process.stdout is not None, "the process was started with a pipe"  # noqa: S101 - narrows the type
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                self._hand_out(*await received(process.stdout))
        await process.wait()
        if self._process is process:
            logs.warning("easel_died", returncode=process.returncode)
            self._process = None
        for pending in self._pending.values():
            if pending.process is process and not pending.picture.done():
                pending.picture.set_exception(ProviderUnavailable("The sandbox's drawing process ended."))

    def _hand_out(self, head: dict[str, Any], body: bytes) -> None:
        self._heard = asyncio.get_running_loop().time()
        pending = self._pending.get(head["number"])
        if pending is None or pending.picture.done():
            return
        if head.get("done"):
            pending.picture.set_result(body)
        else:
            pending.report(StepReport(step=head["step"], total=head["total"], preview=body or None))
