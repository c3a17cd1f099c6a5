"""How long vendors ask to be left alone, in every form they say it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LONGEST = timedelta(days=1)
"""Nobody is left alone for longer, whatever they say."""

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def _pacific() -> tzinfo:
    """Return California's time; on a machine that knows no time zones its winter time, which is never too early."""
    try:
        return ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        return timezone(-timedelta(hours=8))


PACIFIC = _pacific()


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return what `Retry-After` or `retry-after-ms` says; None where there is neither, or it cannot be read."""
    milliseconds = headers.get("retry-after-ms", "")
    if _NUMBER.fullmatch(milliseconds.strip()):
        return _bounded(float(milliseconds) / 1000)
    return wait_of(headers.get("retry-after", ""), now)


def until_reset(headers: Mapping[str, str], windows: Iterable[tuple[str, str]], now: datetime) -> timedelta | None:
    """Return how long the windows that are used up still last; None where none is.

    A window is two headers' names: one says how much of it is left, the other when it begins anew.
    """
    waits = [wait_of(headers.get(reset, ""), now) for left, reset in windows if headers.get(left, "").strip() == "0"]
    return max((wait for wait in waits if wait is not None), default=None)


def wait_of(text: str, now: datetime) -> timedelta | None:
    """Return how long a text says to wait, or None: nothing it says can be read.

    It may be seconds (`20`, `0.5`), a duration (`38.2s`, `6m30s`, `17ms`), an HTTP date, an RFC 3339 moment, or a comma
    list of these, one for each window: then the first, which is the shortest window's. Never negative, never over a day.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return _bounded(float(text))
    if text and _PART.sub("", text) == "":
        return _bounded(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))
    moment = _moment(text)
    if moment is not None:
        return _bounded((moment - now).total_seconds())
    first, comma, _ = text.partition(",")
    return wait_of(first, now) if comma else None


def until_midnight_pacific(now: datetime) -> timedelta:
    """Return how long it is until the next day begins in California."""
    tomorrow = now.astimezone(PACIFIC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), PACIFIC).astimezone(UTC) - now


def _moment(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return None


def _bounded(seconds: float) -> timedelta | None:
    if not math.isfinite(seconds):
        return None
    return timedelta(seconds=min(max(seconds, 0.0), LONGEST.total_seconds()))
