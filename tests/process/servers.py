"""Real server processes: started on a free port, killed by pid."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from tests.canaries import WatchedTransport, planted_names
from tests.live import ROOT

MAIN = ROOT / "main.py"
HOLDING = ROOT / "tests" / "process" / "holding_server.py"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One process and a client of it."""

    def __init__(self, process: asyncio.subprocess.Process, client: httpx.AsyncClient, log: Path) -> None:
        self.process, self.client, self.log = process, client, log

    async def signal(self, number: int, *, within: float = 20) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), within)


def log_of(data: Path, port: int) -> str:
    """Return what the servers on a port have written."""
    return (data.parent / f"server-{port}.log").read_text()


async def start(data: Path, *, script: Path = MAIN, port: int, **settings: Any) -> asyncio.subprocess.Process:
    """Start a server; its process."""
    names = {f"ATELIER_{name.upper()}": str(value) for name, value in settings.items()}
    ours = {"PORT": str(port), "ATELIER_DATA_DIR": str(data), "PYTHONPATH": str(ROOT)}
    environment = {**os.environ, **planted_names(), **ours, **names}
    with (data.parent / f"server-{port}.log").open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, str(script), env=environment, stdout=output, stderr=output, cwd=data.parent
        )


@contextlib.asynccontextmanager
async def running(
    data: Path, *, script: Path = MAIN, port: int | None = None, **settings: Any
) -> AsyncIterator[Server]:
    """Run a server for the length of the block; it is killed at the end if it still lives."""
    port = port or free_port()
    process = await start(data, script=script, port=port, **settings)
    log = data.parent / f"server-{port}.log"
    address = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=address, timeout=20, transport=WatchedTransport()) as client:
        try:
            await ready(client, process, log)
            yield Server(process, client, log)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def ready(client: httpx.AsyncClient, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(20):
        while True:
            assert process.returncode is None, log.read_text()
            try:
                if (await client.get("/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
