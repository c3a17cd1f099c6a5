"""Front door D's answers as they are sent."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

BeatStatus = Literal["pending", "generating", "completed", "failed", "cancelled"]
BoardStatus = Literal["processing", "completed", "failed", "cancelled"]


class BeatView(BaseModel):
    """One beat of a style: how its latest drawing is, and the latest picture there is of it."""

    beat_number: int | str = Field(description="As it was sent.")
    shot_number: int | str = Field(description="As it was sent.")
    status: BeatStatus = Field(
        description="`cancelled` of one that was deleted, too; `error` says so, and it has no job."
    )
    image_url: str | None = Field(description="While it is drawn again, the picture before.")
    thumbnail_url: str | None
    job_id: str | None
    error: str | None
    state_reason: str | None = Field(description="Why it waits.")
    resume_at: datetime | None
    drawing: int = Field(description="How often it was drawn.")
    cost: float = Field(description="US dollars, of all its drawings.")
    warnings: list[str]


class StyleView(BaseModel):
    """A style: its beats in the order of the story."""

    style: str
    completed: int
    total: int
    beats: list[BeatView]


class PoolKeyView(BaseModel):
    """How a key is, by its alias: `bad` and `no_credit` need somebody; `resting` comes back by itself."""

    alias: str
    bucket: str | None
    state: Literal["ok", "resting", "bad", "no_credit"]
    until: datetime | None
    why: str | None
    per_minute: float | None = Field(description="Pictures it may start in a minute; null: no limit.")


class PoolView(BaseModel):
    """Who draws a style, with which keys. The keys themselves are never shown."""

    name: str
    provider: str
    per_minute: float | None
    keys: list[PoolKeyView]


class PoolList(BaseModel):
    """Every pool."""

    pools: list[PoolView]


class TroubleView(BaseModel):
    """What went wrong with some beats, and what to do."""

    code: str
    message: str
    beats: int
    advice: str


class FilesView(BaseModel):
    """How the project's folder is: pictures that could not be copied there yet, and why."""

    error: str | None
    advice: str | None


class StyleProgress(BaseModel):
    """How far a style is."""

    completed: int
    generating: int
    pending: int
    failed: int
    cancelled: int
    total: int


class Standing(BaseModel):
    """What every answer about a storyboard says."""

    storyboard_id: str
    status: BoardStatus
    paused: bool
    project_path: str
    cost: float
    resume_at: datetime | None = Field(description="When the next beat goes on, where all wait.")
    troubles: list[TroubleView]
    files: FilesView
    pools: list[PoolView]
    created_at: datetime
    must_finish_by: datetime
    urls: dict[str, str]


class StoryboardView(Standing):
    """A storyboard as a grid."""

    styles: list[StyleView]


class StatusView(BaseModel):
    """Whether a project's storyboard is being drawn; of one that is known, how far it is."""

    success: bool = True
    is_generating: bool = Field(alias="isGenerating")
    storyboard_id: str | None = None
    status: BoardStatus | None = None
    paused: bool | None = None
    styles: dict[str, StyleProgress] | None = None
    cost: float | None = None
    resume_at: datetime | None = None
    troubles: list[TroubleView] | None = None
    files: FilesView | None = None
    pools: list[PoolView] | None = None
    urls: dict[str, str] | None = None


class ListedStoryboard(BaseModel):
    """A storyboard in a list."""

    storyboard_id: str
    project_path: str
    styles: list[str]
    beats: int
    created_at: datetime
    urls: dict[str, str]


class StoryboardList(BaseModel):
    """Storyboards in order of their paths; `next_cursor` leads to the next page, null at the end."""

    storyboards: list[ListedStoryboard]
    next_cursor: str | None


class Range(BaseModel):
    """US dollars: each picture once, and each twice, which is the most that is ordered without being asked for."""

    low: float
    high: float


class Duration(BaseModel):
    """Seconds."""

    p50: float
    p90: float


class Bottleneck(BaseModel):
    """What decides how long it takes: a style's keys, of which `key` allows least, or (all null) the slots."""

    style: str | None
    key: str | None
    rpm: float | None


class SlotsView(BaseModel):
    """How many pictures are drawn at once here, and how many it would take to use all that the keys allow."""

    have: int = Field(description="The service's, or the request's `max_concurrency` where that is less.")
    needed: int


class PlannedStyle(BaseModel):
    """What a post would do to a style: numbers of beats."""

    style: str
    pool: str
    draw: list[str]
    reuse: list[str]
    skip: list[str]
    per_minute: float | None
    seconds: float = Field(description="Until its last picture, if half of the like are as quick.")


class PlanView(BaseModel):
    """What a post would do; nothing was created."""

    storyboard_id: str | None
    draw: int = Field(description="Beats that would be drawn.")
    reuse: int = Field(description="Beats whose pictures are there.")
    skip: int = Field(description="Beats that this post leaves out of the storyboard; their files stay.")
    cost: Range
    duration: Duration
    bottleneck: Bottleneck | None = Field(description="Null where nothing is to be drawn.")
    slots: SlotsView
    styles: list[PlannedStyle]
    warnings: list[str]
