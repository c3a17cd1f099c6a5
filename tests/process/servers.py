"""Real server processes: started on a free port, killed by pid."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx
from tests.canaries import WatchedTransport, planted_names
from tests.live import ROOT

from atelier.settings import Settings

MAIN = ROOT / "main.py"
HERE = ROOT / "tests" / "process"
HOLDING = HERE / "holding_server.py"
FAULTY = HERE / "faulty_server.py"
LIMITS = httpx.Limits(keepalive_expiry=2)
"""No connection is used again that the server may be about to close."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process(Protocol):
    """What asyncio's processes and ours have in common."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def send_signal(self, signal: int, /) -> None: ...
    def kill(self) -> None: ...
    async def wait(self) -> int: ...


class Forked:
    """A process of the nursery, which passes signals on: it knows whether the number is still this process's."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._reader, self._writer = reader, writer
        self._ended = asyncio.create_task(self._end())

    def send_signal(self, signal: int, /) -> None:
        if self.returncode is None:
            self._writer.write(b"%d\n" % signal)

    def kill(self) -> None:
        self.send_signal(9)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def _end(self) -> int:
        self.returncode = int(await self._reader.readline())
        self._writer.close()
        return self.returncode


class Nursery:
    """Forks servers that have nothing left to import: a start takes a tenth of a second. See nursery.py."""

    address = ""

    @classmethod
    @contextlib.contextmanager
    def open(cls) -> Iterator[None]:
        with tempfile.TemporaryDirectory(prefix="nursery") as folder:
            cls.address = f"{folder}/orders"
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
            with subprocess.Popen(
                [sys.executable, str(HERE / "nursery.py"), cls.address],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            ) as process:
                assert process.stdout is not None
                assert process.stdin is not None
                assert process.stdout.readline() == b"ready\n"
                yield
                process.stdin.close()

    @classmethod
    async def fork(
        cls, script: Path, environment: dict[str, str], log: Path, *arguments: str, errors: Path | None = None
    ) -> Forked:
        """Have a script started in the log's folder; `errors` is where it writes those, if not to its log."""
        reader, writer = await asyncio.open_unix_connection(cls.address)
        writer.write(_order([str(script), *arguments], environment, log, errors or log))
        return Forked(int(await reader.readline()), reader, writer)

    @classmethod
    def order(cls, script: Path, environment: dict[str, str], log: Path) -> socket.socket:
        """Fork without a loop: signals go in by their numbers, the exit code comes out at the process's end."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(cls.address)
        connection.sendall(_order([str(script)], environment, log, log))
        connection.recv(16)
        return connection


def _order(script: list[str], environment: dict[str, str], log: Path, errors: Path) -> bytes:
    files = {"folder": str(log.parent), "log": str(log), "errors": str(errors)}
    return json.dumps({"script": script, "environment": environment, **files}).encode() + b"\n"


class Server:
    """One process and a client of it."""

    def __init__(self, process: Process, client: httpx.AsyncClient, log: Path) -> None:
        self.process, self.client, self.log = process, client, log

    async def signal(self, number: int, *, within: float = 60) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), within)


def log_of(data: Path, port: int) -> str:
    """Return what the servers on a port have written."""
    return (data.parent / f"server-{port}.log").read_text()


async def start(data: Path, *, script: Path = MAIN, port: int, fresh: bool = False, **settings: Any) -> Process:
    """Start a server, `fresh` as a new interpreter and else by the nursery; its process."""
    names = {_name_of(setting): str(value) for setting, value in settings.items()}
    ours = {"PORT": str(port), "ATELIER_DATA_DIR": str(data), "PYTHONPATH": str(ROOT)}
    environment = {**os.environ, **planted_names(), **ours, **names}
    log = data.parent / f"server-{port}.log"
    if not fresh:
        return await Nursery.fork(script, environment, log)
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, str(script), env=environment, stdout=output, stderr=output, cwd=data.parent
        )


def _name_of(setting: str) -> str:
    """Return a setting's name in the environment."""
    alias = Settings.model_fields[setting].validation_alias if setting in Settings.model_fields else None
    return alias if isinstance(alias, str) else f"ATELIER_{setting.upper()}"


@contextlib.asynccontextmanager
async def running(data: Path, *, port: int | None = None, **how: Any) -> AsyncIterator[Server]:
    """Run a server for the length of the block, started as `start` does; it is killed at the end if it still lives."""
    port = port or free_port()
    process = await start(data, port=port, **how)
    log = data.parent / f"server-{port}.log"
    address = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=address, timeout=60, transport=WatchedTransport(limits=LIMITS)) as client:
        try:
            await ready(client, process, log)
            yield Server(process, client, log)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def ready(client: httpx.AsyncClient, process: Process, log: Path) -> None:
    async with asyncio.timeout(60):
        while True:
            assert process.returncode is None, log.read_text()
            try:
                if (await client.get("/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
