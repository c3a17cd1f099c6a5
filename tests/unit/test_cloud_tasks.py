"""What the Cloud Tasks queue makes, and what it makes of trouble."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud.tasks_v2 import Task
from tests.cloud_tasks.issuer import EMAIL, Issuer
from tests.cloud_tasks.receiver import Receiver
from tests.cloud_tasks.server import QUEUE, CloudTasks
from tests.jobs import Clock, new_job

from atelier.errors import QueueUnavailable
from atelier.jobs.models import Job, Status
from atelier.jobs.ports import Ready
from atelier.queues import cloud_tasks
from atelier.queues.cloud_tasks import CloudTasksQueue, Target

HOUR = timedelta(hours=1)


class Desk:
    """A queue on a paused server: what it makes stays to be looked at."""

    def __init__(self, server: CloudTasks, url: str, clock: Clock) -> None:
        self.server, self.url, self.clock = server, url, clock
        self.queue = self.another()

    def another(self, queue: str = QUEUE) -> CloudTasksQueue:
        target = Target(url=self.url, email=EMAIL, audience="worker", longest=timedelta(minutes=30))
        return CloudTasksQueue(queue=queue, target=target, endpoint=self.server.endpoint, now=self.clock)

    def job(self, **fields: object) -> Job:
        now = self.clock()
        return new_job(now, "job-1", **{"status": Status.QUEUED, "dispatch": 1, "run_at": now, **fields})

    def ready(self, dispatch: int) -> Ready:
        return Ready(job_id="job-1", dispatch=dispatch, created_at=self.clock())

    @property
    def made(self) -> dict[str, Task]:
        """The tasks that are there, by name without place, hash, and when the job was made."""
        return {named(name): held.task for name, held in self.server.queue.held.items()}


def named(name: str) -> str:
    return re.sub(r"^[0-9a-f]{8}-job-1-[0-9a-f]{13}", "job-1", name.partition("/tasks/")[2])


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = Clock()
    clock.moment = datetime.now(UTC)
    async with Receiver().serving() as receiver, CloudTasks(Issuer()).serving() as server:
        server.queue.pause()
        desk = Desk(server, receiver.url, clock)
        yield desk
        await desk.queue.close()


async def test_a_dispatch_is_a_task_with_a_token_and_a_deadline(desk: Desk) -> None:
    job = desk.job(run_at=desk.clock() + HOUR)
    await desk.queue.dispatch(job)
    assert desk.made.keys() == {"job-1-1", f"job-1-1-by-{-int(-job.must_finish_by.timestamp() // 1)}"}
    made = desk.made["job-1-1"]
    assert re.fullmatch(QUEUE + r"/tasks/[0-9a-f]{8}-job-1-[0-9a-f]{13}-1", made.name)
    assert json.loads(made.http_request.body) == {"job_id": "job-1", "dispatch": 1, "kind": "image"}
    assert dict(made.http_request.headers) == {"Content-Type": "application/json"}
    token = made.http_request.oidc_token
    assert (token.service_account_email, token.audience) == (EMAIL, "worker")
    assert made.schedule_time == job.run_at
    assert made.dispatch_deadline == timedelta(minutes=30)


async def test_names_begin_with_anything(desk: Desk) -> None:
    for number in range(1, 17):
        await desk.queue.dispatch(desk.job(attempt=1, dispatch=number))
    begins = {name.partition("/tasks/")[2][0] for name in desk.server.queue.held}
    assert len(begins) > 5, "names in a row slow a queue down"


async def test_the_deadline_has_a_task_of_its_own_for_each_run_and_move(desk: Desk) -> None:
    job = desk.job()
    await desk.queue.dispatch(job)
    await desk.queue.dispatch(replace(job, dispatch=2, attempt=1))
    moved = replace(job, dispatch=3, attempt=0, must_finish_by=job.must_finish_by + HOUR)
    await desk.queue.dispatch(moved)
    deadlines = {name: task for name, task in desk.made.items() if "-by-" in name}
    assert len(deadlines) == 2
    assert {task.schedule_time for task in deadlines.values()} == {job.must_finish_by, moved.must_finish_by}
    assert {task.http_request.body for task in deadlines.values()} == {
        b'{"job_id": "job-1", "dispatch": 0, "kind": "image"}'
    }
    assert desk.server.calls.count("CreateTask") == 5, "none for an attempt after the first"


async def test_a_time_too_far_is_carried_as_far_as_can_be(desk: Desk) -> None:
    later = desk.clock() + timedelta(days=90)
    await desk.queue.dispatch(desk.job(run_at=later, must_finish_by=later))
    assert {task.schedule_time for task in desk.made.values()} == {desk.clock() + timedelta(days=29)}


@pytest.mark.parametrize("fault", ["creates_fail_before", "creates_fail_after"])
async def test_a_call_whose_end_is_unknown_is_made_again(desk: Desk, fault: str) -> None:
    setattr(desk.server.faults, fault, 2)
    await desk.queue.dispatch(desk.job(attempt=1))
    assert desk.made.keys() == {"job-1-1"}
    assert not await desk.queue.lost([desk.ready(1)])


@pytest.mark.parametrize(
    "says", ["ABORTED", "CANCELLED", "DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED", "UNKNOWN"]
)
async def test_what_passes_is_tried_again_at_once(desk: Desk, caplog: pytest.LogCaptureFixture, says: str) -> None:
    desk.server.faults.says, desk.server.faults.creates_fail_before = says, 1
    await desk.queue.dispatch(desk.job(attempt=1))
    assert desk.made.keys() == {"job-1-1"}
    assert "dispatch_refused" not in caplog.messages


async def test_a_job_is_not_refused_because_cloud_tasks_is_down(
    desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud_tasks, "REST_SECONDS", 0.3)
    desk.server.faults.unavailable = True
    await desk.queue.dispatch(desk.job(attempt=1))
    await desk.queue.dispatch(desk.job(attempt=1, dispatch=2))
    assert desk.server.calls.count("CreateTask") == 3, "who comes next does not wait for a server that is down"
    assert caplog.messages.count("dispatch_not_carried") == 2
    await desk.queue.withdraw(desk.job(attempt=1))
    assert "DeleteTask" not in desk.server.calls, "nor does who cancels"
    with pytest.raises(QueueUnavailable):
        await desk.queue.ping()
    desk.server.faults.unavailable = False
    assert not await desk.queue.lost([desk.ready(1)]), "not asked for while it rests"
    await asyncio.sleep(0.4)
    assert await desk.queue.lost([desk.ready(1)]) == [desk.ready(1)]
    await desk.queue.dispatch(desk.job(attempt=1, dispatch=3))
    assert desk.made.keys() == {"job-1-3"}


async def test_a_server_that_hangs_is_not_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_tasks, "TRY_SECONDS", 0.5)
    monkeypatch.setattr(cloud_tasks, "AT_ONCE", 4)
    desk.server.faults.hangs = True
    queue = desk.another()
    async with asyncio.timeout(12):  # all together: who waits for his turn waits no longer
        await asyncio.gather(*(queue.dispatch(desk.job(attempt=1, dispatch=number)) for number in range(1, 200)))
        await queue.withdraw(desk.job())
        assert not await queue.lost([desk.ready(1)])
    await queue.close()


async def test_what_cannot_be_asked_for_is_not_known_to_be_lost(desk: Desk) -> None:
    desk.server.faults.unavailable = True
    assert not await desk.queue.lost([desk.ready(1)])


async def test_what_is_refused_is_told_and_rests(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    queue = desk.another(QUEUE + "-unknown")
    await queue.dispatch(desk.job(attempt=1))
    assert caplog.messages.count("dispatch_refused") == 1
    assert not await queue.lost([desk.ready(1)])
    with pytest.raises(QueueUnavailable, match="NotFound"):
        await queue.ping()
    await queue.close()


async def test_the_truth_is_told_of_many(desk: Desk) -> None:
    for number in range(1, 121):
        await desk.queue.dispatch(desk.job(attempt=1, dispatch=number))
    asked = [desk.ready(number) for number in range(61, 181)]
    assert await desk.queue.lost(asked) == asked[60:]
    desk.server.queue.purge()
    assert await desk.queue.lost(asked) == asked


async def test_a_dispatch_that_was_lost_is_not_made_again_under_its_name(desk: Desk) -> None:
    job = desk.job(attempt=1)
    await desk.queue.dispatch(job)
    desk.server.queue.purge()
    await desk.queue.dispatch(job)
    assert not desk.made
    await desk.queue.dispatch(replace(job, dispatch=2))
    assert desk.made.keys() == {"job-1-2"}, "the next number is another name"


async def test_a_job_that_is_made_again_has_tasks_of_its_own(desk: Desk) -> None:
    """It has the id of the one that was removed, and begins at the first dispatch again."""
    job = desk.job()
    await desk.queue.dispatch(job)
    desk.server.queue.purge()
    again = replace(job, created_at=job.created_at + timedelta(microseconds=1))
    asked = [replace(desk.ready(1), created_at=again.created_at)]
    assert await desk.queue.lost(asked) == asked
    await desk.queue.dispatch(again)
    assert len(desk.made) == 2, "the names of the first one's tasks are remembered"
    assert not await desk.queue.lost(asked)
    await desk.queue.withdraw(job)
    assert len(desk.made) == 2, "they are not taken for the first one's"
    await desk.queue.withdraw(again)
    assert not desk.made


async def test_a_run_that_was_opened_in_the_second_of_a_cancel_has_a_deadline(desk: Desk) -> None:
    job = desk.job(must_finish_by=desk.clock().replace(microsecond=1) + HOUR)
    await desk.queue.dispatch(job)
    await desk.queue.withdraw(job)
    later = job.must_finish_by + timedelta(milliseconds=300)
    await desk.queue.dispatch(replace(job, run=2, dispatch=2, must_finish_by=later))
    assert [task.schedule_time for name, task in desk.made.items() if "-by-" in name] == [later]


async def test_a_job_of_an_earlier_version_is_handed_over_once_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one named its tasks by id and number only; the delivery of such a task is a stale one by then."""
    earlier = desk.another()
    monkeypatch.setattr(earlier, "_name_of", lambda ready: earlier._name(f"{ready.job_id}-{ready.dispatch}"))
    job = desk.job(attempt=1)
    await earlier.dispatch(job)
    assert await desk.queue.lost([desk.ready(1)]) == [desk.ready(1)]
    await desk.queue.dispatch(replace(job, dispatch=2))
    assert not await desk.queue.lost([desk.ready(2)])
    await earlier.close()


