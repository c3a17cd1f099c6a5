"""Two instances on one Firestore, one Cloud Tasks and one Cloudinary: one dies, or a service they share does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from tests.history import Event, History
from tests.images import ROOT, events_of
from tests.loopback_cloudinary import Cloudinary
from tests.process.faults import Calls, Constants, Fuse
from tests.process.pairs import UNLOST, CloudPair
from tests.process.servers import FAULTY, Server, free_port

QUICK: dict[str, Any] = {"scenario": "ok"}
ANSWER_SECONDS = 15
"""Within which everything is answered, whatever hangs behind it."""

PATIENT: dict[str, Any] = {"silence": 60, "within": 120}
HASTY: dict[str, Any] = {
    "stores__firestore__calls__CALL_SECONDS": 2,
    "stores__firestore__calls__ONCE": {"timeout": 2},
    "stores__firestore__calls__OPERATION_SECONDS": 4,
}
"""What the store's calls are given outside of tests."""


def slow(seconds: float) -> dict[str, Any]:
    return {"scenario": "slow", "seconds": seconds}


def once(_: dict[str, Any]) -> int:
    """Allow one order for a job."""
    return 1


class Instances:
    """Two servers, what they share, and their clients."""

    def __init__(self, cloud: CloudPair, pictures: Cloudinary) -> None:
        self.cloud, self.pictures, self.ports = cloud, pictures, (free_port(), free_port())
        self.calls, self.constants, self.fuse = Calls(cloud.folder), Constants(cloud.folder), Fuse(cloud.folder)

    def serving(self, number: int, **settings: Any) -> AbstractAsyncContextManager[Server]:
        shape = {
            "script": FAULTY, "sweep_seconds": 0.3, "retry_base_seconds": 0.2, "max_attempts": 20, "slots__image": 8,
            "storage__kind": "cloudinary", "storage__url": self.pictures.url,
            "storage__upload_prefix": self.pictures.base,
        }  # fmt: skip
        return self.cloud.running(port=self.ports[number], **{**shape, **settings})

    def history(self) -> History:
        return History(*self.ports, fetch=self._picture)

    async def _picture(self, _: httpx.AsyncClient, url: str) -> bytes | None:
        """Take a picture from Cloudinary by its public id, which stands in the address behind the version."""
        name = url.partition("/image/upload/")[2].partition("/")[2].rpartition(".")[0]
        asset = self.pictures.assets.get(name)
        return asset.data if asset is not None else None


@pytest.fixture
async def instances(cloud: CloudPair) -> AsyncIterator[Instances]:
    async with Cloudinary().serving() as pictures:
        yield Instances(cloud, pictures)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def until_called(calls: Calls, number: int) -> None:
    await until(lambda: len(calls.read()) >= number)


def claims(server: Server) -> int:
    return server.log.read_text().count('"job_claimed"')


async def test_a_stream_outlives_the_process_that_draws(instances: Instances) -> None:
    """Submitted to one, run by the other, which is killed: the stream at the first is never cut, and tells everything once."""
    async with instances.history() as history, instances.serving(0, **UNLOST) as one, instances.serving(1) as two:
        instances.cloud.leave(instances.ports[0])
        instances.fuse.hold()
        order: dict[str, Any] = {"prompt": f"Picture 0 of {history.name}", "blog_id": history.name, "sandbox": QUICK}
        job_id = (await one.client.post(f"{ROOT}/generate", json=order)).json()["job_id"]
        history.acknowledged[job_id] = order["prompt"]
        history.watch(job_id)
        path = f"{ROOT}/jobs/{job_id}/stream"
        stream = Stream(one, job_id)
        watching = asyncio.create_task(stream.read())
        await until(lambda: "generating" in stream.stages)
        await two.signal(signal.SIGKILL)
        assert (claims(one), claims(two) > 0) == (0, True)
        instances.fuse.let_go()
        instances.cloud.join(instances.ports[0])
        await watching
        jobs = await history.judge(one.client, instances.calls.read())
        log = [(line["seq"], line["stage"], line["timestamp"]) for line in jobs[job_id]["progress_updates"]]
        told = [(number, event["stage"], event["timestamp"]) for number, event in stream.records]
        assert told == log
        for cursor in range(1, len(log)):
            rest = events_of((await one.client.get(path, headers={"Last-Event-ID": str(cursor)})).text)
            assert [number for number, event in rest if "max_attempts" not in event] == list(
                range(cursor + 1, len(log) + 1)
            )
    assert (jobs[job_id]["status"], claims(one)) == ("completed", 1)
    assert jobs[job_id]["attempt"] == claims(two) + 1, "two, or one more for each lease that a busy machine lost"


