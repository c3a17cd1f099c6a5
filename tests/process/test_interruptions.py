"""Stopped, told to end, locked out, out of space, restarted again and again: what was acknowledged ends, once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.history import History
from tests.images import ROOT as IMAGES
from tests.live import needs
from tests.process.faults import Calls, Constants, Fuse
from tests.process.pairs import BOTH, UNLOST, Pair
from tests.process.servers import FAULTY, HERE, Process, Server, free_port, ready, running, start
from tests.process.small_disk_server import IMPOSSIBLE

SMALL_DISK = HERE / "small_disk_server.py"
QUICK: dict[str, Any] = {"scenario": "ok"}
SHAPE: dict[str, Any] = {"script": FAULTY, "sweep_seconds": 0.3, "retry_base_seconds": 0.1}
ENDED = {0, -signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM}


def slow(seconds: float) -> dict[str, Any]:
    return {"scenario": "slow", "seconds": seconds}


def dice() -> random.Random:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    return random.Random(seed)


def stages_of(job: dict[str, Any]) -> list[str]:
    return [record["stage"] for record in job["progress_updates"]]


async def until(condition: Callable[[], bool], within: float = 60) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.02)


def called(calls: Calls, number: int) -> bool:
    return len(calls.read()) >= number


def is_locked(store: Path) -> bool:
    connection = sqlite3.connect(store, timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    return False


async def zombies(history: History, pair: Pair, zombie: Server) -> int:
    """Stop a process that draws three jobs as it is about to record that one is drawn.

    From then on pictures are held: whoever draws them next is drawing when the process goes on. How many orders that took.

    A process that stops in the middle of a write keeps the store locked: then it goes on, and is stopped again.
    """
    fuse, calls = Fuse(pair.folder), Calls(pair.folder)
    while True:
        fuse.light("spooled", signal.SIGSTOP)
        fuse.hold()
        before = len(calls.read())
        for _ in range(3):
            await history.submit(watchers=2, silence=60, sandbox=QUICK)
        await until(partial(called, calls, before + 3))
        fuse.let_go()
        await until(lambda: not fuse.lit)
        if pair.in_cloud or not await asyncio.to_thread(is_locked, pair.data / "atelier.db"):
            fuse.hold()
            return len(calls.read())
        zombie.process.send_signal(signal.SIGCONT)
        await history.settle()


async def healthy(history: History, calls: Calls, zombie: Server) -> None:
    """See that the process that was stopped serves and works as ever."""
    assert (await zombie.client.get("/health")).status_code == 200
    again = [await history.submit(sandbox=QUICK) for _ in range(4)]
    jobs = await history.judge(zombie.client, calls.read())
    assert 1 in {jobs[job_id]["attempt"] for job_id in again}, "short leases may be lost, but not all"
    assert {job["status"] for job in jobs.values()} == {"completed"}


async def nothing_runs(server: Server) -> None:
    async with asyncio.timeout(60):
        while "atelier_running_jobs 0.0" not in (await server.client.get("/metrics")).text:
            await asyncio.sleep(0.05)


@BOTH
async def test_a_stopped_process_is_fenced_out(pair: Pair) -> None:
    """STOP beyond the lease, CONT in the middle of another process's runs: the zombie changes nothing.

    The other one does not find the spooled bytes, as on another machine, so that it is drawing when the zombie writes.
    """
    ports, calls, fuse = (free_port(), free_port()), Calls(pair.folder), Fuse(pair.folder)
    shape = {**SHAPE, "lease_seconds": pair.shortest_lease, "max_attempts": 20}
    async with History(*ports) as history, pair.running(port=ports[0], **shape) as zombie:
        try:
            orders = await zombies(history, pair, zombie)
            pair.lose(ports[0])
            for spooled in (pair.data / "spool").glob("*.bytes"):
                spooled.unlink()
            async with pair.running(port=ports[1], **{**shape, **UNLOST}) as other:
                await until(lambda: len(calls.read()) == orders + 3)
                zombie.process.send_signal(signal.SIGCONT)
                await nothing_runs(zombie)
                fuse.let_go()
                jobs = await history.judge(other.client, calls.read())
                assert other.log.read_text().count('"job_claimed"') == 3
                for job in jobs.values():
                    assert stages_of(job).count("uploading") == 1, "what the zombie wanted to write was refused"
        finally:
            zombie.process.send_signal(signal.SIGCONT)
        pair.join(ports[0])
        await healthy(history, calls, zombie)


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_a_process_that_sleeps_a_minute_is_fenced_out(pair: Pair) -> None:
    """Everything has ended elsewhere when it wakes."""
    ports, calls = (free_port(), free_port()), Calls(pair.folder)
    shape = {**SHAPE, "lease_seconds": 10}
    async with History(*ports) as history, pair.running(port=ports[0], **shape) as zombie:
        try:
            await zombies(history, pair, zombie)
            Fuse(pair.folder).let_go()
            pair.lose(ports[0])
            async with pair.running(port=ports[1], **shape) as other:
                minute = asyncio.create_task(asyncio.sleep(60))
                await history.submit(watchers=2, sandbox=QUICK)
                await history.settle()
                await minute
                zombie.process.send_signal(signal.SIGCONT)
                await asyncio.sleep(15)
                jobs = await history.judge(other.client, calls.read())
                assert [job["attempt"] for job in jobs.values()][-4:] == [2, 2, 2, 1]
        finally:
            zombie.process.send_signal(signal.SIGCONT)
        pair.join(ports[0])
        await healthy(history, calls, zombie)


@pytest.mark.parametrize(
    ("crowd", "rounds"), [(10, 3), pytest.param(40, 10, marks=[pytest.mark.soak, pytest.mark.timeout(300)])]
)
async def test_signals_under_load_give_attempts_back(pair: Pair, crowd: int, rounds: int) -> None:
    """Jobs run and wait, streams are open; one signal or two, of both kinds; then the next process."""
    port, calls, fuse, chance = free_port(), Calls(pair.folder), Fuse(pair.folder), dice()
    shape = {**SHAPE, **UNLOST, "grace_seconds": 0.5, "slots__image": 3}
    Constants(pair.folder).set(jobs__runner__RELEASE_WAIT=30)
    async with History(port) as history:
        for number in range(rounds):
            fuse.hold("The long one")
            async with pair.running(port=port, **shape) as server:
                await history.submit(watchers=2, prompt=f"The long one {number} of {history.name}", sandbox=QUICK)
                scripts = [chance.choice([QUICK, slow(1.5)]) for _ in range(crowd // rounds)]
                await asyncio.gather(*(history.submit(watchers=2, sandbox=script) for script in scripts))
                await asyncio.sleep(chance.uniform(0, 0.5))
                first, second = ((signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGTERM))[number % 2]
                server.process.send_signal(first)
                if number % 3:
                    await asyncio.sleep(chance.uniform(0, 0.3))
                    server.process.send_signal(second)
                assert await asyncio.wait_for(server.process.wait(), 60) in ENDED
            fuse.let_go()
        async with pair.running(port=port, **{**shape, "slots__image": 20}) as server:
            jobs = await history.judge(server.client, calls.read(), lambda job: job["attempt"] + rounds)
    assert {(job["status"], job["attempt"]) for job in jobs.values()} == {("completed", 1)}
    assert any(watch.connections > 1 for watch in history.watches), "streams were open"


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGINT, signal.SIGINT), pytest.param((signal.SIGTERM, signal.SIGINT), marks=pytest.mark.soak)],
)
async def test_a_second_signal_gives_every_attempt_back(pair: Pair, signals: tuple[int, int]) -> None:
    """Twenty runs are cut short at once; the process does not leave before that is written, which takes its time."""
    port, calls, fuse = free_port(), Calls(pair.folder), Fuse(pair.folder)
    shape = {**SHAPE, **UNLOST, "grace_seconds": 100, "slots__image": 20}
    Constants(pair.folder).set(jobs__runner__RELEASE_WAIT=30)
    async with History(port) as history:
        async with pair.running(port=port, **shape) as server:
            fuse.hold()
            await asyncio.gather(*(history.submit(silence=60, sandbox=QUICK) for _ in range(20)))
            await until(lambda: len(calls.read()) == 20)
            fuse.sluggish.touch()
            for number in signals:
                server.process.send_signal(number)
                await asyncio.sleep(0.1)
            assert await asyncio.wait_for(server.process.wait(), 60) in ENDED
        fuse.sluggish.unlink()
        fuse.let_go()
        async with pair.running(port=port, **shape) as server:
            jobs = await history.judge(server.client, calls.read(), lambda job: job["attempt"] + 1)
    assert {(job["status"], job["attempt"]) for job in jobs.values()} == {("completed", 1)}


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("pace", [0.0, 3.0])
async def test_a_storm_of_restarts(pair: Pair, pace: float) -> None:
    port, calls, chance = free_port(), Calls(pair.folder), dice()
    shape = {**SHAPE, "grace_seconds": 0.5, "max_attempts": 20}
    async with History(port) as history:
        submitting = []
        for _ in range(10):
            process = await pair.start(port=port, **shape)
            scripts = [slow(chance.uniform(0.1, pace)) if pace else QUICK for _ in range(6)]
            submitting += [asyncio.create_task(history.submit(watchers=2, sandbox=script)) for script in scripts]
            await asyncio.sleep(chance.uniform(0.1, 1.5))
            process.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
            await asyncio.sleep(chance.uniform(0, 0.5))
            process.kill()
            await asyncio.wait_for(process.wait(), 60)
        async with pair.running(port=port, **shape) as server:
            await asyncio.gather(*submitting)
            jobs = await history.judge(server.client, calls.read(), lambda job: job["attempt"] + 10)
    assert {job["status"] for job in jobs.values()} == {"completed"}


@pytest.mark.parametrize("crowd", [100, pytest.param(600, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
async def test_two_processes_share_one_store(pair: Pair, crowd: int) -> None:
    """Each job is run once, wherever it was submitted; its watchers change servers and see the same."""
    ports, calls, fuse, slots = (free_port(), free_port()), Calls(pair.folder), Fuse(pair.folder), 8
    shape = {**SHAPE, **UNLOST, "slots__image": slots}
    async with (
        History(*ports) as history,
        pair.running(port=ports[0], **shape) as one,
        pair.running(port=ports[1], **shape) as two,
    ):
        fuse.hold()
        for _ in range(crowd // 50):
            await asyncio.gather(*(history.submit(silence=60, sandbox=QUICK) for _ in range(50)))
            await until(lambda: len(calls.read()) > slots)
            fuse.let_go()
        await history.settle(within=300)
        for server in (one, two):
            jobs = await history.judge(server.client, calls.read(), lambda _: 1)
            assert {(job["status"], job["attempt"]) for job in jobs.values()} == {("completed", 1)}
        workers = {line.count('"job_claimed"') > 0 for line in (one.log.read_text(), two.log.read_text())}
        assert workers == {True}, "both had a share"


@contextlib.asynccontextmanager
async def locked(store: Path) -> AsyncIterator[None]:
    """Hold the store's write lock from another process."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60);"
        "c.execute('BEGIN IMMEDIATE'); print(1, flush=True); sys.stdin.read()"
    )
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(store), stdin=pipe, stdout=pipe)
    assert holder.stdout is not None
    await holder.stdout.readline()
    try:
        yield
    finally:
        holder.kill()
        await holder.wait()


