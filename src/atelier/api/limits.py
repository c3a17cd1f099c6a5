"""What one owner may take: requests a minute, open streams, and what anonymous pictures may cost a day."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from atelier.errors import RateLimited, StoreRefused, StoreUnavailable, TooManyStreams
from atelier.jobs.ports import Clock, Documents

MINUTE = 60.0
READ_SECONDS = 1.0
"""Reading one address this often does not count."""

JITTER = 0.25
"""How much sooner a reader may come now and then: the network moves requests together."""

READS_PER_REQUEST = 100
"""How many such reads are free for each counted request: many addresses are polled, not scanned."""

ADDRESSES = 50_000
"""Most addresses remembered at once; further ones count."""

CAP_KIND = "cap"
TRIES = 8


class Fading:
    """Numbers by name that are forgotten when unused for `keep` seconds, twice that at the latest.

    Two generations take turns, so that forgetting costs nothing and memory is bounded by what comes in that time.
    """

    def __init__(self, keep: float) -> None:
        self._keep, self._turn = keep, -math.inf
        self._young: dict[str, float] = {}
        self._old: dict[str, float] = {}

    def __len__(self) -> int:
        """How many are remembered, the fading ones included."""
        return len(self._young) + len(self._old)

    def get(self, name: str, now: float) -> float:
        """Return a name's number; minus infinity for what was never put or has faded."""
        if now >= self._turn:
            self._old = self._young if now < self._turn + self._keep else {}
            self._young, self._turn = {}, now + self._keep
        found = self._young.get(name)
        return found if found is not None else self._old.get(name, -math.inf)

    def put(self, name: str, number: float) -> None:
        """Remember a number."""
        self._young[name] = number


class Bucket:
    """Token buckets by owner: full at first, holding a minute's requests, filled evenly.

    Of each only the moment is kept at which it will be full again.
    """

    def __init__(self, per_minute: float) -> None:
        self._interval = MINUTE / per_minute
        self._full_at = Fading(MINUTE)

    def wait(self, owner: str, now: float) -> float:
        """Take a token, and return 0; or take none, and return the seconds until there is one."""
        full_at = max(self._full_at.get(owner, now), now) + self._interval
        missing = full_at - now - MINUTE
        # Fractions of an interval add up with an error far below a microsecond.
        if missing > 1e-6:  # noqa: PLR2004 - see above
            return missing
        self._full_at.put(owner, full_at)
        return 0.0


class Rate:
    """Requests a minute for each owner. Reads and streams of one address at one a second do not count."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._requests, self._reads = Bucket(per_minute), Bucket(per_minute * READS_PER_REQUEST)
        self._due = Fading(2 * READ_SECONDS)

    def charge(self, owner: str, method: str, path: str) -> None:
        """Count a request. Raises RateLimited, which says when to come back."""
        now = self._monotonic()
        if method == "GET" and self._free(owner, path, now):
            return
        wait = self._requests.wait(owner, now)
        if wait:
            raise RateLimited("Too many requests; slow down.", retry_after=timedelta(seconds=wait))

    def _free(self, owner: str, path: str, now: float) -> bool:
        """Whether this read comes no sooner than a second after the last of its address, as a rule."""
        address = f"{owner} {path}"
        due = max(self._due.get(address, now), now)
        if due - now > JITTER or len(self._due) >= ADDRESSES or self._reads.wait(owner, now):
            return False
        self._due.put(address, due + READ_SECONDS)
        return True


class Streams:
    """How many streams each owner has open in this process; `most` None: as many as they like."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._open: dict[str, int] = {}

    def opened(self, owner: str) -> int:
        """Return how many an owner has open."""
        return self._open.get(owner, 0)

    @contextmanager
    def place(self, owner: str) -> Iterator[None]:
        """Hold a place for the length of the block. Raises TooManyStreams where none is left."""
        count = self.opened(owner)
        if self._most is not None and count >= self._most:
            raise TooManyStreams(f"No more than {self._most} streams may be open at once; close one first.")
        self._open[owner] = count + 1
        try:
            yield
        finally:
            left = self._open[owner] - 1
            if left:
                self._open[owner] = left
            else:
                del self._open[owner]


class DailyCap:
    """What an owner's pictures may cost in a UTC day, at list prices, reserved before they are ordered. Durable.

    A job that ends without cost gives nothing back: the cap bounds the worst case, it is no account.
    """

    def __init__(self, documents: Documents, owner: str, dollars: float, now: Clock) -> None:
        self._documents, self._owner, self._dollars, self._now = documents, owner, dollars, now
        self._turn = asyncio.Lock()
        self._owed: dict[str, float] = {}
        """What is to be given back and could not be written yet, by day."""

    async def reserve(self, cost: float) -> str:
        """Reserve so many dollars and return the day they count for. Raises RateLimited until midnight UTC."""
        now = self._now()
        day = f"{self._owner}-{now:%Y-%m-%d}"
        owed = self._owed.pop(day, 0.0)
        try:
            spent = await self._add(day, cost - owed)
        except StoreRefused:
            self._owe(day, owed)
            raise
        if spent is None:
            self._owe(day, owed)
            raise RateLimited(
                "Requests without a key have used up what they may cost today; come back after midnight UTC.",
                retry_after=_midnight(now) - now,
            )
        return day

    async def give_back(self, day: str, cost: float) -> None:
        """Undo a reservation for what was not accepted after all: at once or, where nothing can be written, with the next one."""
        try:
            await self._add(day, -cost)
        except StoreRefused:
            self._owe(day, cost)

    def _owe(self, day: str, cost: float) -> None:
        if cost > 0:
            self._owed[day] = self._owed.get(day, 0.0) + cost

    async def _add(self, day: str, cost: float) -> float | None:
        """Add to what a day has cost and return that; None, changing nothing, where it would be too much."""
        async with self._turn:
            for _ in range(TRIES):
                document = await self._documents.document(CAP_KIND, day)
                spent = round(max(cost + (document.body["dollars"] if document else 0.0), 0.0), 6)
                if cost > 0 and spent > self._dollars:
                    return None
                rev = document.rev if document else 0
                if await self._documents.put(CAP_KIND, day, {"dollars": spent}, if_rev=rev) is not None:
                    if rev == 0:
                        await self._forget(day)
                    return spent
        raise StoreUnavailable("Too many processes count the day's cost at once; try again.")

    async def _forget(self, before: str) -> None:
        """Remove this owner's days before `before`; the first reservation of a day does so."""
        for document in await self._documents.documents(CAP_KIND, after=f"{self._owner}-"):
            if document.name < before:
                await self._documents.drop(CAP_KIND, document.name)


def _midnight(now: datetime) -> datetime:
    """Return the end of the day."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
