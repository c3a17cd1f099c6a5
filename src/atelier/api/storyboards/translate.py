"""Front door D's translations: a storyboard's places to answers. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from atelier.api.storyboards.orders import ROOT, pool_of
from atelier.api.storyboards.view_schemas import (
    BeatStatus,
    BeatView,
    BoardStatus,
    FilesView,
    ListedStoryboard,
    PoolKeyView,
    PoolView,
    StatusView,
    StoryboardView,
    StyleProgress,
    StyleView,
    TroubleView,
)
from atelier.api.wire import absolute
from atelier.frozen import frozen
from atelier.jobs.groups.making import Place
from atelier.jobs.groups.models import Group, Item, Phase, standing_of
from atelier.jobs.models import Job, Json, Status
from atelier.pipelines.keys import KeyReport
from atelier.pipelines.pools import ListedPool

STATUSES: dict[Status, BeatStatus] = {
    Status.PENDING: "pending",
    Status.QUEUED: "pending",
    Status.PROCESSING: "generating",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}

ADVICE = {
    "provider_bad_key": "Replace the keys that are bad in ATELIER_POOLS, restart, then retry what failed.",
    "provider_no_credit": "Pay for more at the provider, or add keys of another account; then retry what failed.",
    "provider_refused": "Write these prompts differently: the provider will not draw them as they are.",
    "provider_rate_limited": "Add keys to the pool, or wait; then retry what failed.",
    "provider_unavailable": "Look whether the provider is up, then retry what failed.",
    "provider_not_configured": "Configure the pool or the provider again, then retry what failed.",
    "maybe_charged": "Look at the provider's bill, then retry what failed: that may pay for these again.",
    "invalid_image": "Replace the style reference if it is named here; else retry what failed.",
    "storage_full": "Make room on the disk, then retry what failed: nothing is drawn again.",
    "storage_unavailable": "Look after the pictures' storage, then retry what failed: nothing is drawn again.",
    "deadline_exceeded": "Add keys to the pool, then retry what failed.",
}
OTHERWISE = "Retry what failed."
FILES_ADVICE = (
    "Make room or mend the folder, then read or post this storyboard again: what is missing is copied, nothing drawn."
)

Pools = Sequence[tuple[ListedPool, tuple[KeyReport, ...]]]


@frozen
class Board:
    """A storyboard as it was read: all that an answer is made of."""

    group: Group
    places: Sequence[Place]
    pools: Pools
    trouble: str | None
    """Why the project's folder is not complete; None: it is."""


def to_view(board: Board, base: str, now: datetime) -> StoryboardView:
    """Return the grid."""
    styles = [
        StyleView(style=style, completed=progress.completed, total=progress.total, beats=_beats(board, style, base))
        for style, progress in _progress(board).items()
    ]
    group = board.group
    deadlines = [job.must_finish_by for job in _latest(board) if not job.status.terminal]
    return StoryboardView.model_construct(
        storyboard_id=group.id,
        status=status_of(board),
        paused=group.phase is Phase.PAUSED,
        project_path=group.title,
        styles=styles,
        cost=cost_of(board.places),
        resume_at=_resume_at(board),
        troubles=_troubles(board),
        files=_files(board),
        pools=to_pools(board.pools),
        created_at=group.created_at,
        must_finish_by=max([group.must_finish_by(now), *deadlines]),
        urls=urls(group.id, base),
    )


def to_status(board: Board, base: str) -> StatusView:
    """Return how far a storyboard is."""
    running = any(job.status is Status.PROCESSING for job in _latest(board))
    paused = board.group.phase is Phase.PAUSED
    return StatusView.model_validate(
        {
            "isGenerating": running or (not paused and status_of(board) == "processing"),
            "storyboard_id": board.group.id,
            "status": status_of(board),
            "paused": paused,
            "styles": _progress(board),
            "cost": cost_of(board.places),
            "resume_at": _resume_at(board),
            "troubles": _troubles(board),
            "files": _files(board),
            "pools": to_pools(board.pools),
            "urls": urls(board.group.id, base),
        }
    )


def status_of(board: Board) -> BoardStatus:
    """Return what a storyboard is, as its beats make it."""
    standing = standing_of(board.group, (job.status for job in _latest(board)))
    found: dict[Status, BoardStatus] = {
        Status.PROCESSING: "processing",
        Status.COMPLETED: "completed",
        Status.FAILED: "failed",
        Status.CANCELLED: "cancelled",
    }
    return found[standing.status]


def is_live(board: Board) -> bool:
    """Whether any beat has not ended."""
    return status_of(board) == "processing"


def cost_of(places: Iterable[Place]) -> float:
    """Return what all drawings cost so far, in US dollars."""
    return round(sum(place.cost for place in places), 6)


def to_pools(pools: Pools) -> list[PoolView]:
    """Return who draws, and how the keys are."""
    return [
        PoolView(
            name=pool.name,
            provider=pool.provider,
            per_minute=pool.per_minute,
            keys=[PoolKeyView.model_validate(key, from_attributes=True) for key in keys],
        )
        for pool, keys in pools
    ]


