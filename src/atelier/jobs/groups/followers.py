"""Following a group: one reader per group and process, however many clients watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from atelier import logs
from atelier.errors import StoreUnavailable
from atelier.frozen import frozen
from atelier.jobs.groups.models import Phase
from atelier.jobs.groups.register import Register
from atelier.jobs.models import Job, Snapshot, Update
from atelier.jobs.ports import Store

PHASE_SECONDS = 1.0
"""Pause between two looks where every member has ended and only the group's own phase keeps it going."""

RETRY_SECONDS = 1.0
"""Pause after a look that failed: the store may be down for a while, the watchers stay."""


AGAIN_SECONDS = 31.0
"""When to look again where nobody tells: a store whose cursor is a time reads the whole group then."""


@frozen
class Sight:
    """A member as it was last seen, and the number of the change that brought it."""

    snapshot: Snapshot
    number: int


class GroupFollower:
    """One group as this process knows it, while anybody watches: read once, then told of each member's commits."""

    def __init__(self, store: Store, register: Register, group_id: str, *, closed: bool) -> None:
        self.number = 0
        self.over, self.closed = False, closed
        self.watchers = 0
        self._store, self._register, self._group_id = store, register, group_id
        self._members: dict[str, Sight] = {}
        self._live: set[str] = set()
        self._cursor = ""
        self._changed = asyncio.Event()
        self._unread = False
        self._reader: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._deafen = store.listen_to_members(group_id, self._heard)
        self._look_soon()

    def stop(self) -> None:
        """Listen no more: nobody watches."""
        self._deafen()
        if self._reader is not None:
            self._reader.cancel()
        if self._later is not None:
            self._later.cancel()

    async def changed(self, seen: int) -> None:
        """Return when there is a change behind `seen`, the group has ended, or watching has."""
        while self.number == seen and not (self.over or self.closed):
            await self._changed.wait()

    def behind(self, seen: int) -> list[Snapshot]:
        """Return the members that changed behind `seen`, the longest ago first."""
        fresh = []
        for sight in reversed(self._members.values()):
            if sight.number <= seen:
                break
            fresh.append(sight.snapshot)
        return fresh[::-1]

    def close(self) -> None:
        """Let go of whoever watches."""
        self.closed = True
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _heard(self, told: Snapshot | None) -> None:
        """Take what a member's writer was handed: a latest state needs no earlier ones. Look where that is not enough."""
        if told is not None and self._merge(told):
            self._tell()
        if told is None or not self._live:
            self._look_soon()

    def _look_soon(self) -> None:
        self._unread = True
        if self._later is not None:
            self._later.cancel()
        if self._reader is None and not self.closed:
            self._reader = asyncio.create_task(self._look())
            self._reader.add_done_callback(self._looked)

    async def _look(self) -> None:
        while self._unread:
            self._unread = False
            try:
                whole = await self._read()
                settled = not self._live and await self._settled()
                if settled and not whole:
                    self._cursor = ""
                    await self._read()
            except StoreUnavailable as error:
                logs.warning("follower_waits", group_id=self._group_id, reason=error.message)
                self._unread = True
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self.over = settled and not self._live
            self._tell()

    async def _read(self) -> bool:
        """Merge what changed behind the cursor; whether that was the whole group, in which nothing is missed."""
        whole, live = not self._cursor, frozenset(self._live)
        news = await self._store.members(self._group_id, since=self._cursor)
        for snapshot in news.snapshots:
            self._merge(snapshot)
        if whole:  # who is missing was removed elsewhere
            self._live -= live - {snapshot.job.id for snapshot in news.snapshots}
        self._cursor = news.cursor
        return whole

    def _looked(self, reader: asyncio.Task[None]) -> None:
        """Look again where news came meanwhile; a little later where only the group's phase is waited for; else much later.

        Whatever broke the reader, nobody waits for it for ever.
        """
        self._reader = None
        if reader.cancelled():
            return
        if (error := reader.exception()) is not None:
            logs.error("follower_broke", exc=error, group_id=self._group_id)
            self.close()
        elif self._unread:
            self._look_soon()
        elif not self.over:
            later = (AGAIN_SECONDS, self._look_at_all) if self._live else (PHASE_SECONDS, self._look_soon)
            self._later = asyncio.get_running_loop().call_later(*later)

    def _look_at_all(self) -> None:
        """Read the whole group: nobody tells of members that another process removed."""
        self._cursor = ""
        self._look_soon()

    def _merge(self, fresh: Snapshot) -> bool:
        """Keep the newer; only what watchers would see moves a member to the end of the changes. Whether it did."""
        job, known = fresh.job, self._members.get(fresh.job.id)
        if known is not None and known.snapshot.job.rev >= job.rev:
            return False
        news = known is None or _shown(known.snapshot.job) != _shown(job)
        if news:
            self.number += 1
            self._members.pop(job.id, None)
        self._members[job.id] = Sight(snapshot=fresh, number=self.number if known is None or news else known.number)
        (self._live.discard if job.status.terminal else self._live.add)(job.id)
        return news

    async def _settled(self) -> bool:
        """Whether nothing is to come though every member has ended: the group is neither made nor paused, or is gone."""
        group = await self._register.find(self._group_id)
        return group is None or group.phase not in {Phase.CREATING, Phase.PAUSED}


class GroupFollowers:
    """The group followers of this process, one per watched group."""

    def __init__(self, store: Store, register: Register) -> None:
        self._store, self._register = store, register
        self._open: dict[str, GroupFollower] = {}
        self._closed = False

    def close(self) -> None:
        """End every `follow`, as the process is about to end."""
        self._closed = True
        for follower in self._open.values():
            follower.close()

    async def follow(self, group_id: str) -> AsyncIterator[Update | None]:
        """Yield the state of every member, then each one's latest after a change, and None when all have ended.

        States that are soon replaced may be left out; the last one never is. Goes on while the group is paused or being
        created. Ends early, without the None, when the process is about to end.
        """
        async with self._watching(group_id) as follower:
            seen = 0
            while True:
                await follower.changed(seen)
                fresh, over, seen = follower.behind(seen), follower.over, follower.number
                for snapshot in fresh:
                    yield _update(snapshot)
                if over:
                    yield None
                if over or follower.closed:
                    return

    @asynccontextmanager
    async def _watching(self, group_id: str) -> AsyncIterator[GroupFollower]:
        """Share the group's follower for as long as the block lasts."""
        follower = self._open.get(group_id)
        if follower is None or follower.over or follower.closed:
            follower = GroupFollower(self._store, self._register, group_id, closed=self._closed)
            self._open[group_id] = follower
        follower.watchers += 1
        try:
            yield follower
        finally:
            follower.watchers -= 1
            if follower.watchers == 0:
                follower.stop()
                if self._open.get(group_id) is follower:
                    del self._open[group_id]


def _shown(job: Job) -> tuple[object, ...]:
    """What may change in a member and is worth telling."""
    return (job.seq, job.status, job.state_reason, job.resume_at, job.step)


def _update(snapshot: Snapshot) -> Update:
    """Return how a member ended, else its present state."""
    ended = snapshot.job.status.terminal
    record = snapshot.records[-1] if ended and snapshot.records else None
    return Update(job=snapshot.job, record=record, result=snapshot.result)
