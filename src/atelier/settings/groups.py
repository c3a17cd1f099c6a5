"""The groups of settings, each with what its names allow."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode


def split(value: object) -> object:
    """Read a comma list; blanks fall away."""
    return tuple(item.strip() for item in value.split(",") if item.strip()) if isinstance(value, str) else value


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
Seconds = Annotated[float, Field(gt=0, le=30 * 86400)]
Days = Annotated[float, Field(ge=0, le=36500)]
Count = Annotated[int, Field(ge=1, le=1000)]


class Group(BaseModel):
    """A nested group of settings; an unknown name in it is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Slots(Group):
    """How many jobs of a kind run at once in this process."""

    image: Count = Field(4, description="How many image jobs run at once in this process.")
    blog: Count = Field(2, description="How many blog jobs run at once in this process.")
    story: Count = Field(2, description="How many stories are written at once in this process.")


class Deadlines(Group):
    """How long an accepted job may take."""

    image_seconds: Seconds = Field(600, description="Seconds from acceptance until an image job must have ended.")
    blog_seconds: Seconds = Field(1800, description="Seconds from acceptance until a blog job must have ended.")
    story_seconds: Seconds = Field(
        960, description="Seconds from acceptance until a story and all its pictures must have ended."
    )
    batch_seconds: Seconds = Field(
        3600, description="Seconds from acceptance until every picture of a batch must have ended."
    )
    beat_seconds: Seconds = Field(
        172_800, description="Seconds from acceptance until every beat of a storyboard must have ended."
    )


class BlogSettings(Group):
    """Posts."""

    sync_wait_seconds: Seconds = Field(
        300, description="Seconds that a request with async_mode=false waits for its post, before it is answered 504."
    )


class Bounds(Group):
    """What one request may ask."""

    body_bytes: Annotated[int, Field(ge=1024, le=100_000_000)] = Field(
        1_000_000, description="Largest request body, in bytes; more answers 413."
    )
    queue: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        100_000,
        description="Most queued jobs of a kind; more are refused with 503 until some have gone. Processes see what each other accepts within a second.",
    )
    queue_per_owner: Annotated[int, Field(ge=0, le=10_000_000)] | None = Field(
        None,
        description="Most queued jobs of a kind that one owner may have, so that nobody fills the queue alone; 0 sets no limit; empty: none in open mode, else a quarter of `queue`. Everybody without a key is one owner.",
    )
    rate_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        None, description="Requests a minute of one owner; 0 sets no limit; empty: none in open mode, else 600."
    )
    streams_per_owner: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        None, description="Streams one owner may have open; 0 sets no limit; empty: none in open mode, else 100."
    )
    anonymous_rate_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        60,
        description="Requests a minute of everybody without a key together, in each process, where `auth` is anonymous.",
    )
    anonymous_daily_cost: Annotated[float, Field(ge=0, le=1_000_000)] = Field(
        1.0,
        description="US dollars that pictures and posts of everybody without a key may cost in a UTC day, at list prices.",
    )


class MediaSettings(Group):
    """Watching pictures over WebSockets."""

    ws_wait_seconds: Seconds = Field(
        600, description="Seconds that a WebSocket may wait for a task that nobody has asked for yet."
    )


class RetentionSettings(Group):
    """How long things are kept."""

    jobs_days: Days = Field(
        30,
        description="Days that records of ended single images and batches are kept; 0 keeps them for good. Bytes that ended jobs left in the spool go then, too, after 30 days at 0.",
    )
    pictures_days: Days = Field(0, description="Days that pictures are kept; 0 keeps them for good.")