def pools_of(styles: Iterable[str], pools: Mapping[str, ListedPool]) -> list[ListedPool]:
    """Return who draws these styles, each once."""
    return list({pool.name: pool for pool in (pool_of(style, pools) for style in styles)}.values())


def to_listed(group: Group, base: str) -> ListedStoryboard:
    """Return a storyboard as a list shows it."""
    return ListedStoryboard(
        storyboard_id=group.id,
        project_path=group.title,
        styles=list(group.lanes),
        beats=len(group.items),
        created_at=group.created_at,
        urls=urls(group.id, base),
    )


def urls(board_id: str, base: str) -> dict[str, str]:
    """Return where a storyboard can be read, watched and changed."""
    own = f"{base}{ROOT}/{board_id}"
    return {"self": own, **{name: f"{own}/{name}" for name in ("stream", "pause", "resume", "retry-failed", "cancel")}}


def beat_of(item: Item) -> int | str:
    """Return a beat's number as it was sent."""
    _, *sent = _sent(item)
    return sent[0] if sent else item.name.partition("/")[2]


def shot_of(item: Item, job: Job | None) -> int | str:
    """Return a shot's number as it was sent; of groups that were made before that was kept, as its job has it."""
    return _sent(item)[0] if item.label else job.details["shot"] if job is not None else ""


def _sent(item: Item) -> list[int | str]:
    """Return the numbers of the shot and, where its name is another, of the beat as they were sent."""
    sent: list[int | str] = json.loads(item.label or '[""]')
    return sent


def picture_of(result: Json, base: str) -> tuple[str | None, str | None]:
    """Return the addresses of a picture and its thumbnail."""
    picture = result["images"][0]
    return absolute(picture["location"], base), absolute(picture["thumbnail"], base)


def _beats(board: Board, style: str, base: str) -> list[BeatView]:
    return [_beat(board.group, place, base) for place in board.places if place.item.lane == style]


def _beat(group: Group, place: Place, base: str) -> BeatView:
    done = place.completed.result if place.completed is not None else None
    image, thumbnail = picture_of(done, base) if done is not None else (None, None)
    job = place.latest.job if place.latest is not None else None
    return BeatView.model_construct(  # all of it is the service's own: nine hundred of them are not checked again
        beat_number=beat_of(place.item),
        shot_number=shot_of(place.item, job),
        status=STATUSES[status_in(group, place)],
        image_url=image,
        thumbnail_url=thumbnail,
        job_id=job.id if job is not None else None,
        error=_error(group, place),
        state_reason=job.state_reason if job is not None else None,
        resume_at=job.resume_at if job is not None else None,
        drawing=place.item.drawing,
        cost=place.cost,
        warnings=list(job.warnings) if job is not None else [],
    )


ENDED_BADLY = frozenset({Status.FAILED, Status.CANCELLED})
DELETED = "The latest drawing of this beat was deleted; post the storyboard again to have one."


def status_in(group: Group, place: Place) -> Status:
    """Return how a beat is: one without a job waits for it or, where all were made, was deleted, which counts as cancelled."""
    if place.latest is not None:
        return place.latest.job.status
    return Status.CANCELLED if group.complete else Status.PENDING


def _error(group: Group, place: Place) -> str | None:
    if place.latest is None:
        return DELETED if group.complete else None
    job = place.latest.job
    return job.fault.message if job.fault is not None and job.status in ENDED_BADLY else None


def _progress(board: Board) -> dict[str, StyleProgress]:
    """Count each style's beats."""
    counts: dict[str, Counter[BeatStatus]] = {lane: Counter() for lane in board.group.lanes}
    for place in board.places:
        counts[place.item.lane][STATUSES[status_in(board.group, place)]] += 1
    return {
        lane: StyleProgress(
            completed=count["completed"],
            generating=count["generating"],
            pending=count["pending"],
            failed=count["failed"],
            cancelled=count["cancelled"],
            total=count.total(),
        )
        for lane, count in counts.items()
    }


def _latest(board: Board) -> list[Job]:
    return [place.latest.job for place in board.places if place.latest is not None]


def _resume_at(board: Board) -> datetime | None:
    """Return when the next beat goes on, where none is drawn now."""
    live = [job for job in _latest(board) if not job.status.terminal]
    if any(job.status is Status.PROCESSING for job in live):
        return None
    return min((job.resume_at for job in live if job.resume_at is not None), default=None)


def _troubles(board: Board) -> list[TroubleView]:
    """Return what beats failed of, the most frequent first."""
    faults = Counter((job.fault.code, job.fault.message) for job in _latest(board) if _failed(job) and job.fault)
    return [
        TroubleView(code=code, message=message, beats=beats, advice=ADVICE.get(code, OTHERWISE))
        for (code, message), beats in faults.most_common()
    ]


def _failed(job: Job) -> bool:
    return job.status is Status.FAILED


def _files(board: Board) -> FilesView:
    return FilesView(error=board.trouble, advice=FILES_ADVICE if board.trouble is not None else None)
