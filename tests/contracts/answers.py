"""Answers of Firestore that get lost: before the write was done, after it, or long after."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc


class Answers(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Does to the next commits what it is told, one word each.

    `before`: lost on the way there. `after`: done, the answer lost. `late`: lost now, and done a while later. `held`: done,
    and the answer comes when `release` is set. `silent`: never answered, not done.
    """

    def __init__(self) -> None:
        self.next: list[str] = []
        self.sent = 0
        self.done, self.release = asyncio.Event(), asyncio.Event()
        self._late: set[asyncio.Task[Any]] = set()

    async def intercept_unary_unary(self, go_on: Any, details: Any, request: Any) -> Any:
        self.sent += 1
        what = self.next.pop(0) if self.next else ""
        if what == "silent":
            await asyncio.Event().wait()
        if what == "late":
            later = asyncio.create_task(self._later(go_on, details, request))
            self._late.add(later)
            raise lost()
        if what == "before":
            raise lost()
        call = await go_on(details, request)
        if what in {"after", "held"}:
            await call
            self.done.set()
        if what == "held":
            await self.release.wait()
        if what in {"after", "held"}:
            raise lost()
        return call

    async def _later(self, go_on: Any, details: Any, request: Any) -> None:
        await asyncio.sleep(0.01)
        try:
            await (await go_on(details, request))
        except grpc.RpcError:
            return


def lost() -> grpc.aio.AioRpcError:
    """Return the error of a connection that went away."""
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, "the connection was lost")
