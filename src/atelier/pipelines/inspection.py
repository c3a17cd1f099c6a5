"""What providers sent, checked to be complete pictures."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from atelier import media
from atelier.media import Content

SMALL = 1024
"""Bytes up to which a picture is decoded where it is."""


async def inspect(data: bytes) -> Content:
    """Decode in a thread; the smallest pictures cost less than the way there, and are remembered. Raises InvalidImage."""
    return _inspect_small(data) if len(data) <= SMALL else await asyncio.to_thread(media.inspect, data)


@lru_cache(maxsize=32)
def _inspect_small(data: bytes) -> Content:
    return media.inspect(data)
