"""The models' process as the service sees it: started when first needed, one picture at a time, and another when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from atelier import logs
from atelier.errors import OutOfMemory, ProviderError, ProviderUnavailable
from atelier.frozen import frozen
from atelier.pipelines.ports import Desk, StepReport
from atelier.providers.diffusers.turns import Turns
from atelier.providers.frames import packed, received

MODULE = "atelier.providers.diffusers.server"
LOADING_SECONDS = 2 * 3600.0
"""The models may take so long to come from the hub and into memory; then the process is taken to hang."""

QUIET = {
    "DIFFUSERS_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""The libraries neither chat nor tell anybody what they do."""

NO_ROOM = (
    "Out of memory: the models and this picture do not fit into what is free. Ask for a quality below ultra and no"
    " refinement, close other programs that use the device, or have the service compute in float16 or on another device."
)
FAILURES: Mapping[str, tuple[type[ProviderError], str]] = {
    "out_of_memory": (OutOfMemory, NO_ROOM),
    "unloadable": (ProviderUnavailable, "The local models cannot be loaded; the service's log says why."),
    "broken": (ProviderUnavailable, "The local models failed unexpectedly; the service's log says where."),
}


@frozen
class Drawn:
    """A picture's bytes, and what is to be said of it."""

    data: bytes
    warnings: tuple[str, ...]


@dataclass(kw_only=True, slots=True, eq=False)
class Pending:
    """The order whose turn it is. It stays that when nobody waits for it any more, until the process has let go of it."""

    number: int
    process: asyncio.subprocess.Process
    desk: Desk
    watch: asyncio.TimerHandle
    began: float | None = None
    picture: asyncio.Future[Drawn] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Host:
    """Has pictures drawn, one at a time; `patience`: how long one may take once the models are loaded."""

    def __init__(self, which: Mapping[str, str], patience: timedelta) -> None:
        self._which, self._patience = dict(which), patience.total_seconds()
        self._turns, self._numbers = Turns(), itertools.count(1)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._pending: Pending | None = None
        self._hangs: asyncio.subprocess.Process | None = None
        self._took: float | None = None

    async def draw(self, order: Mapping[str, Any], desk: Desk) -> Drawn:
        """Return the picture when its turn has come and gone. Cancelling withdraws it. Raises ProviderError."""
        await self._turns.wait(lambda place: desk.queued(place, self._wait(place)))
        pending = await self._begun(order, desk)
        try:
            return await pending.picture
        finally:
            if pending.picture.cancelled():
                _send(pending.process, {"number": pending.number, "withdraw": True})

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None or self._reader is None:
            return
        _kill(process)
        await asyncio.wait({self._reader}, timeout=5)

    async def _begun(self, order: Mapping[str, Any], desk: Desk) -> Pending:
        """Hand the order to the process; from here on whoever settles it passes the turn on."""
        try:
            process = await self._running()
        except BaseException:
            self._turns.pass_on()
            raise
        watch = asyncio.get_running_loop().call_later(LOADING_SECONDS, self._give_up, process)
        self._pending = pending = Pending(number=next(self._numbers), process=process, desk=desk, watch=watch)
        _send(process, {**order, "number": pending.number})
        return pending

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                MODULE,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # prompts would stand there among the warnings
                env={**os.environ, **QUIET},
                start_new_session=True,  # a terminal's Ctrl-C is for the service, which then ends this
            )
            logs.info("models_started", pid=self._process.pid)
            _send(self._process, self._which)
            self._reader = asyncio.create_task(self._read(self._process), context=contextvars.Context())
        return self._process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Hand out what the process sends; when it dies, whoever waits is told and the next order starts another."""
        assert process.stdout is not None, "the process was started with a pipe"  # noqa: S101 - narrows the type
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head, body = await received(process.stdout)
                if self._pending is not None and head["number"] == self._pending.number:
                    self._hand_out(self._pending, head, body)
        await process.wait()
        if self._process is process:
            self._process = None
            logs.warning("models_died", returncode=process.returncode)
        if self._pending is not None and self._pending.process is process:
            self._settle(self._pending, self._why(process))

    def _hand_out(self, pending: Pending, head: dict[str, Any], body: bytes) -> None:
        if "loading" in head:
            logs.info("model_loading", model=head["loading"])
            if not pending.picture.done():
                pending.desk.queued(None, None)
        elif "end" in head:
            self._ended(pending, head, body)
        else:
            self._stepped(pending, head, body)

    def _stepped(self, pending: Pending, head: dict[str, Any], body: bytes) -> None:
        loop = asyncio.get_running_loop()
        if pending.began is None:  # the models are loaded
            pending.began = loop.time()
            pending.watch.cancel()
            pending.watch = loop.call_later(self._patience, self._give_up, pending.process)
        if not pending.picture.done():
            numbers = {name: head[name] for name in ("step", "total", "part", "part_step", "part_total")}
            pending.desk.step(StepReport(**numbers, preview=body or None))

    def _ended(self, pending: Pending, head: dict[str, Any], body: bytes) -> None:
        if head["end"] == "done":
            if pending.began is not None:
                self._took = asyncio.get_running_loop().time() - pending.began
            self._settle(pending, Drawn(data=body, warnings=tuple(head["warnings"])))
        elif head["end"] == "stopped":
            self._settle(pending, None)
        else:
            logs.warning("models_failed", kind=head["end"], why=head["why"])
            kind, sentence = FAILURES[head["end"]]
            self._settle(pending, kind(sentence))

    def _settle(self, pending: Pending, end: Drawn | ProviderError | None) -> None:
        """Tell whoever waits how it ended, and let the next one in."""
        pending.watch.cancel()
        self._pending = None
        if isinstance(end, Drawn) and not pending.picture.done():
            pending.picture.set_result(end)
        elif isinstance(end, ProviderError) and not pending.picture.done():
            pending.picture.set_exception(end)
        self._turns.pass_on()

    def _give_up(self, process: asyncio.subprocess.Process) -> None:
        """End a process that does not come to an end; what waits for it is told when it is gone."""
        self._hangs = process
        _kill(process)

    def _why(self, process: asyncio.subprocess.Process) -> ProviderUnavailable:
        if self._hangs is process:
            return ProviderUnavailable(
                f"The local models did not finish the picture within {self._patience:g} seconds and were stopped."
            )
        if process.returncode is not None and process.returncode < 0:
            return ProviderUnavailable(
                "The local models' process was killed, most likely because memory ran out; the next picture starts another."
            )
        return ProviderUnavailable("The local models' process ended; the next picture starts another.")

    def _wait(self, place: int) -> timedelta | None:
        """Return how long those before this place take at most, by the latest picture."""
        return timedelta(seconds=self._took * place) if self._took is not None else None


def _send(process: asyncio.subprocess.Process, message: Mapping[str, Any]) -> None:
    if process.stdin is not None and not process.stdin.is_closing():
        process.stdin.write(packed(dict(message)))


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
