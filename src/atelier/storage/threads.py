"""Blocking calls in threads of their own: few at once, each with an end for its caller, none that holds up a stop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """Runs blocking calls, at most so many at once. A call that hangs keeps its place, but neither caller nor process."""

    def __init__(self, most: int, name: str) -> None:
        self._places, self._name = asyncio.Semaphore(most), name

    async def run(self, call: Callable[[], T], within: timedelta) -> T:
        """Return what the call returns, or raise what it raises. Raises TimeoutError when its time, waiting included, is over."""
        async with asyncio.timeout(within.total_seconds()):
            await self._places.acquire()
            outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            try:  # daemons: the end of the process waits for no thread of an executor's, but for these it does not
                threading.Thread(target=self._serve, args=(call, outcome), name=self._name, daemon=True).start()
            except RuntimeError:
                self._places.release()
                raise
            return await outcome

    def _serve(self, call: Callable[[], object], outcome: asyncio.Future[Any]) -> None:
        settle: Callable[[], None]
        try:
            settle = partial(outcome.set_result, call())
        except Exception as raised:  # noqa: BLE001 - handed to the caller
            settle = partial(outcome.set_exception, raised)
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            outcome.get_loop().call_soon_threadsafe(self._settle, outcome, settle)

    def _settle(self, outcome: asyncio.Future[Any], settle: Callable[[], None]) -> None:
        self._places.release()
        if not outcome.done():  # its caller is still there
            settle()
