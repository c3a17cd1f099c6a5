"""Adapters that kill or stop their process at a chosen point, once, and a provider that is played and counts its calls.

A point and a signal are chosen by the file `fuse` beside the data directory. Whoever reaches the point takes the file
away and gets the signal, so that the next process lives. Calls of the provider are lines of the file `calls`. While
there is a file `sluggish`, every write of a job takes half a second more; while there is a file `held`, pictures are drawn to
the middle only. The file `constants` says what modules' constants are to be.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from tests.history import picture_of
from tests.posts import key_of

from atelier.jobs.events import Claimed, Completed, Event, StageStarted
from atelier.jobs.models import Job, Json, Snapshot
from atelier.jobs.ports import Decide, Decision, Document, Store
from atelier.media import Content
from atelier.pipelines.ports import (
    Desk,
    GeneratedImage,
    ImageProvider,
    ImageRequest,
    Spool,
    StepReport,
    Storage,
    Stored,
)
from atelier.pipelines.texts import GeneratedText, TextProvider, TextRequest, Usage
from atelier.wiring import Adapters

QUICK_SECONDS = 0.05
SLUGGISH_SECONDS = 0.5
LOOK_SECONDS = 0.02
STEPS = 8


class Fuse:
    """Where the process is to die, or to stop."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "fuse"

    def light(self, point: str, number: int = signal.SIGKILL) -> None:
        written = self._file.with_suffix(".new")
        written.write_text(f"{point} {number:d}")
        written.rename(self._file)

    @property
    def sluggish(self) -> Path:
        return self._file.with_name("sluggish")

    def hold(self, whose: str = "") -> None:
        """Let pictures whose prompts hold these words be drawn to the middle only, until they are let go."""
        self._held.write_text(whose)

    def let_go(self) -> None:
        self._held.unlink(missing_ok=True)

    async def held(self, prompt: str) -> None:
        """Return when the picture is not held, or no longer."""
        with contextlib.suppress(FileNotFoundError):
            while self._held.read_text() in prompt:
                await asyncio.sleep(LOOK_SECONDS)

    @property
    def _held(self) -> Path:
        return self._file.with_name("held")

    @property
    def lit(self) -> bool:
        return self._file.exists()

    def at(self, point: str) -> None:
        try:
            chosen, number = self._file.read_text().split()
            if chosen != point:
                return
            self._file.unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), int(number))


