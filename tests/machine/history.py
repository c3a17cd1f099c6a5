"""What was written, in the order of commits, and what must be so of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime
from itertools import pairwise
from typing import Any
from unittest import mock

from tests.machine.script import Scripted

from atelier.jobs import lifecycle
from atelier.jobs.events import Advanced, Claimed, Event, Failed, Retried, Snoozed
from atelier.jobs.models import CANCEL_GRACE, Job, Record, Snapshot, Status
from atelier.jobs.ports import process_of

STAGES = [one.name for one in Scripted.stages]


class History:
    """Hears every change the one state machine makes, and judges it as it happens."""

    def __init__(self, dead: Callable[[], frozenset[str]]) -> None:
        self.writer = ""
        """The process whose store is at work."""
        self.wrongs: list[str] = []
        self.touched: set[str] = set()
        self.present: dict[str, Job] = {}
        self.given_back: Counter[tuple[str, int]] = Counter()
        """How often a run gave its attempt back because its process was stopping, by job and run."""
        self._dead = dead
        self._patches = ExitStack()

    def begin(self) -> None:
        """Listen in."""
        play, touch = lifecycle.play, lifecycle.touch

        def heard_play(job: Job, events: Iterable[Event], now: datetime) -> tuple[Job, tuple[Record, ...]]:
            happened = tuple(events)
            after, records = play(job, happened, now)
            if job.rev > 0:  # a creation is not in the file yet
                self._changed(job, happened, after, now)
            return after, records

        def heard_touch(job: Job, *, fence: int, **given: Any) -> Job:
            after = touch(job, fence=fence, **given)
            self._must(fence == job.fence, "I3: a renewal carries the present fence", job, after)
            self._must(job.status is Status.PROCESSING, "I2: only what runs is renewed", job, after)
            self._continues(job, after)
            return after

        self._patches.enter_context(mock.patch.object(lifecycle, "play", heard_play))
        self._patches.enter_context(mock.patch.object(lifecycle, "touch", heard_touch))

    def end(self) -> None:
        """Listen no more."""
        self._patches.close()

    def forget(self, job_id: str) -> None:
        """The job was deleted."""
        self.present.pop(job_id, None)
        self.touched.discard(job_id)

    def _changed(self, before: Job, events: tuple[Event, ...], after: Job, now: datetime) -> None:
        self._continues(before, after)
        claims = sum(isinstance(event, Claimed) for event in events)
        self._must(
            after.fence == before.fence + claims, "I3: a claim, and nothing else, takes the next fence", before, after
        )
        for event in events:
            if isinstance(event, Advanced):
                fence = int(event.data["key"].rpartition("-")[2])
                self._must(fence == before.fence, "I3: an accepted write carries the present fence", before, after)
            if isinstance(event, Snoozed) and event.reason is None:
                self.given_back[before.id, before.run] += 1
        if before.status is Status.PROCESSING and before.worker != after.worker:
            self._let_go(before, events, after, now)
        if before.cancel_requested_at is not None and after.status.terminal and after.run == before.run:
            self._must(after.status is Status.CANCELLED, "a requested cancel is how it ends", before, after)

    def _let_go(self, before: Job, events: tuple[Event, ...], after: Job, now: datetime) -> None:
        """A worker no longer holds the job: by its own word, because its lease was over, or because time was up."""
        holder = process_of(before.worker or "")
        live = before.lease_until is not None and before.lease_until > now and holder not in self._dead()
        by_its_word = self.writer == holder and not any(_takes(event) for event in events)
        asked = before.cancel_requested_at
        time_is_up = before.must_finish_by <= now or (asked is not None and asked + CANCEL_GRACE <= now)
        self._must(not live or by_its_word or time_is_up, "I3: a live lease is not taken", before, after)

    def _continues(self, before: Job, after: Job) -> None:
        known = self.present.get(before.id)
        self._must(known is None or known == before, "what was decided on is what was written last", known, before)
        again = after.run == before.run + 1 and before.status is not Status.COMPLETED and not before.removing
        self._must(
            not before.status.terminal or again or _marked(before, after),
            "I2: nothing changes after the end but by a person's retry, or the mark that it is to go",
            before,
            after,
        )
        self._must(
            after.run > before.run or after.progress >= before.progress, "I4: the bar never falls", before, after
        )
        self.present[after.id] = after
        self.touched.add(after.id)

    def _must(self, so: bool, rule: str, before: object, after: object) -> None:  # noqa: FBT001 - reads as a sentence
        if not so:
            self.wrongs.append(f"{rule}; {self.writer} wrote\n  {after}\nover\n  {before}")


def _takes(event: Event) -> bool:
    """Whether an event says that somebody else took the job, or that its worker was lost."""
    lost = isinstance(event, Retried | Failed) and event.fault.code == "worker_lost"
    return isinstance(event, Claimed) or lost


def judge_log(snapshot: Snapshot, *, kept: bool) -> None:
    """I2, I4 and I6 for one job as it lies in the file, where a result is kept or not."""
    job, records = snapshot.job, snapshot.records
    assert [record.seq for record in records] == list(range(1, job.seq + 1)), "I4: numbers without gaps"
    for before, after in pairwise(records):
        assert after.run >= before.run, "I4: runs in order"
        if after.run == before.run:
            assert not before.status.terminal, "I2: one end for each run, its last record"
            assert after.progress >= before.progress, "I4: the bar never falls"
        else:
            assert before.status.terminal, "I2: a run begins behind another's end"
    assert records[-1].status.terminal == job.status.terminal, "I4: an end is a record"
    marks = [int(record.data["key"].rpartition("-")[2]) for record in records if "key" in record.data]
    assert marks == sorted(marks), "I3: fences never decrease in the log"
    completed = job.status is Status.COMPLETED
    assert completed == (snapshot.result is not None) == kept, "I6: a result means completed"
    if snapshot.result is not None:
        assert snapshot.result["by"] == job.fence, "I3: the result is the present claim's"
        assert snapshot.result["drawn_by"] > 0, "every stage was done"
        entered = {record.stage for record in records}
        assert entered >= {"queued", *STAGES, "completed"}, "I4: every stage is in the log"


def _marked(before: Job, after: Job) -> bool:
    """Whether nothing changed but that the job is to be removed, or is not any more."""
    return after == before.changed({"removing": after.removing, "rev": after.rev, "updated_at": after.updated_at})
