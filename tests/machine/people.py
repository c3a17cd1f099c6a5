"""What people do: ask for jobs, watch them, change their minds."""

from __future__ import annotations

import asyncio

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from tests.machine.clients import Client
from tests.machine.ground import KEYS, Ground, bodies, picks

from atelier.errors import AlreadyTerminal, AtelierError, Conflict, NotFound, StoreUnavailable
from atelier.jobs.models import Job, Status

MOST_JOBS = 4
MOST_CLIENTS = 4

kinds = st.sampled_from(["long", "long", "quick"])
crashes = st.sampled_from([None, None, None, 0, 1, 2, 9])
"""After how many operations of the store a process dies while it accepts a job; None: it does not."""


class People(Ground):
    """Callers and watchers."""

    @precondition(lambda self: len(self.w.jobs()) < MOST_JOBS)
    @rule(kind=kinds, key=st.sampled_from([None, None, *KEYS]), body=bodies, pick=picks, crash=crashes)
    def submit(self, kind: str, key: str | None, body: int, pick: int, crash: int | None) -> None:
        self._submit(kind if key is None else "long", body, key, pick, crash)

    @precondition(lambda self: self.w.jobs())
    @rule(pick=picks, at=picks)
    def cancel(self, pick: int, at: int) -> None:
        job = self._job(pick)
        self._ask(at, "cancel", job, AlreadyTerminal)

    @precondition(lambda self: self._in({Status.FAILED, Status.CANCELLED}))
    @rule(pick=picks, at=picks)
    def retry(self, pick: int, at: int) -> None:
        job = self._job(pick, {Status.FAILED, Status.CANCELLED})
        self._ask(at, "retry", job, Conflict)

    def _ask(self, at: int, what: str, job: Job, refusal: type[AtelierError]) -> None:
        process = self._awake(at)
        if process is None:
            return

        def answered(task: asyncio.Task[Job]) -> None:
            error = task.exception()
            assert error is None or isinstance(error, refusal | StoreUnavailable | NotFound), error

        process.call(getattr(process.engine, what)("ann", job.id), answered)
        self.w.settle()

    @precondition(lambda self: self._in({Status.COMPLETED, Status.FAILED, Status.CANCELLED}))
    @rule(pick=picks)
    def delete(self, pick: int) -> None:
        process = next((one for one in self.w.awake if one.answers is None), None)
        job = self._job(pick, {Status.COMPLETED, Status.FAILED, Status.CANCELLED})
        if process is None:
            return
        self.w.delete(job.id)
        self.accepted.discard(job.id)
        self.keys = {key: known for key, known in self.keys.items() if known[0] != job.id}
        asked = process.call(process.engine.delete("ann", job.id))
        self.w.meet()
        self.w.delete(job.id)  # it was marked before it went
        assert asked.exception() is None
        assert self.w.snapshot(job.id) is None

    @precondition(lambda self: self.w.jobs())
    @rule(pick=picks, what=st.sampled_from(["get", "cancel", "retry", "delete"]))
    def somebody_else_asks(self, pick: int, what: str) -> None:
        process, job = next((one for one in self.w.awake if one.answers is None), None), self._job(pick)
        if process is None:
            return
        asked = process.call(getattr(process.engine, what)("bob", job.id))
        self.w.settle()
        refused = asked.done() and isinstance(asked.exception(), NotFound)
        assert refused, "I8"

    @precondition(lambda self: self.w.jobs() and len(self.w.clients) < MOST_CLIENTS)
    @rule(pick=picks, at=picks)
    def watch(self, pick: int, at: int) -> None:
        client = Client(self._job(pick).id)
        self.w.clients.append(client)
        self._connect(client, at)

    @precondition(lambda self: any(client.connected for client in self.w.clients))
    @rule(pick=picks)
    def lose_the_connection(self, pick: int) -> None:
        connected = [client for client in self.w.clients if client.connected]
        self.w.settle()
        before = self.w.jobs()
        connected[pick % len(connected)].cut()
        self.w.settle()
        assert self.w.jobs() == before, "I10: who goes away changes nothing"

    @precondition(lambda self: any(not client.connected for client in self.w.clients))
    @rule(pick=picks, at=picks)
    def come_back(self, pick: int, at: int) -> None:
        apart = [client for client in self.w.clients if not client.connected]
        self._connect(apart[pick % len(apart)], at)

    def _connect(self, client: Client, at: int) -> None:
        process = self._awake(at)
        if process is not None:
            client.connect(process)
            self.w.settle()
