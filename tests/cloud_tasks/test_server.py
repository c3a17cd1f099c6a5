"""The test's Cloud Tasks does what Google's is known to do: or what it shows of ours is worth nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound, ServiceUnavailable
from google.cloud.tasks_v2 import CloudTasksAsyncClient, HttpMethod, HttpRequest, OidcToken, Queue, RateLimits, Task
from starlette.responses import Response
from tests.cloud_tasks.issuer import EMAIL
from tests.cloud_tasks.receiver import Received, Receiver
from tests.cloud_tasks.server import QUEUE, CloudTasks


def task(receiver: Receiver, name: str = "", queue: str = QUEUE, **fields: Any) -> Task:
    request = {"url": receiver.url, "body": b'{"n": 1}', "headers": {"X-Own": "1"}, **fields.pop("request", {})}
    return Task(name=f"{queue}/tasks/{name}" if name else "", http_request=HttpRequest(**request), **fields)


async def make(client: CloudTasksAsyncClient, made: Task, queue: str = QUEUE) -> Task:
    return await client.create_task(parent=queue, task=made, timeout=60, retry=None)


async def gone(client: CloudTasksAsyncClient, name: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await client.get_task(name=f"{QUEUE}/tasks/{name}", timeout=60, retry=None)
            except NotFound:
                return
            await asyncio.sleep(0.01)


async def test_a_task_is_delivered_once_with_its_headers(client: CloudTasksAsyncClient, receiver: Receiver) -> None:
    await make(client, task(receiver, "one"))
    await gone(client, "one")
    (got,) = receiver.received
    assert got.body == {"n": 1}
    named = {name: value for name, value in got.headers.items() if name.startswith("x-") and "eta" not in name}
    assert named == {
        "x-own": "1", "x-cloudtasks-queuename": "jobs", "x-cloudtasks-taskname": "one",
        "x-cloudtasks-taskretrycount": "0", "x-cloudtasks-taskexecutioncount": "0",
    }  # fmt: skip
    assert float(got.headers["x-cloudtasks-tasketa"]) == pytest.approx(time.time(), abs=60)
    assert got.headers["user-agent"] == "Google-Cloud-Tasks"


async def test_counts_leave_out_5xx_and_redirects_are_failures(
    client: CloudTasksAsyncClient, receiver: Receiver
) -> None:
    receiver.answers += [Response(status_code=code) for code in (503, 404, 429, 500, 302)]
    await make(client, task(receiver, "one"))
    await gone(client, "one")
    told = [[got.headers.get(f"x-cloudtasks-task{name}") for got in receiver.received] for name in
            ("retrycount", "executioncount", "previousresponse")]  # fmt: skip
    assert told[0] == ["0", "1", "2", "3", "4", "5"]
    assert told[1] == ["0", "0", "1", "2", "2", "3"]
    assert told[2] == [None, "503", "404", "429", "500", "302"]


async def test_a_name_is_taken_while_its_task_lives_and_after(
    client: CloudTasksAsyncClient, receiver: Receiver
) -> None:
    await make(client, task(receiver, "one"))
    await gone(client, "one")
    with pytest.raises(AlreadyExists):
        await make(client, task(receiver, "one"))
    await make(client, task(receiver, "two", schedule_time=datetime.now(UTC) + timedelta(hours=1)))
    await client.delete_task(name=f"{QUEUE}/tasks/two", timeout=60, retry=None)
    with pytest.raises(AlreadyExists):
        await make(client, task(receiver, "two"))
    with pytest.raises(NotFound, match="existed recently"):
        await client.get_task(name=f"{QUEUE}/tasks/two", timeout=60, retry=None)
    with pytest.raises(NotFound, match="not found"):
        await client.get_task(name=f"{QUEUE}/tasks/three", timeout=60, retry=None)
    assert len(receiver.received) == 1


BAD: list[dict[str, Any]] = [
    {"name": "a b"}, {"name": "a/b"}, {"name": "a" * 501}, {"name": "x", "queue": QUEUE + "2"},
    {"request": {"url": "ftp://127.0.0.1/"}}, {"request": {"url": "http://127.0.0.1/" + "a" * 2083}},
    {"request": {"http_method": HttpMethod.GET}}, {"request": {"headers": {"X-CloudTasks-TaskName": "x"}}},
    {"request": {"headers": {"Host": "x"}}}, {"request": {"body": b"a" * 102_400}},
    {"request": {"oidc_token": OidcToken(service_account_email="nobody")}},
    {"dispatch_deadline": timedelta(seconds=14)}, {"dispatch_deadline": timedelta(seconds=1801)},
    {"schedule_time": datetime(2100, 1, 1, tzinfo=UTC)},
]  # fmt: skip


async def test_what_google_refuses_is_refused(client: CloudTasksAsyncClient, receiver: Receiver) -> None:
    for fields in BAD:
        with pytest.raises(InvalidArgument):
            await make(client, task(receiver, **fields))


async def test_an_unknown_queue_is_not_found(client: CloudTasksAsyncClient, receiver: Receiver) -> None:
    with pytest.raises(NotFound, match="Queue does not exist"):
        await make(client, task(receiver), QUEUE + "2")


async def test_pauses_double_then_grow_evenly_and_heed_retry_after(
    client: CloudTasksAsyncClient, receiver: Receiver, server: CloudTasks
) -> None:
    server.configure(min_backoff=2, max_backoff=10, max_doublings=1)
    again = Response(status_code=503, headers={"Retry-After": "20"})
    receiver.answers += [Response(status_code=500) for _ in range(4)] + [again]
    moments: list[float] = []

    async def note(_: Received) -> Response:
        moments.append(time.monotonic())
        return receiver.answers.pop(0) if receiver.answers else Response()

    receiver.act = note
    await make(client, task(receiver, "one"))
    await gone(client, "one")
    pauses = [(later - sooner) * 20 for sooner, later in pairwise(moments)]
    for pause, least in zip(pauses, (2, 4, 8, 10, 20), strict=True):
        assert pause >= least


async def test_a_task_is_given_up_after_its_attempts(
    client: CloudTasksAsyncClient, receiver: Receiver, server: CloudTasks
) -> None:
    server.configure(max_attempts=3)
    receiver.answers += [Response(status_code=500) for _ in range(9)]
    await make(client, task(receiver, "one"))
    await gone(client, "one")
    assert len(receiver.received) == 3
    assert server.queue.given_up == [f"{QUEUE}/tasks/one"]


async def test_a_delivery_beyond_its_deadline_is_repeated_while_the_first_goes_on(
    client: CloudTasksAsyncClient, receiver: Receiver
) -> None:
    again = asyncio.Event()

    async def until_it_comes_again(_: Received) -> Response:
        if len(receiver.received) == 1:
            await again.wait()
        again.set()
        return Response()

    receiver.act = until_it_comes_again
    await make(client, task(receiver, "one", dispatch_deadline=timedelta(seconds=15)))
    await gone(client, "one")
    assert len(receiver.received) == 2
    assert receiver.received[1].headers["x-cloudtasks-taskpreviousresponse"] == "504"
    assert receiver.received[1].headers["x-cloudtasks-taskexecutioncount"] == "0"


async def test_no_more_at_once_nor_in_a_second_than_allowed(
    client: CloudTasksAsyncClient, receiver: Receiver, server: CloudTasks
) -> None:
    limits = RateLimits(max_concurrent_dispatches=2, max_dispatches_per_second=8)
    server.add(Queue(name=QUEUE + "2", rate_limits=limits))
    under_way, most = 0, 0

    async def slow(_: Received) -> Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        while most < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)
        under_way -= 1
        return Response()

    receiver.act = slow
    await client.pause_queue(name=QUEUE + "2", timeout=60, retry=None)
    for _ in range(12):
        await make(client, task(receiver, queue=QUEUE + "2"), QUEUE + "2")
    began = time.monotonic()
    await client.resume_queue(name=QUEUE + "2", timeout=60, retry=None)
    await receiver.until(12)
    assert most == 2
    assert time.monotonic() - began >= 1


async def test_a_schedule_is_kept_and_run_hurries(client: CloudTasksAsyncClient, receiver: Receiver) -> None:
    due = datetime.now(UTC) + timedelta(seconds=0.4)
    await make(client, task(receiver, "soon", schedule_time=due))
    await make(client, task(receiver, "late", schedule_time=due + timedelta(hours=1)))
    await receiver.until(1)
    assert datetime.now(UTC) >= due
    await client.run_task(name=f"{QUEUE}/tasks/late", timeout=60, retry=None)
    await receiver.until(2)


async def test_a_paused_queue_delivers_nothing_and_a_purged_one_forgets(
    client: CloudTasksAsyncClient, receiver: Receiver
) -> None:
    paused = await client.pause_queue(name=QUEUE, timeout=60, retry=None)
    assert paused.state is Queue.State.PAUSED
    for name in ("one", "two"):
        await make(client, task(receiver, name))
    listed = [one async for one in await client.list_tasks(parent=QUEUE, timeout=60, retry=None)]
    assert [one.name.rpartition("/")[2] for one in listed] == ["one", "two"]
    assert {one.http_request.body for one in listed} == {b""}, "bodies are in the full view only"
    await client.purge_queue(name=QUEUE, timeout=60, retry=None)
    await client.resume_queue(name=QUEUE, timeout=60, retry=None)
    await make(client, task(receiver, "three"))
    await gone(client, "three")
    assert len(receiver.received) == 1


async def test_faults(client: CloudTasksAsyncClient, receiver: Receiver, server: CloudTasks) -> None:
    server.faults.creates_fail_before = 1
    with pytest.raises(ServiceUnavailable):
        await make(client, task(receiver, "one"))
    server.faults.creates_fail_after = 1
    with pytest.raises(ServiceUnavailable):
        await make(client, task(receiver, "one"))
    await gone(client, "one")
    assert len(receiver.received) == 1
    server.faults.duplicates = 2
    await make(client, task(receiver, "two"))
    await gone(client, "two")
    assert len(receiver.received) == 4
    server.faults.duplicates, server.faults.lose_acks = 0, 1
    await make(client, task(receiver, "three"))
    await gone(client, "three")
    assert len(receiver.received) == 6
    server.faults.unavailable = True
    with pytest.raises(ServiceUnavailable):
        await make(client, task(receiver, "four"))


async def test_deliveries_carry_a_signed_token(
    client: CloudTasksAsyncClient, receiver: Receiver, server: CloudTasks
) -> None:
    token = OidcToken(service_account_email=EMAIL, audience="https://worker.example")
    await make(client, task(receiver, "one", request={"oidc_token": token}))
    await gone(client, "one")
    scheme, _, carried = receiver.received[0].headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    claims = json.loads(decoded(carried.split(".")[1]))
    assert (claims["aud"], claims["email"]) == ("https://worker.example", EMAIL)
    assert server.issuer.asked == 0


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "===")
