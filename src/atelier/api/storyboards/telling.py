"""A storyboard told as front door D's events: which beats are there, what is being drawn, how it ended. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from atelier.api.storyboards.translate import DELETED, beat_of, cost_of, picture_of, shot_of
from atelier.jobs.groups.making import Place
from atelier.jobs.groups.models import Group, Item, standing_of
from atelier.jobs.models import Job, Json, Status, Update
from atelier.pipelines.pictures import IMPORTED

GENERATING = "generating"
"""The stage in which a beat is drawn."""


class Telling:
    """What one watcher is told. `completed` and `total` count a style, the beats from before included."""

    def __init__(self, group: Group, ids: Sequence[str], base: str, opened: datetime) -> None:
        self._base, self._opened = base, opened
        self._completed: dict[str, str] = {}
        self._told: dict[str, tuple[int, bool]] = {}
        """Of each beat told of, in which run, and whether that had ended."""
        self._gone: set[Item] = set()
        self._spared: frozenset[str] = frozenset()
        self.renew(group, ids)

    def renew(self, group: Group, ids: Sequence[str]) -> None:
        """Take the group as it is now: one of its beats may be drawn again."""
        self.group = group
        self._items = dict(zip(ids, group.items, strict=True))
        self._totals = Counter(item.lane for item in group.items)
        self._completed = {job_id: lane for job_id, lane in self._completed.items() if job_id in self._items}

    def knows(self, job: Job) -> bool:
        """Whether a job is one of the beats, or an earlier drawing that says nothing any more."""
        return job.id in self._items or (job.status.terminal and (job.completed_at or self._opened) <= self._opened)

    def drawing(self, job: Job) -> int:
        """Return which drawing of its beat a job is."""
        return self._items[job.id].drawing

    def start(self) -> Json:
        """Return the first event."""
        told = f"Starting: {_count(self._totals.total(), 'beat')} in {_count(len(self._totals), 'style')}"
        return {"type": "start", "message": told, "storyboard_id": self.group.id}

    def spare(self, job_ids: Collection[str]) -> None:
        """Do not call these being drawn: what an earlier system left is about to be taken for them."""
        self._spared = frozenset(job_ids)

    def before(self, places: Sequence[Place]) -> Iterator[Json]:
        """Yield what had ended before anybody watched, what has a picture first, what was deleted last: the rest goes on."""
        ended = [place.latest for place in places if place.latest is not None and place.latest.job.status.terminal]
        for one in sorted(ended, key=lambda one: one.job.status is not Status.COMPLETED):
            message = self.tell(Update(job=one.job, record=None, result=one.result))
            if message is not None:
                yield message
        yield from self.deleted(places)

    def deleted(self, places: Sequence[Place]) -> Iterator[Json]:
        """Yield of each beat that was deleted that it was, where that is news: there is no update of what is no more."""
        gone = [place.item for place in places if place.latest is None and self.group.complete]
        for item in gone:
            if item not in self._gone:
                self._gone.add(item)
                self._completed = {
                    job_id: one for job_id, one in self._completed.items() if self._items[job_id] != item
                }
                yield self._progress(item, "error", None, {"error": DELETED, "code": "cancelled"})

    def tell(self, update: Update) -> Json | None:
        """Return what a beat's state means; None: nothing new."""
        item, job = self._items.get(update.job.id), update.job
        if item is None:
            return None
        status, more = self._said(item, update)
        now = (job.run, job.status.terminal)
        if not status or now <= self._told.get(job.id, (0, False)):
            return None
        self._told[job.id] = now
        return self._progress(item, status, job, more)

    def _progress(self, item: Item, status: str, job: Job | None, more: Json) -> Json:
        return {
            "type": "progress",
            "style": item.lane,
            "beat_number": beat_of(item),
            "completed": Counter(self._completed.values())[item.lane],
            "total": self._totals[item.lane],
            "status": status,
            "shot_number": shot_of(item, job),
            **more,
            "job_id": job.id if job is not None else None,
        }

    def _said(self, item: Item, update: Update) -> tuple[str, Json]:
        job, result = update.job, update.result
        match job.status:
            case Status.COMPLETED if result is not None:
                self._completed[job.id] = item.lane
                before = (job.completed_at or self._opened) <= self._opened or result["provider"] == IMPORTED
                image, thumbnail = picture_of(result, self._base)
                shown = {"image_url": image, "thumbnail_url": thumbnail, "cost": job.cost}
                return "exists" if before else "complete", shown
            case Status.FAILED | Status.CANCELLED:
                fault = job.fault
                return "error", {"error": fault.message, "code": fault.code} if fault is not None else {}
            case Status.PROCESSING if job.stage == GENERATING and job.id not in self._spared:
                return "generating", {}
            case _:
                return "", {}

    def end(self, places: Sequence[Place]) -> Json:
        """Return the last event: all beats have ended."""
        jobs = [place.latest.job for place in places if place.latest is not None]
        standing = standing_of(self.group, (job.status for job in jobs))
        if self.group.cancelled_at is not None and standing.cancelled > standing.deleted:
            return {"type": "error", "message": "Cancelled", "error": "Cancelled", "storyboard_id": self.group.id}
        result = {
            "success": any(place.completed is not None for place in places),
            "storyboard_id": self.group.id,
            "completed": standing.completed,
            "failed": standing.failed,
            "cancelled": standing.cancelled,
            "total": len(places),
            "cost": cost_of(places),
        }
        return {"type": "complete", "result": result}


def _count(number: int, what: str) -> str:
    return f"{number:,} {what if number == 1 else what + 's'}"
