"""Events that are written once for all who are handed the very same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.jobs import Clock, new_job

from atelier.api import recent_events
from atelier.api.recent_events import RecentEvents
from atelier.jobs.events import Claimed, Queued, StageStarted
from atelier.jobs.lifecycle import play
from atelier.jobs.models import Job, Record, Update


class Scribe:
    """Writes messages that hold all that an event may depend on."""

    def __init__(self) -> None:
        self.recent, self.written = RecentEvents(), 0

    def event(self, update: Update, base: str = "http://a") -> bytes:
        def to_message(told: Update) -> dict[str, Any]:
            self.written += 1
            of_record, job = told.record is not None, told.job.id
            return {"job": job, "of_record": of_record, "ahead": told.ahead, "result": told.result, "base": base}

        return self.recent.event(update, base, to_message)


def told(job_id: str = "job-1") -> tuple[Job, tuple[Record, ...]]:
    now = Clock()()
    entered = StageStarted(stage="drawing", progress=5, message="Drawing", data={})
    return play(new_job(now, job_id), [Queued(run_at=now), Claimed(worker="w", lease_until=now), entered], now)


def test_who_is_handed_the_same_gets_the_same_bytes() -> None:
    scribe, (job, records) = Scribe(), told()
    first = [scribe.event(Update(job=job, record=record)) for record in records]
    assert [event.partition(b"\n")[0] for event in first] == [b"id: 1", b"id: 2"]
    assert [scribe.event(Update(job=job, record=record)) for record in records] == first
    assert scribe.written == 2


def test_whatever_an_event_depends_on_makes_it_another() -> None:
    scribe, (job, (_, record)) = Scribe(), told()
    other, _ = told("job-2")
    update = Update(job=job, record=record)
    updates = [
        update,
        replace(update, record=None),
        replace(update, job=other),
        replace(update, ahead=3),
        replace(update, result={"images": []}),
    ]
    events = [scribe.event(one) for one in updates] + [scribe.event(update, "http://b")]
    assert len(set(events)) == len(events) == scribe.written


def test_a_moment_later_it_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is expected of the job has changed by then."""
    scribe, (job, (_, record)) = Scribe(), told()
    monkeypatch.setattr(recent_events, "MOMENT_SECONDS", -1)
    for _ in range(3):
        scribe.event(Update(job=job, record=record))
    assert scribe.written == 3


def test_only_the_last_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_events, "REMEMBERED", 2)
    scribe = Scribe()
    updates = [Update(job=told(f"job-{number}")[0], record=None) for number in range(3)]
    for update in updates:
        scribe.event(update)
    assert len(scribe.recent._sent) == 2
    scribe.event(updates[0])
    scribe.event(updates[2])
    assert scribe.written == 4