@pytest.mark.parametrize(
    ("busy", "lease", "seconds"),
    [
        (1, 30, 1.5),
        pytest.param(5, 30, 7, marks=pytest.mark.soak),
        pytest.param(5, 2, 12, marks=pytest.mark.soak),
        pytest.param(5, 30, 25, marks=pytest.mark.soak),
    ],
)
async def test_a_store_that_another_process_locks_is_waited_out(
    tmp_path: Path, busy: float, lease: float, seconds: float
) -> None:
    """Longer than the busy timeout: submits are told to come back, reads go on, and nothing acknowledged is lost."""
    port, calls = free_port(), Calls(tmp_path)
    Constants(tmp_path).set(stores__sqlite__schema__BUSY_SECONDS=busy)
    shape = {**SHAPE, "lease_seconds": lease, "max_attempts": 10}
    async with History(port) as history, running(tmp_path / "data", port=port, **shape) as server:
        ids = [await history.submit(sandbox=slow(3)) for _ in range(3)]
        ids += [await history.submit(sandbox=QUICK) for _ in range(3)]
        async with locked(tmp_path / "data" / "atelier.db"):
            began = time.monotonic()
            late = [asyncio.create_task(history.submit(silence=60, sandbox=QUICK)) for _ in range(3)]
            read = await server.client.get(f"{IMAGES}/jobs/{ids[0]}")
            assert read.status_code == 200, "reads go on"
            await until(lambda: len(history.refusals) >= 3)
            await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))
        for refusal in history.refusals:
            assert refusal.headers["Retry-After"]
            assert refusal.json()["code"] == "store_unavailable"
            assert refusal.json()["retryable"]
        await asyncio.gather(*late)
        jobs = await history.judge(server.client, calls.read())
        assert (await server.client.get("/ready")).status_code == 200
    assert {job["status"] for job in jobs.values()} == {"completed"}