async def test_both_tasks_of_a_cancelled_job_are_withdrawn(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    job = desk.job(run_at=desk.clock() + HOUR)
    await desk.queue.dispatch(job)
    await desk.queue.withdraw(job)
    assert not desk.made
    caplog.set_level("INFO")
    await desk.queue.withdraw(job)
    assert "dispatch_not_withdrawn" not in caplog.messages, "what is gone needs no withdrawing"
    before = len(desk.server.calls)
    await desk.queue.withdraw(replace(job, dispatch=0))
    assert len(desk.server.calls) == before, "what was never dispatched has no tasks"


async def test_a_server_that_comes_back_is_found_soon(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_tasks, "REST_SECONDS", 0.1)
    down = CloudTasks(Issuer())
    async with down.serving():
        queue = CloudTasksQueue(queue=QUEUE, target=desk.queue._target, endpoint=down.endpoint, now=desk.clock)
        await queue.ping()
    await queue.dispatch(desk.job(attempt=1))
    await asyncio.sleep(0.2)
    began = time.monotonic()
    again = CloudTasks(Issuer())
    again.port = down.port
    async with again.serving() as back:
        back.queue.pause()
        async with asyncio.timeout(60):
            while not back.queue.held:
                await queue.dispatch(desk.job(attempt=1, dispatch=int((time.monotonic() - began) * 1000) + 10))
                await asyncio.sleep(0.1)
        await queue.close()
