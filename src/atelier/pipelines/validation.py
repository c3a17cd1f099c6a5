"""What came back is looked at before it is taken for the picture that was asked for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import lru_cache

from atelier import media
from atelier.errors import InvalidImage
from atelier.media import Check, Content

SMALL = 1024
"""Bytes up to which a picture is decoded where it is."""

AT_ONCE = 2
"""Pictures decoded at the same time: each may take a quarter of a gigabyte for a moment."""

TOLERANCE = 0.08
"""By which part the aspect ratio may differ: providers draw sizes that are multiples of 64."""


class Validator:
    """Decodes pictures, a few at a time, and compares them with what was asked for."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)

    async def read(self, data: bytes) -> Content:
        """Return a whole picture, whatever it shows. Raises InvalidImage."""
        if len(data) <= SMALL:
            return _inspect_small(data)
        async with self._room:
            return await asyncio.to_thread(media.inspect, data)

    async def check(self, data: bytes, ratio: str | None) -> Content:
        """Return the picture with what was looked at; `ratio` None: any shape will do. Raises InvalidImage.

        The smallest pictures cost less than the way to a thread, and are remembered.
        """
        content = await self.read(data)
        if not all(each.passed for each in content.checks):
            raise InvalidImage("What the provider sent is one even colour, or black.")
        return content if ratio is None else replace(content, checks=(*content.checks, _shape(content, ratio)))


def _shape(content: Content, ratio: str) -> Check:
    wide, high = (int(side) for side in ratio.split(":"))
    width, height = content.facts.width, content.facts.height
    off = abs(width * high / (height * wide) - 1)
    if off > TOLERANCE:
        raise InvalidImage(f"What the provider sent is {width} x {height} pixels, which is not {ratio}.")
    return Check(name="ratio", passed=True, detail=f"{off:.1%} off {ratio}")


@lru_cache(maxsize=32)
def _inspect_small(data: bytes) -> Content:
    return media.inspect(data)
