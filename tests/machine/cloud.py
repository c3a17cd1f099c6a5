"""The same world on Firestore: the emulator is real and answers in its own time, while the processes' time stands still."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import grpc
from tests.emulator import Emulator
from tests.jobs import Clock
from tests.machine.history import History
from tests.machine.process import Process, Surroundings
from tests.machine.world import World

from atelier.jobs import lifecycle
from atelier.jobs.events import Event
from atelier.jobs.models import Job, Record, Snapshot, Status
from atelier.stores import serialisation as codec
from atelier.stores.firestore import FirestoreStore, calls, following
from atelier.stores.firestore.headers import RESULT

TICK_SECONDS = 5.0
"""Time between two looks of a process at what it listens to: each costs real calls, and minutes pass here."""

COLLISION_SECONDS = 0.5
"""Within which a write that found another version was made again."""

Decided = tuple[Job, tuple[Event, ...] | None, int | None, datetime | None]
"""What a header was made of: the one before, events or a renewal's fence, and when."""


class Committed(History):
    """Judges what Firestore took, in its order: on the way there, what is decided may be decided again."""

    def __init__(self, dead: Any) -> None:
        super().__init__(dead)
        self.order: list[str] = []
        self._decided: dict[str, Decided] = {}

    def begin(self) -> None:
        play, touch = lifecycle.play, lifecycle.touch

        def heard_play(job: Job, events: Iterable[Event], now: datetime) -> tuple[Job, tuple[Record, ...]]:
            happened = tuple(events)
            after, records = play(job, happened, now)
            self._decided[codec.dump_job(after)] = (job, happened, None, now)
            return after, records

        def heard_touch(job: Job, *, fence: int, **given: Any) -> Job:
            after = touch(job, fence=fence, **given)
            self._decided[codec.dump_job(after)] = (job, None, fence, None)
            return after

        self._patches.enter_context(mock.patch.object(lifecycle, "play", heard_play))
        self._patches.enter_context(mock.patch.object(lifecycle, "touch", heard_touch))

    def took(self, header: str) -> None:
        """Judge a header that Firestore took."""
        before, events, fence, now = self._decided[header]
        after = codec.load_job(header)
        if after.id not in self.order and before.rev == 0:
            self.order.append(after.id)
            self.present[after.id] = after
            self.touched.add(after.id)
        elif events is not None and now is not None:
            self._changed(before, events, after, now)
        else:
            self._must(fence == before.fence, "I3: a renewal carries the present fence", before, after)
            self._must(before.status is Status.PROCESSING, "I2: only what runs is renewed", before, after)
            self._continues(before, after)

    def removed(self, job_id: str) -> None:
        """Forget a header that Firestore removed."""
        self.order.remove(job_id)
        self.forget(job_id)


class CloudProcess(Process):
    """A process on Firestore. Calls wait where its store does not answer; else time stands still until they are answered."""

    store: FirestoreStore

    def __init__(self, name: str, around: Surroundings, moment: float, cloud: CloudWorld) -> None:
        self._cloud, self._left, self._gate = cloud, None, asyncio.Event()
        self.sent = 0
        """Calls that the emulator has and has not answered yet."""
        super().__init__(name, around, moment)

    _left: int | None

    @property
    def answers(self) -> int | None:
        return self._left

    @answers.setter
    def answers(self, left: int | None) -> None:
        self._left = left
        if left != 0:
            self._gate.set()

    async def admit(self) -> None:
        """Let a call go out, as soon as the store answers."""
        while self._left == 0:
            self._gate.clear()
            await self._gate.wait()
        if self._left is not None:
            self._left -= 1

    def _opened(self) -> FirestoreStore:
        self.loop.awaits = lambda: self.sent > 0
        store = FirestoreStore(
            self._cloud.project,
            self._around.clock,
            keep={},
            emulator=self._cloud.emulator.address,
            interceptors=[_Single(self), _Several(self)],
        )
        self._do(store.open())
        return store

    def settle(self) -> bool:
        self.loop.run_forever()
        return self._tell()

    def commit(self, request: Any) -> None:
        """Tell what was taken."""
        for write in request.writes:
            if is_header(write.delete):
                self._cloud.history.removed(write.delete.rpartition("/")[2])
            elif is_header(write.update.name):
                self._cloud.history.writer = self.name
                self._cloud.history.took(write.update.fields["header"].string_value)

    def kill(self, *, store_done: bool) -> None:  # noqa: ARG002 - what was sent is done, at once
        self.dead = True

    def _leave(self) -> None:
        self._do(self.store._open.connection.close())


def is_header(name: str) -> bool:
    return name.split("/")[-2:-1] == ["jobs"]


class _Single(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    def __init__(self, process: CloudProcess) -> None:
        self._process = process

    async def intercept_unary_unary(self, go_on: Any, details: Any, request: Any) -> Any:
        await self._process.admit()
        self._process.sent += 1
        try:
            call = await go_on(details, request)
            await call
        finally:
            self._process.sent -= 1
        if type(request).__name__ == "CommitRequest":
            self._process.commit(request)
        return call


class _Several(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]
    def __init__(self, process: CloudProcess) -> None:
        self._process = process

    async def intercept_unary_stream(self, go_on: Any, details: Any, request: Any) -> Any:
        await self._process.admit()
        self._process.sent += 1
        try:
            answers = [answer async for answer in await go_on(details, request)]
        finally:
            self._process.sent -= 1
        return _one_by_one(answers)


async def _one_by_one(answers: list[Any]) -> AsyncIterator[Any]:
    for answer in answers:
        yield answer


class CloudWorld(World):
    """Processes on one project of the emulator; nobody knows who has ended, and others are heard of a little later."""

    emulator: ClassVar[Emulator]
    history: Committed

    def __init__(self, template: Path, path: Path, *, carried: bool, presence: bool) -> None:  # noqa: ARG002 - one choice here
        self.project = f"machine-{secrets.token_hex(6)}"
        super().__init__(template, path, carried=True, presence=False)

    def _new_history(self) -> History:
        return Committed(self._gone)

    def _new_process(self, name: str, around: Surroundings) -> Process:
        return CloudProcess(name, around, self.elapsed, self)

    def _open(self, template: Path) -> None:  # noqa: ARG002 - nothing is copied
        self._patches.enter_context(mock.patch.object(following, "TICK_SECONDS", TICK_SECONDS))
        self._patches.enter_context(mock.patch.dict(calls.ONCE, timeout=60))  # gRPC's own clock, which goes on
        around = Surroundings(path=self._path, clock=Clock(), queue=self._queue, pipelines=lambda _: {}, gone=frozenset)
        self._reader = CloudProcess("reader", around, self.elapsed, self)

    def _close(self) -> None:
        self._reader.bury()

    def meet(self) -> None:
        self.settle()
        self.pass_(COLLISION_SECONDS)

    def hear(self) -> None:
        self.settle()
        self.pass_(2 * TICK_SECONDS)

    def snapshot(self, job_id: str) -> Snapshot | None:
        found: Snapshot | None = self._reader._do(self._reader.store.read(job_id, after=0))
        return found

    def jobs(self) -> list[Job]:
        """Return every header, as it was taken."""
        return [self.history.present[job_id] for job_id in self.history.order if job_id in self.history.present]

    def _keeps_result(self, job_id: str) -> bool:
        header = self._reader._do(self._reader.store._open.writer.load(job_id))
        return header.result is not None or RESULT in header.parts
