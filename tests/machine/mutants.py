"""Bugs planted into the real classes, each of a kind that has shipped somewhere: the machine has to find every one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from unittest import mock

from atelier.jobs import followers, lifecycle, pipeline, runner, supervision, verdicts
from atelier.jobs.engine import JobEngine, NewJob
from atelier.jobs.events import Event, Redispatched
from atelier.jobs.groups.models import Group
from atelier.jobs.models import Job, Snapshot, Status
from atelier.jobs.ports import Decide, Decision
from atelier.jobs.runner import Runner
from atelier.jobs.sweeper import LOT, Sweeper
from atelier.jobs.verdicts import claimable

Put = Callable[[Any, str, Any], None]


@dataclass(frozen=True)
class Mutant:
    """A bug, and by which invariants it may be found: a failure of another kind is the machine's own."""

    plant: Callable[[Put], None]
    broken: str


MUTANTS: dict[str, Mutant] = {}


def found_by(broken: str) -> Callable[[Callable[[Put], None]], Callable[[Put], None]]:
    """Note a bug under its function's name."""

    def note(plant: Callable[[Put], None]) -> Callable[[Put], None]:
        MUTANTS[plant.__name__] = Mutant(plant, broken)
        return plant

    return note


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Live with one bug."""
    with ExitStack() as patches:

        def put(place: Any, attribute: str, bug: Any) -> None:
            patches.enter_context(mock.patch.object(place, attribute, bug))

        MUTANTS[name].plant(put)
        yield


@found_by("I2|I3")
def no_fence_on_writes(put: Put) -> None:
    for place in (lifecycle, runner, pipeline):
        put(place, "require_fence", lambda *_: None)


@found_by("I3")
def the_lease_is_not_looked_at_when_claiming(put: Put) -> None:
    def greedy(job: Job, dispatch: int, now: datetime) -> bool:
        return claimable(job, dispatch, now) or (job.status is Status.PROCESSING and dispatch == job.dispatch)

    put(runner, "claimable", greedy)


@found_by("I3")
def the_sweeper_decides_on_what_it_read(put: Put) -> None:
    def attended(sweeper: Sweeper, job: Job) -> Any:
        return sweeper._repair(job.id, lambda _: sweeper._decide(frozenset(), None, job))

    async def sweep(self: Sweeper) -> int:
        await self._take_over()
        for job in await self._store.overdue(self._now(), limit=LOT):
            await attended(self, job)
        return await self._hand_over_lost() + await self._forget()

    put(Sweeper, "sweep", sweep)


@found_by("I5")
def attempts_are_not_capped(put: Put) -> None:
    claim, lost, after_failure = Runner._claim, Sweeper._lost, verdicts.after_failure

    def endless(job: Job) -> Job:
        return replace(job, max_attempts=99)

    def claiming(self: Runner, worker: str, dispatch: int) -> Decide:
        decide = claim(self, worker, dispatch)
        return lambda job: decide(endless(job))

    put(Runner, "_claim", claiming)
    put(Sweeper, "_lost", lambda self, job: lost(self, endless(job)))
    put(supervision, "after_failure", lambda job, *how: after_failure(endless(job), *how))


@found_by("I4")
def a_retry_begins_the_bar_again(put: Put) -> None:
    due = lifecycle._due
    put(lifecycle, "_due", lambda *given: due(*given) | {"progress": 0.0})


async def _nothing(_: Sweeper) -> int:
    return 0


@found_by("I1")
def the_sweeper_forgets_what_waits(put: Put) -> None:
    decide = Sweeper._decide

    def deaf(self: Sweeper, gone: frozenset[str], group: Group | None, job: Job) -> Decision:
        return Decision() if job.status is Status.QUEUED else decide(self, gone, group, job)

    put(Sweeper, "_decide", deaf)
    put(Sweeper, "_hand_over_lost", _nothing)


@found_by("I1")
def the_sweeper_forgets_what_the_queue_lost(put: Put) -> None:
    put(Sweeper, "_hand_over_lost", _nothing)


@found_by("I1")
def all_dispatches_have_one_name(put: Put) -> None:
    due = lifecycle._due
    put(lifecycle, "_due", lambda job, *given: due(job, *given) | {"dispatch": job.dispatch or 1})


@found_by("I1")
def what_was_lost_keeps_its_name(put: Put) -> None:
    changes = lifecycle._changes

    def unnumbered(job: Job, event: Event, now: datetime) -> dict[str, Any]:
        kept = {"dispatch": job.dispatch} if isinstance(event, Redispatched) else {}
        return changes(job, event, now) | kept

    put(lifecycle, "_changes", unnumbered)


@found_by("I4")
def a_follower_trusts_whatever_it_hears(put: Put) -> None:
    put(followers, "_continues", lambda *_: True)


@found_by("I4")
def a_cursor_is_not_looked_at(put: Put) -> None:
    start = followers._start

    def from_the_run(snapshot: Snapshot, _: int) -> int:
        return start(snapshot, 0)

    put(followers, "_start", from_the_run)


@found_by("I4")
def a_cursor_is_judged_by_old_news(put: Put) -> None:
    async def known(self: followers.Follower, _: int) -> Snapshot | None:
        return self.snapshot

    put(followers.Follower, "reaching", known)


@found_by("I7")
def a_key_is_not_looked_at(put: Put) -> None:
    id_of = JobEngine._id_of

    def new_each_time(self: JobEngine, new: NewJob) -> str:
        return id_of(self, replace(new, key=None))

    put(JobEngine, "_id_of", new_each_time)


@found_by("I8")
def everybody_owns_everything(put: Put) -> None:
    async def owned(self: JobEngine, _: str, job_id: str, __: str | None = None) -> Job:
        job = await self._store.get(job_id)
        assert job is not None
        return job

    put(JobEngine, "_owned", owned)
