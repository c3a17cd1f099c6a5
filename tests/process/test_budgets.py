"""Two processes on one store share three keys at nine a minute: all that is allowed is used, and never more."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
from tests.jobs import Clock
from tests.live import ROOT
from tests.process.pool_worker import KEYS, RPM, Time

from atelier.stores.sqlite import SqliteStore

WORKER = Path(__file__).parent / "pool_worker.py"
STARTUP = 4
"""Seconds until both processes are surely there."""


class Enforcing:
    """A vendor that counts a key's calls of any minute and answers 429 to one too many.

    Calls count when they arrive; where time runs faster, and the way therefore takes longer, when they were sent.
    """

    def __init__(self, now: Time, *, by_arrival: bool) -> None:
        self._now, self._by_arrival = now, by_arrival
        self.taken: defaultdict[str, list[float]] = defaultdict(list)
        self.refused = 0
        self.callers: set[str] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (line := await reader.readline()).startswith(b"GET"):
            _, key, caller, sent = line.split(b" ")[1].decode().split("/")
            while (await reader.readline()).strip():
                pass
            writer.write(
                b"HTTP/1.1 %b\r\ncontent-length: 0\r\n\r\n"
                % (b"200 OK" if self._takes(key, float(sent)) else b"429 No")
            )
            self.callers.add(caller)
        writer.close()

    def _takes(self, key: str, sent: float) -> bool:
        now = self._now().timestamp() if self._by_arrival else sent
        taken = len([start for start in self.taken[key] if abs(start - now) < 60]) < RPM
        if taken:
            self.taken[key].append(now)
        else:
            self.refused += 1
        return taken


async def shared(folder: Path, *, faster: float, minutes: int) -> Enforcing:
    """Let two processes draw for as long; the vendor afterwards."""
    store = SqliteStore(folder / "shared.db", Clock())
    await store.open()
    await store.close()
    began = time.time() + STARTUP
    vendor = Enforcing(Time(began, faster), by_arrival=faster == 1)
    server = await asyncio.start_server(vendor.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    until = minutes * 60 - 1  # the next minute's first starts are not asked for
    arguments = [str(folder / "shared.db"), f"http://127.0.0.1:{port}", str(began), str(faster), str(until)]
    shell = f"import sys, time, runpy; sys.path.insert(0, {str(ROOT)!r}); import tests.process.pool_worker as worker, asyncio"
    code = f"{shell}; time.sleep(max(0, {began} - time.time())); asyncio.run(worker.main(*sys.argv[1:]))"
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", code, *arguments) for _ in range(2)]
    async with asyncio.timeout(STARTUP + until / faster + 60):
        codes = [await process.wait() for process in processes]
    server.close()
    assert codes == [0, 0]
    return vendor


def judge(vendor: Enforcing, minutes: int) -> float:
    """Return the part of what is allowed that was used. Fails where one call was too many or a process got nothing."""
    assert vendor.refused == 0
    assert len(vendor.callers) == 2
    assert set(vendor.taken) == set(KEYS)
    return sum(map(len, vendor.taken.values())) / (len(KEYS) * RPM * minutes)


async def test_two_processes_use_what_three_keys_allow(tmp_path: Path) -> None:
    """Two minutes that take half of one: time runs five times faster in both processes and at the vendor."""
    used = judge(await shared(tmp_path, faster=5, minutes=2), minutes=2)
    assert 0.97 <= used <= 1


@pytest.mark.soak
async def test_two_processes_use_what_three_keys_allow_in_real_time(tmp_path: Path) -> None:
    used = judge(await shared(tmp_path, faster=1, minutes=5), minutes=5)
    assert 0.97 <= used <= 1
