"""One job, watched for a moment: what a look that breaks does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tests.jobs import Clock, new_job

from atelier.jobs.models import Job, Snapshot
from atelier.jobs.watch import Watch


class Elsewhere:
    """A store that says that there is news of another process, and whose first look breaks."""

    def __init__(self, job: Job) -> None:
        self.job, self.looks = job, 0
        self.tell: Callable[[Snapshot | None], None] = lambda _: None

    def listen(self, job_id: str, told: Callable[[Snapshot | None], None]) -> Callable[[], None]:  # noqa: ARG002
        self.tell = told
        return lambda: None

    async def get(self, job_id: str) -> Job:  # noqa: ARG002
        self.looks += 1
        if self.looks == 1:
            raise ValueError("A fault of ours.")
        return self.job


async def test_a_look_that_breaks_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    store = Elsewhere(new_job(Clock()()))
    with Watch(store, "job-1") as watch:  # type: ignore[arg-type]
        met = watch.until(lambda _: True)
        store.tell(None)
        while "watch_broke" not in caplog.messages:
            await asyncio.sleep(0.01)
        store.tell(None)
        assert await asyncio.wait_for(met, 60) is store.job
    assert store.looks == 2
