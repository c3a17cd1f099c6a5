"""What stands before several workers: each connection goes to the next one that takes it, as a cloud's front end does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.live import listener


class Balancer:
    """Passes connections on to the ports of `workers` in turn; where nobody listens the next is asked."""

    def __init__(self) -> None:
        self.workers: list[int] = []
        self.port = 0
        self._next = 0
        self._tasks: dict[asyncio.Task[None], int] = {}
        """Who joins a connection with a worker, and that worker's port; 0 before there is one."""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Balancer]:
        with listener() as bound:
            self.port = bound.getsockname()[1]
            server = await asyncio.start_server(self._connected, sock=bound)
            try:
                yield self
            finally:
                server.close()
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, port: int) -> None:
        """Cut all connections with a worker."""
        for task, joined in self._tasks.items():
            if joined == port:
                task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = 0
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            worker = await self._worker()
            if worker is not None:
                self._tasks[task] = worker[1].get_extra_info("peername")[1]
                await _joined(reader, writer, *worker)
        del self._tasks[task]
        writer.transport.abort()

    async def _worker(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in range(len(self.workers)):
            self._next += 1
            with contextlib.suppress(ConnectionError):
                return await asyncio.open_connection("127.0.0.1", self.workers[self._next % len(self.workers)])
        return None


async def _joined(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    """Pass on both ways until one side has ended."""
    ways = [asyncio.create_task(_pass(reader, far_writer)), asyncio.create_task(_pass(far_reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        far_writer.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
