"""What is measured of a server, in the same way for each. Times in milliseconds, memory in KiB."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path
from typing import Any

from client import HOST, Connection, Socket, Stream, connections, open_socket, open_stream, request

ROOT = "/api/v1/images"
TICKS = os.sysconf("SC_CLK_TCK")
STAGES = ["queued", "processing", "generating", "uploading", "completed"]
Figures = dict[str, float]


def order(hold_until: float = 0) -> dict[str, Any]:
    """Return a request for a picture that costs nothing to make."""
    script = {"scenario": "noop", "hold_until": hold_until}
    return {"prompt": "bench", "style": "photographic", "quality": "draft", "sandbox": script}


def cpu_seconds(pid: int) -> float:
    """Return the processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> float:
    """Return the memory a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS")))


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the others lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def through(port: int, pid: int, count: int) -> Figures:
    """Accept a burst over 16 connections and bring all of it to its end; each job is then read once."""
    cpu, began = cpu_seconds(pid), time.perf_counter()
    raw, made, left = request("POST", f"{ROOT}/generate", order()), [], iter(range(count))

    async def post(connection: Connection) -> None:
        for _ in left:
            made.append((await connection.ask(raw))["job_id"])

    async def completed(connection: Connection, job: str) -> bool:
        return bool((await connection.ask(request("GET", f"{ROOT}/jobs/{job}")))["status"] == "completed")

    async with connections(port, 16) as opened:
        await asyncio.gather(*(post(connection) for connection in opened))
        accepted = time.perf_counter()
        while not await completed(opened[0], made[-1]):  # one client asks now and then, as one does
            await asyncio.sleep(0.05)
        for job in made:
            while not await completed(opened[0], job):
                await asyncio.sleep(0.01)
        ended = time.perf_counter()
    return {
        "accepted per second": count / (accepted - began),
        "completed per second": count / (ended - began),
        "CPU ms per job": 1000 * (cpu_seconds(pid) - cpu) / count,
    }


async def latency(port: int, count: int) -> Figures:
    """One job at a time: from the request to its last event on the stream."""
    times = []
    raw = request("POST", f"{ROOT}/generate/stream", order())
    for _ in range(count):
        stream = await open_stream(port, raw)
        await stream.ended
        times.append(1000 * (stream.packets[-1][0] - stream.began))
        stream.transport.close()
        await asyncio.sleep(0.005)
    return {"one job, request to end, p50": percentile(times, 0.5)}


async def reading(port: int, count: int) -> Figures:
    """Read one finished job over 16 connections."""
    async with connections(port, 16) as opened:
        job = (await opened[0].ask(request("POST", f"{ROOT}/generate", order())))["job_id"]
        raw = request("GET", f"{ROOT}/jobs/{job}")
        while (await opened[0].ask(raw))["status"] != "completed":
            await asyncio.sleep(0.01)
        began, left = time.perf_counter(), iter(range(count))

        async def read(connection: Connection) -> None:
            for _ in left:
                await connection.ask(raw)

        await asyncio.gather(*(read(connection) for connection in opened))
    return {"reads per second": count / (time.perf_counter() - began)}


async def watching(port: int, pid: int, count: int) -> Figures:
    """Many streams on one job that starts when all are open."""
    before, lead = memory(pid), 3 + count / 250
    starts = time.time() + lead
    async with connections(port, 1) as (connection,):
        job = (await connection.ask(request("POST", f"{ROOT}/generate", order(starts))))["job_id"]
    streams: list[Stream] = []
    for _ in range(count):
        streams.append(await open_stream(port, request("GET", f"{ROOT}/jobs/{job}/stream")))
    held = memory(pid)
    async with asyncio.timeout(lead + 60):
        await asyncio.gather(*(stream.ended for stream in streams))
    firsts = [1000 * (stream.packets[0][0] - stream.began) for stream in streams]
    lags = [1000 * lag for stream in streams for lag in stream.lags(starts - 0.1)]
    whole = [list(dict.fromkeys(event["stage"] for _, event in stream.events())) == STAGES for stream in streams]
    for stream in streams:
        stream.transport.close()
    return {
        f"{count} streams on one job: first event p99": percentile(firsts, 0.99),
        f"{count} streams on one job: stage lag p99": percentile(lags, 0.99),
        f"{count} streams on one job: KiB each": (held - before) / count,
        f"{count} streams on one job: whole and in order, %": 100 * sum(whole) / count,
    }


async def tasks(port: int, count: int) -> Figures:
    """Sockets that are there before their jobs: all on one task, then as many tasks with a socket each."""
    name = f"bench-{time.time_ns()}"
    shared = await sockets(port, [name] * count)
    each = await sockets(port, [f"{name}-{number}" for number in range(count)])
    firsts = [1000 * (socket.first_at - socket.began) for socket in shared + each]
    return {
        f"{2 * count} sockets: first message p50": percentile(firsts, 0.5),
        f"{2 * count} sockets: first message p99": percentile(firsts, 0.99),
        f"{count} sockets on one task: told the end, %": 100 * sum(socket.whole() for socket in shared) / count,
        f"{count} tasks, a socket each: told the end, %": 100 * sum(socket.whole() for socket in each) / count,
    }


async def sockets(port: int, names: list[str]) -> list[Socket]:
    """Open a socket for each name, then ask for each task once, and wait for the end of all."""
    opened = [await open_socket(port, name) for name in names]
    loop = asyncio.get_running_loop()
    asking = []
    for name in dict.fromkeys(names):
        _, stream = await loop.create_connection(Stream, HOST, port)
        stream.transport.write(request("POST", "/api/media/generate", {**order(), "task_id": name}))
        asking.append(stream)
    async with asyncio.timeout(120):
        await asyncio.gather(*(socket.ended for socket in opened))
    for connection in (*opened, *asking):
        connection.transport.close()
    return opened


async def crowd(port: int, count: int) -> Figures:
    """As many streams, each on a job of its own; all jobs start at the same moment."""
    lead = 10 + count / 50
    starts = time.time() + lead
    streams = [await open_stream(port, request("POST", f"{ROOT}/generate/stream", order(starts))) for _ in range(count)]
    if time.time() > starts:
        raise SystemExit("The machine is too slow: jobs began before all streams were open.")
    opened = sum(not stream.ended.done() for stream in streams)
    async with asyncio.timeout(120):
        await asyncio.gather(*(stream.ended for stream in streams))
    lags = [1000 * lag for stream in streams for lag in stream.lags(starts - 0.1)]
    whole = [list(dict.fromkeys(event["stage"] for _, event in stream.events())) == STAGES for stream in streams]
    for stream in streams:
        stream.transport.close()
    return {
        f"{count} streams, a job each: open at once": opened,
        f"{count} streams, a job each: stage lag p99": percentile(lags, 0.99),
        f"{count} streams, a job each: whole and in order, %": 100 * sum(whole) / count,
    }


async def endurance(port: int, pid: int, lots: int, count: int) -> Figures:
    """Lot after lot of jobs: the memory after each, so that what grows is seen."""
    held = []
    for _ in range(lots):
        await through(port, pid, count)
        held.append(memory(pid) / 1024)
    first, last = statistics.mean(held[1 : 1 + lots // 3]), statistics.mean(held[-lots // 3 :])
    return {f"MiB after {count} jobs": held[0], f"MiB after {lots * count} jobs": held[-1], "MiB grown": last - first}
