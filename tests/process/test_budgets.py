"""Two processes on one store share three keys at nine a minute: all that is allowed is used, and never more."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
from tests.jobs import Clock
from tests.live import ROOT
from tests.process.pool_worker import KEYS, RPM

from atelier.stores.sqlite import SqliteStore

WORKER = Path(__file__).parent / "pool_worker.py"
PROCESSES = 2
STARTUP = 4
"""Seconds until both processes are surely there."""


class Enforcing:
    """A vendor that counts a key's calls of any minute and answers 429 to one too many.

    Calls count when they arrive; where time is told, when they were sent.
    """

    def __init__(self, *, by_arrival: bool) -> None:
        self._by_arrival = by_arrival
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
        now = time.time() if self._by_arrival else sent
        taken = len([start for start in self.taken[key] if abs(start - now) < 60]) < RPM
        if taken:
            self.taken[key].append(now)
        else:
            self.refused += 1
        return taken


class Conductor:
    """Tells the time to all processes: the next moment for which anybody waits, as soon as everybody waits."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._waits: dict[asyncio.StreamWriter, float | None] = {}

    async def conduct(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._waits[writer] = self._began
        self._go_on()
        while line := await reader.readline():
            self._waits[writer] = float(line)
            self._go_on()
        writer.close()

    def _go_on(self) -> None:
        moments = [moment for moment in self._waits.values() if moment is not None]
        if len(moments) < PROCESSES or min(moments) == math.inf:
            return
        for writer, moment in self._waits.items():
            if moment != math.inf:
                self._waits[writer] = None
                writer.write(f"{min(moments)!r}\n".encode())


async def shared(folder: Path, *, told: bool, minutes: int) -> Enforcing:
    """Let two processes draw for as long; the vendor afterwards."""
    store = SqliteStore(folder / "shared.db", Clock())
    await store.open()
    await store.close()
    vendor, began = Enforcing(by_arrival=not told), time.time() + (0 if told else STARTUP)
    server = await asyncio.start_server(vendor.answer, "127.0.0.1", 0)
    conductor = await asyncio.start_server(Conductor(began).conduct, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    port = conductor.sockets[0].getsockname()[1] if told else 0
    until = minutes * 60 - 1  # the next minute's first starts are not asked for
    arguments = map(str, (WORKER, folder / "shared.db", address, port, began, until))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    processes = [await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(PROCESSES)]
    async with asyncio.timeout(STARTUP + 100 + (0 if told else until)):
        codes = [await process.wait() for process in processes]
    server.close()
    conductor.close()
    assert codes == [0] * PROCESSES
    return vendor


def judge(vendor: Enforcing, minutes: int) -> float:
    """Return the part of what is allowed that was used. Fails where one call was too many or a process got nothing."""
    assert vendor.refused == 0
    assert len(vendor.callers) == PROCESSES
    assert set(vendor.taken) == set(KEYS)
    return sum(map(len, vendor.taken.values())) / (len(KEYS) * RPM * minutes)


async def test_two_processes_use_what_three_keys_allow(tmp_path: Path) -> None:
    """Twenty minutes that pass as soon as everybody has done what is to be done in a moment."""
    assert judge(await shared(tmp_path, told=True, minutes=20), minutes=20) == 1


@pytest.mark.soak
async def test_two_processes_use_what_three_keys_allow_in_real_time(tmp_path: Path) -> None:
    used = judge(await shared(tmp_path, told=False, minutes=5), minutes=5)
    assert 0.97 <= used <= 1