class Constants:
    """Other values of modules' constants than they have, for tests that cannot wait; durations in seconds."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "constants"

    def set(self, **values: float | Json) -> None:
        """Choose values for the servers that are started from now on: `module__NAME`, below atelier, with `__` for dots.

        Of a constant that is a dictionary, these keys are chosen. What was chosen before stays.
        """
        self._file.write_text(json.dumps({**self._chosen(), **values}))

    def _chosen(self) -> Json:
        chosen: Json = json.loads(self._file.read_text()) if self._file.exists() else {}
        return chosen

    def apply(self) -> None:
        for path, value in self._chosen().items():
            *modules, name = path.split("__")
            module = importlib.import_module(".".join(["atelier", *modules]))
            present = getattr(module, name)
            if isinstance(present, dict):
                present.update(value)  # whoever imported it has the same one
            else:
                setattr(module, name, timedelta(seconds=value) if isinstance(present, timedelta) else value)


class Calls:
    """What was ordered of the provider, pictures by prompt, texts by key; a line is written before anything else happens."""

    def __init__(self, folder: Path, name: str = "calls") -> None:
        self._file = folder / name

    def note(self, prompt: str) -> None:
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, f"{prompt}\n".encode())
        os.close(handle)

    def read(self) -> list[str]:
        return self._file.read_text().splitlines() if self._file.exists() else []


class Adapter:
    """Stands before a real adapter and passes on what it does not watch."""

    def __init__(self, inner: object, fuse: Fuse) -> None:
        self._inner: Any = inner
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class FaultyStore(Adapter):
    async def create(self, job: Job, events: Sequence[Event], params: Json) -> tuple[Snapshot, bool]:
        created: tuple[Snapshot, bool] = await self._inner.create(job, events, params)
        self._fuse.at("created")
        return created

    async def write(self, job_id: str, decide: Decide) -> Snapshot | None:
        decided: list[Event] = []

        def watched(job: Job) -> Decision:
            decision = decide(job)
            decided[:] = decision.events
            if any(isinstance(event, Completed) for event in decided):
                self._fuse.at("completing")
                self._fuse.at(f"completing:{job.kind}")
            return decision

        if self._fuse.sluggish.exists():
            await asyncio.sleep(SLUGGISH_SECONDS)
        snapshot: Snapshot | None = await self._inner.write(job_id, watched)
        for event in decided:
            if isinstance(event, StageStarted):
                self._fuse.at(f"entered:{event.stage}")
            if isinstance(event, Claimed):
                self._fuse.at("claimed")
            if isinstance(event, Completed):
                self._fuse.at("completed")
        return snapshot

    async def put(self, kind: str, name: str, body: Json, *, if_rev: int) -> Document | None:
        put: Document | None = await self._inner.put(kind, name, body, if_rev=if_rev)
        self._fuse.at(f"put:{kind}")
        return put


class FaultySpool(Adapter):
    async def keep(self, job_id: str, number: int, data: bytes, note: Json) -> None:
        await self._inner.keep(job_id, number, data, note)
        self._fuse.at("spooled")


class FaultyStorage(Adapter):
    async def save(self, job_id: str, number: int, content: Content, *, alt: str, shared: bool) -> Stored:
        stored: Stored = await self._inner.save(job_id, number, content, alt=alt, shared=shared)
        self._fuse.at("stored")
        return stored


class PlayedProvider(Adapter):
    """Somebody else's service: takes its time, tells its steps, sends a picture that shows what was asked for.

    A file `terms` beside the data directory says that it is `paid`, or that orders can be waited for again (`attaching`).
    """

    def __init__(self, inner: Any, fuse: Fuse, calls: Calls, terms: str = "") -> None:
        super().__init__(inner, fuse)
        self._calls, self._attaches = calls, terms == "attaching"
        if terms:
            told = {"abort": "provider_cannot_cancel", "abort_billed": "unknown", "billed": "yes"}
            self.terms = replace(inner.terms, **told, reattaches=self._attaches)

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:
        if request.order_id is not None:
            assert self._attaches
            assert request.order_id == f"order of {request.prompt}"
        else:
            self._calls.note(request.prompt)
        self._fuse.at("ordered")
        if self._attaches:
            await desk.placed(f"order of {request.prompt}")
        script = request.script
        if script.scenario not in {"ok", "slow"} and request.attempt == 1:
            made: GeneratedImage = await self._inner.generate(request, desk)
            return made
        seconds = script.seconds if script.scenario == "slow" else QUICK_SECONDS
        for step in range(1, STEPS + 1):
            await asyncio.sleep(seconds / STEPS)
            desk.step(StepReport(step=step, total=STEPS, preview=None))
            if step == STEPS // 2:
                self._fuse.at("drawing")
                await self._fuse.held(request.prompt)
        self._fuse.at("received")
        return GeneratedImage(data=picture_of(request.prompt), provider="sandbox", model="played", seed=1, cost=0.01)


class PlayedWriter(Adapter):
    """Somebody else who writes: as the sandbox does, for money where the file `terms` says `paid`. Its calls are in `texts`."""

    def __init__(self, inner: Any, fuse: Fuse, calls: Calls, terms: str = "") -> None:
        super().__init__(inner, fuse)
        self._calls, self._price = calls, 0.01 if terms else 0.0
        if terms:
            told = {"abort": "provider_cannot_cancel", "abort_billed": "unknown", "billed": "yes"}
            self.terms = replace(inner.terms, **told)

    async def generate(self, request: TextRequest, desk: Desk) -> GeneratedText:
        key = key_of(request)
        self._calls.note(key)
        self._fuse.at(f"writing:{key}")
        made: GeneratedText = await self._inner.generate(request, desk)
        self._fuse.at(f"written:{key}")
        return replace(made, cost=self._price, usage=TOKENS)


TOKENS = Usage(read=20, written=10)
"""Of every text of the played writer."""

POINTS = {
    "created": 1,
    "claimed": 1,
    "ordered": 2,
    "drawing": 2,
    "received": 2,
    "spooled": 1,
    "stored": 1,
    "completing": 1,
    "completed": 1,
}
"""Where a process may die, in order, and how often a picture is ordered then: twice only where nothing was kept yet."""


def wrapped(adapters: Adapters, folder: Path) -> Adapters:
    """Return the adapters with faults before them."""
    fuse, calls, terms = Fuse(folder), Calls(folder), folder / "terms"
    kind = terms.read_text() if terms.exists() else ""
    played = {
        name: cast("ImageProvider", PlayedProvider(provider, fuse, calls, kind))
        for name, provider in adapters.image_providers.items()
    }
    writing = {
        name: cast("TextProvider", PlayedWriter(provider, fuse, Calls(folder, "texts"), kind))
        for name, provider in adapters.text_providers.items()
    }
    return replace(
        adapters,
        store=cast("Store", FaultyStore(adapters.store, fuse)),
        spool=cast("Spool", FaultySpool(adapters.spool, fuse)),
        storage=cast("Storage", FaultyStorage(adapters.storage, fuse)),
        image_providers=played,
        text_providers=writing,
    )
