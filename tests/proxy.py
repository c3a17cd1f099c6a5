"""What stands before services in the wild: proxies that collect, compress, cut or rewrite what passes through them."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Mapping

import httpx
from tests.loopback import TRUSTS_NOBODY


class Proxy:
    """A proxy before `upstream` that does one thing wrong; `says` are headers it adds."""

    def __init__(self, upstream: str, fault: str, says: Mapping[str, str] | None = None) -> None:
        self._upstream, self._fault, self._says = upstream, fault, dict(says or {})
        self._tasks: set[asyncio.Task[None]] = set()
        self.base = ""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            allowed = b"gzip" in head.lower().partition(b"accept-encoding:")[2].partition(b"\r\n")[0]
            _, target, _ = head.split(b" ", 2)
            async with httpx.AsyncClient(base_url=self._upstream, timeout=20, verify=TRUSTS_NOBODY) as client:
                await self._pass(client, target.decode(), writer, zipped=allowed)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _pass(
        self, client: httpx.AsyncClient, target: str, writer: asyncio.StreamWriter, *, zipped: bool
    ) -> None:
        async with client.stream("GET", target) as answer:
            if self._fault == "cut":
                first = await anext(answer.aiter_bytes())
                writer.write(head_of(answer, {**self._says, "Transfer-Encoding": "chunked"}) + chunk(first))
                await writer.drain()
                return
            whole = await answer.aread()
            says = dict(self._says)
            if self._fault == "compress" and zipped:
                whole, says["Content-Encoding"] = gzip.compress(whole), "gzip"
            if self._fault == "collect":
                says["Content-Length"] = str(len(whole))
                writer.write(head_of(answer, says) + whole)
            else:
                writer.write(head_of(answer, {**says, "Transfer-Encoding": "chunked"}) + chunk(whole) + b"0\r\n\r\n")
            await writer.drain()


def head_of(answer: httpx.Response, says: Mapping[str, str]) -> bytes:
    dropped = {"transfer-encoding", "content-length", "connection", *(name.lower() for name in says)}
    passed = {name: value for name, value in answer.headers.items() if name.lower() not in dropped}
    lines = [f"{name}: {value}" for name, value in {**passed, **says, "Connection": "close"}.items()]
    return "\r\n".join([f"HTTP/1.1 {answer.status_code} Said", *lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
