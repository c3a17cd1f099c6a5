"""The bench's bare app is a limit only while it writes what atelier writes."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from tests.live import ROOT
from tests.process import servers

JOBS = 12
NOOP = {"prompt": "bench", "style": "photographic", "quality": "draft", "sandbox": {"scenario": "noop"}}
JOB_TABLES = ("jobs", "records", "parts")


@contextlib.asynccontextmanager
async def bare(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    port = servers.free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "bench" / "bare.py"), str(port), str(folder), "bare"
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        try:
            await _answers(client)
            yield client
        finally:
            process.kill()
            await process.wait()


async def _answers(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(httpx.TransportError):
                await client.get("/nothing")
                return
            await asyncio.sleep(0.05)


def watch_rows(path: Path) -> None:
    """Have the file itself count each row that is added or changed from now on."""
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as file, file:
        file.execute("CREATE TABLE counted_rows (name TEXT)")
        for name in JOB_TABLES:
            for what in ("INSERT", "UPDATE"):
                file.execute(
                    f"CREATE TRIGGER counts_{what}_{name} AFTER {what} ON {name}"  # noqa: S608 - names from above
                    f" BEGIN INSERT INTO counted_rows VALUES ('{name}'); END"
                )


def counted(path: Path) -> Counter[str]:
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as file:
        return Counter(name for (name,) in file.execute("SELECT name FROM counted_rows"))


async def rows_of_a_job(client: httpx.AsyncClient, path: Path) -> Counter[str]:
    """Bring some jobs to their end, one after the other; what the leanest of them wrote: a stage that takes long is a write more."""
    watch_rows(path)
    found, before = [], counted(path)
    for _ in range(JOBS):
        job = (await client.post("/api/v1/images/generate", json=NOOP)).json()["job_id"]
        async with asyncio.timeout(30):
            while (await client.get(f"/api/v1/images/jobs/{job}")).json()["status"] != "completed":
                await asyncio.sleep(0.02)
        after = counted(path)
        found.append(Counter({table: after[table] - before[table] for table in JOB_TABLES}))
        before = after
    return min(found, key=Counter.total)


async def test_both_servers_of_the_bench_write_the_same_rows_for_a_job(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    async with bare(tmp_path / "bare") as client:
        limit = await rows_of_a_job(client, tmp_path / "bare" / "bare.db")
    async with servers.running(tmp_path / "data") as server:
        ours = await rows_of_a_job(server.client, tmp_path / "data" / "atelier.db")
    assert limit == ours == {"jobs": 3, "records": 5, "parts": 2}, "created, claimed, ended"