@contextlib.contextmanager
def hanging(instances: Instances) -> Iterator[None]:
    """Stop Firestore for the length of the block: it takes what is sent, and answers nothing."""
    process = instances.cloud.emulator.process
    process.send_signal(signal.SIGSTOP)
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)  # until then it goes on answering
        assert os.WIFSTOPPED(status)
        yield
    finally:
        process.send_signal(signal.SIGCONT)


async def refused_in_time(client: httpx.AsyncClient, job_id: str) -> None:
    """See that readers and writers are told to come back before they would think that nobody is there."""
    began = time.monotonic()
    body = {"prompt": "A hill", "sandbox": QUICK}
    answers = await asyncio.gather(
        client.get(f"{ROOT}/jobs/{job_id}"), client.get(f"{ROOT}/jobs"), client.post(f"{ROOT}/generate", json=body)
    )
    assert time.monotonic() - began < ANSWER_SECONDS
    assert [answer.status_code for answer in answers] == [503] * 3
    assert {answer.json()["code"] for answer in answers} == {"store_unavailable"}
    assert all(answer.headers["Retry-After"] for answer in answers)


@pytest.mark.parametrize("seconds", [5, pytest.param(30, marks=pytest.mark.soak)])
async def test_a_store_that_hangs_is_waited_out(instances: Instances, seconds: float) -> None:
    """Streams stay open and ping, others are told to come back; then everybody catches up and nothing is lost."""
    instances.constants.set(api__streams__PING_SECONDS=1, **HASTY)
    async with instances.history() as history, instances.serving(0) as one, instances.serving(1) as two:
        instances.fuse.hold()
        ids = [await history.submit(**PATIENT, sandbox=slow(3)) for _ in range(4)]
        streams = [Stream(server, job_id) for server in (one, two) for job_id in ids]
        watching = [asyncio.create_task(stream.read()) for stream in streams]
        await until_called(instances.calls, 4)
        await until(lambda: all(stream.records for stream in streams))
        with hanging(instances):
            end = time.monotonic() + seconds
            pings = [stream.pings for stream in streams]
            instances.fuse.let_go()
            await asyncio.gather(refused_in_time(one.client, ids[0]), refused_in_time(two.client, ids[1]))
            await asyncio.sleep(max(0.0, end - time.monotonic()))
            await until(lambda: all(stream.pings > before for stream, before in zip(streams, pings, strict=True)))
            assert (await one.client.get("/health")).status_code == 200
        await asyncio.gather(*watching)
        again = [await history.submit(**PATIENT, sandbox=QUICK) for _ in range(4)]
        jobs = await history.judge(two.client, instances.calls.read())
    assert {job["status"] for job in jobs.values()} == {"completed"}
    assert 1 in {jobs[job_id]["attempt"] for job_id in again}, "short leases may be lost, but not all"
    for stream in streams:
        assert [number for number, _ in stream.records] == [
            line["seq"] for line in jobs[stream.job_id]["progress_updates"]
        ]


class Stream:
    """One connection that is read to its end."""

    def __init__(self, server: Server, job_id: str) -> None:
        self.job_id, self.text = job_id, ""
        self._server = server

    @property
    def pings(self) -> int:
        return self.text.count(": ping")

    @property
    def records(self) -> list[Event]:
        """The log as it was told, without what is told between two records."""
        whole = self.text.rpartition("\n\n")[0]
        return [(number, event) for number, event in events_of(whole) if "max_attempts" not in event]

    @property
    def stages(self) -> list[str]:
        return [event["stage"] for _, event in self.records]

    async def read(self) -> None:
        path = f"{ROOT}/jobs/{self.job_id}/stream"
        async with self._server.client.stream("GET", path, timeout=60) as response:
            assert response.status_code == 200
            async for piece in response.aiter_text():
                self.text += piece


