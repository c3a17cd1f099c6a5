"""What is submitted to the engine, and what it makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta

from pydantic import BaseModel

from atelier.frozen import frozen
from atelier.jobs.models import Snapshot


@frozen
class NewJob:
    """A job to be: its kind, owner and params, when it may start at the earliest, and what to find it by."""

    kind: str
    owner: str
    params: BaseModel
    title: str = ""
    not_before: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    pace: str = ""
    expected: timedelta = timedelta()
    """How long it takes, until jobs of the same pace were measured."""
    key: str | None = None
    """The caller's idempotency key: the same key and request of an owner are the same job."""
    request: str = ""
    """The whole request, checked, as text: what the key stands for."""


@frozen
class Submitted:
    """An accepted job, and whether it was there before."""

    snapshot: Snapshot
    replayed: bool
