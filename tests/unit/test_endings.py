"""Answers about ended jobs are written once, and no more of them are kept than fit."""

from __future__ import annotations

import pytest
from tests.jobs import Clock, new_job

from atelier.api import endings
from atelier.api.endings import Endings
from atelier.jobs.estimates import Outlook
from atelier.jobs.models import Snapshot


class Dialect:
    """Says a job's title, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def to_status(self, snapshot: Snapshot, _: Outlook | None, base: str) -> dict[str, str]:
        self.asked += 1
        return {"text": base + snapshot.job.title}


@pytest.fixture
def dialect() -> Dialect:
    return Dialect()


def test_an_answer_is_written_once_for_a_version_and_an_address(dialect: Dialect, clock: Clock) -> None:
    kept, job = Endings(dialect.to_status), new_job(clock(), title="A")
    for _ in range(3):
        assert kept.body(Snapshot(job=job), "http://a/") == b'{"text":"http://a/A"}'
    assert dialect.asked == 1
    kept.body(Snapshot(job=job), "http://b/")
    kept.body(Snapshot(job=job.changed({"rev": 7, "title": "B"})), "http://a/")
    assert dialect.asked == 3


def test_long_answers_are_forgotten_sooner(dialect: Dialect, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "BYTES", 1000)
    kept = Endings(dialect.to_status)
    jobs = [new_job(clock(), f"job-{number}", title="x" * 300) for number in range(4)]
    for job in (*jobs, *jobs[1:]):
        kept.body(Snapshot(job=job), "")
    assert dialect.asked == 4, "three fit"
    kept.body(Snapshot(job=jobs[0]), "")
    assert dialect.asked == 5
    huge = new_job(clock(), "job-9", title="x" * 5000)
    for _ in range(2):
        assert len(kept.body(Snapshot(job=huge), "")) > 5000
    assert dialect.asked == 7, "what is larger than all of it is not kept"