@contextlib.asynccontextmanager
async def on_a_small_disk(tmp_path: Path, port: int, **settings: Any) -> AsyncIterator[tuple[Server, Path]]:
    """Run a server whose data directory is a disk of its own; the server and that disk as it sees it."""
    process: Process = await start(tmp_path / "data", script=SMALL_DISK, port=port, **settings)
    log = tmp_path / f"server-{port}.log"
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        try:
            try:
                await ready(client, process, log)
            except AssertionError:
                needs(process.returncode != IMPOSSIBLE, "a mount namespace for a small disk of its own")
                raise
            yield Server(process, client, log), Path(f"/proc/{process.pid}/root{tmp_path}/data")
        finally:
            process.kill()
            await process.wait()


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))
    return ballast


@pytest.mark.parametrize(
    "seconds", [0.3, pytest.param(15, marks=pytest.mark.soak), pytest.param(45, marks=pytest.mark.soak)]
)
async def test_a_full_disk_is_waited_out(tmp_path: Path, seconds: float) -> None:
    """Nothing is acknowledged that is not kept; with room again everything ends, some of it with the reason."""
    port, calls = free_port(), Calls(tmp_path)
    async with History(port) as history, on_a_small_disk(tmp_path, port, sweep_seconds=0.3) as (server, disk):
        await history.submit(sandbox=QUICK)
        fuse = Fuse(tmp_path)
        fuse.hold()
        for _ in range(3):
            await history.submit(sandbox=slow(1))
        await until(lambda: len(calls.read()) == 4)
        ballast = fill(disk)
        fuse.let_go()
        late = [asyncio.create_task(history.submit(prompt="x" * 9000, sandbox=QUICK)) for _ in range(2)]
        await until(lambda: len(history.refusals) >= 2)
        await asyncio.sleep(seconds)
        assert os.statvfs(disk).f_bavail == 0
        assert (await server.client.get("/health")).status_code == 200
        ballast.unlink()
        for refusal in history.refusals:
            assert refusal.headers["Retry-After"]
            assert refusal.json()["code"] == "storage_full"
        await asyncio.gather(*late)
        await history.settle()
        jobs = await history.judge(server.client, calls.read())
    for job in jobs.values():
        assert job["status"] == "completed" or job["error_code"] == "storage_full"
