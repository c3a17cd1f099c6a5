"""Whose turn it is: one at a time, first come, first served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

Told = Callable[[int], None]
"""Takes the place of one who waits, from 1, and every better one."""


@dataclass(kw_only=True, slots=True, eq=False)
class _Waiter:
    told: Told
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns:
    """Lets one in; the others wait in order. Whoever was let in has to call `pass_on` once."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[_Waiter] = []

    async def wait(self, told: Told) -> None:
        """Return when the turn has come. Cancelled, nobody waits behind who left."""
        if not self._taken:
            self._taken = True
            return
        waiter = _Waiter(told=told)
        self._waiting.append(waiter)
        told(len(self._waiting))
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.done() and not waiter.turn.cancelled():
                self.pass_on()  # it came in the moment of leaving
            else:
                self._leave(waiter)
            raise

    def pass_on(self) -> None:
        """Let the next one in."""
        if not self._waiting:
            self._taken = False
            return
        self._waiting.pop(0).turn.set_result(None)
        self._tell(0)

    def _leave(self, waiter: _Waiter) -> None:
        place = self._waiting.index(waiter)
        del self._waiting[place]
        self._tell(place)

    def _tell(self, first: int) -> None:
        """Tell those whose place is a better one now."""
        for place, waiter in enumerate(self._waiting[first:], first + 1):
            waiter.told(place)
