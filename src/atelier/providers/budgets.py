"""Rate budgets: reservations of starts in the store, shared by all processes."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from atelier.errors import StoreUnavailable
from atelier.frozen import frozen
from atelier.jobs.ports import Clock, Documents
from atelier.providers.rings import Allowance, Chosen, Ring, choose, ring_of

KIND = "budget"
TRIES = 60
LONGEST_JITTER = timedelta(milliseconds=200)

Pause = Callable[[timedelta], Awaitable[None]]
"""Lets time pass. Injected, so that tests own time."""


async def sleep(duration: timedelta) -> None:
    """Let time pass."""
    await asyncio.sleep(duration.total_seconds())


@frozen
class Slot:
    """When a call may start, in which bucket. Not reserved: come back then."""

    bucket: str
    at: datetime
    reserved: bool


@dataclass(eq=False, slots=True)
class _Ask:
    """Somebody who asks; `returned` is a slot of one of the same buckets."""

    allowances: Sequence[Allowance]
    returned: Slot | None = None
    answer: asyncio.Future[Slot] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def buckets(self) -> set[str]:
        returned = {self.returned.bucket} if self.returned is not None else set()
        return {each.bucket for each in self.allowances} | returned


class Budgets:
    """Hands out slots: never more in a window than a bucket allows, whoever asks in whichever process.

    A bucket's ring is one document, written over its own revision. Those who ask while a write is under way are
    served together by the next one. What is remembered of a ring can only be too early, never too late, for slots only move
    on: a wrong memory costs a write that is refused.
    """

    def __init__(self, documents: Documents, now: Clock, *, pause: Pause = sleep) -> None:
        self._documents, self._now, self._pause = documents, now, pause
        self._rings: dict[str, tuple[int, Ring]] = {}
        self._asks: list[_Ask] = []
        self._turn = asyncio.Lock()

    async def reserve(self, allowances: Sequence[Allowance], *, instead_of: Slot | None = None) -> Slot:
        """Reserve the earliest start among the buckets, at most two seconds ahead; else say when to come back.

        `instead_of` is a slot that was not used: it is given back. Raises StoreUnavailable.
        """
        ask = _Ask(allowances, instead_of)
        self._asks.append(ask)
        try:
            async with self._turn:
                for tries in range(TRIES):
                    if ask.answer.done():
                        return ask.answer.result()
                    await self._serve(tries)
        finally:
            if ask in self._asks:
                self._asks.remove(ask)
        if ask.answer.done():
            return ask.answer.result()
        raise StoreUnavailable("Too many processes reserve calls of one provider at the same time.")

    async def _serve(self, tries: int) -> None:
        """Answer all who ask; where another process was first, they go on asking."""
        asks = list(self._asks)
        await self._look_up({bucket for ask in asks for bucket in ask.buckets})
        rings = {bucket: ring for bucket, (_, ring) in self._rings.items()}
        given: defaultdict[str, list[tuple[_Ask, Chosen]]] = defaultdict(list)
        now = self._now().timestamp()
        for ask in asks:
            if ask.returned is not None:
                bucket, unused = ask.returned.bucket, ask.returned.at.timestamp()
                rings[bucket] = rings[bucket].without(unused)
                given[bucket] += ()
            chosen = choose(ask.allowances, rings, now)
            rings[chosen.bucket] = chosen.ring
            given[chosen.bucket].append((ask, chosen))
        for bucket, answers in given.items():
            if await self._written(bucket, rings[bucket], tries):
                self._answer(answers)

    async def _look_up(self, buckets: set[str]) -> None:
        for bucket in buckets - self._rings.keys():
            await self._read(bucket)

    async def _read(self, bucket: str) -> None:
        document = await self._documents.document(KIND, bucket)
        self._rings[bucket] = (document.rev, ring_of(document.body)) if document is not None else (0, Ring())

    async def _written(self, bucket: str, ring: Ring, tries: int) -> bool:
        rev, _ = self._rings[bucket]
        document = await self._documents.put(KIND, bucket, ring.body(), if_rev=rev)
        if document is None:
            await self._pause(min(LONGEST_JITTER, timedelta(milliseconds=2 + 4 * tries)) * random.random())  # noqa: S311 - spreads retries
            await self._read(bucket)
            return False
        self._rings[bucket] = (document.rev, ring)
        return True

    def _answer(self, answers: Sequence[tuple[_Ask, Chosen]]) -> None:
        for ask, chosen in answers:
            if ask in self._asks:
                self._asks.remove(ask)
                at = datetime.fromtimestamp(chosen.at, UTC)
                ask.answer.set_result(Slot(bucket=chosen.bucket, at=at, reserved=chosen.reserved))