@pytest.mark.parametrize("how", ["unavailable", pytest.param("hangs", marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    ("seconds", "patience"), [(2, 2), pytest.param(30, 60, marks=[pytest.mark.soak, pytest.mark.timeout(300)])]
)
async def test_cloud_tasks_is_away(instances: Instances, how: str, seconds: float, patience: float) -> None:
    """Jobs are accepted all the same; whoever sweeps finds what nothing carries, and each is run once."""
    instances.constants.set(
        jobs__sweeper__QUEUE_PATIENCE=patience, queues__cloud_tasks__REST_SECONDS=1, queues__cloud_tasks__TRY_SECONDS=1
    )
    tasks = instances.cloud.tasks
    async with instances.history() as history, instances.serving(0, **UNLOST) as one, instances.serving(1, **UNLOST):
        running = [await history.submit(**PATIENT, sandbox=slow(1)) for _ in range(2)]
        setattr(tasks.faults, how, True)
        tasks.queue.pause()
        away = asyncio.create_task(asyncio.sleep(seconds))
        ids = await asyncio.gather(*(history.submit(**PATIENT, sandbox=QUICK) for _ in range(6)))
        assert not history.refusals, "accepted at once"
        await away
        setattr(tasks.faults, how, False)
        tasks.queue.resume()
        await history.settle(within=patience + 60)
        jobs = await history.judge(one.client, instances.calls.read(), once)
    assert set(jobs) == {*running, *ids}
    assert {(job["status"], job["attempt"]) for job in jobs.values()} == {("completed", 1)}


@pytest.mark.parametrize("how", ["away", *(pytest.param(how, marks=pytest.mark.soak) for how in ("drop", "limit"))])
@pytest.mark.parametrize("seconds", [2, pytest.param(30, marks=[pytest.mark.soak, pytest.mark.timeout(300)])])
async def test_cloudinary_is_away(instances: Instances, how: str, seconds: float) -> None:
    """What is drawn waits in the spool, which the instances share, and is uploaded by whoever takes the job up."""
    usual = {"max_attempts": 3, **UNLOST}
    async with instances.history() as history, instances.serving(0, **usual) as one, instances.serving(1, **usual):
        instances.pictures.always = how
        away = asyncio.create_task(asyncio.sleep(seconds))
        await asyncio.gather(*(history.submit(**PATIENT, sandbox=QUICK) for _ in range(6)))
        await until(lambda: sum(path.endswith("/image/upload") for path in instances.pictures.asked) >= 6)
        await away
        instances.pictures.always = ""
        await history.settle(within=120)
        jobs = await history.judge(one.client, instances.calls.read(), once)
    assert {(job["status"], job["attempt"]) for job in jobs.values()} == {("completed", 1)}, "waiting uses none up"


@pytest.mark.parametrize("crowd", [50, pytest.param(1000, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
async def test_a_crowd_is_run_once(instances: Instances, crowd: int) -> None:
    slots = 8
    how = {**UNLOST, "slots__image": slots}
    async with instances.history() as history, instances.serving(0, **how) as one, instances.serving(1, **how) as two:
        instances.fuse.hold()
        for _ in range(crowd // 50):
            await asyncio.gather(*(history.submit(**PATIENT, sandbox=QUICK) for _ in range(50)))
            await until_called(instances.calls, slots + 1)
            instances.fuse.let_go()
        await history.settle(within=600)
        for server in (one, two):
            jobs = await history.judge(server.client, instances.calls.read(), once)
            assert {(job["status"], job["attempt"]) for job in jobs.values()} == {("completed", 1)}
        assert min(claims(one), claims(two)) > 0, "both had a share"
    assert len(instances.calls.read()) == len(jobs) == crowd
