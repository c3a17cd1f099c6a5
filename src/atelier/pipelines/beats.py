"""What is particular about a storyboard's pictures: what lies there already, the style they shall have, where they are copied to."""

from __future__ import annotations

import asyncio

from atelier import logs, media
from atelier.errors import InvalidImage, StorageError
from atelier.media import Content
from atelier.pipelines.pictures import IMPORTED, Drawn, ImageParams, ImageRun, Picture
from atelier.pipelines.ports import Reference
from atelier.pipelines.projects import Copy, Projects, Spot
from atelier.pipelines.validation import Validator

LARGEST_REFERENCE = 4_000_000
"""Bytes of a style reference that is sent as it is; a larger one is made smaller."""

REFERENCE_SIDE = 2048


class Beats:
    """Reads from a storyboard's project, and copies to it."""

    def __init__(self, projects: Projects, validator: Validator) -> None:
        self._projects, self._validator = projects, validator

    async def earlier(self, run: ImageRun) -> tuple[Content, Drawn] | None:
        """Return the picture that an earlier system left, where it is to be taken for this one. It costs nothing.

        What lies there and is no picture is set aside.
        """
        spot = run.params.spot
        data = await self._projects.earlier(spot) if spot is not None and run.params.honours else None
        if spot is None or data is None:
            return None
        try:
            content = await self._validator.read(data)
        except InvalidImage:
            await self._projects.set_aside(spot)
            await run.note(warnings=("What lay at this place was no complete picture; it was set aside.",))
            return None
        return content, Drawn(model="", seed=None, cost=0.0, shared=False, seconds=0.0, provider=IMPORTED)

    async def reference(self, params: ImageParams) -> Reference | None:
        """Return the picture that shows a hard cut's style. Raises InvalidImage where it is none."""
        found = await self._projects.reference(params.spot) if params.spot is not None and params.hard_cut else None
        if found is None:
            return None
        try:
            content = await self._validator.read(found.data)
        except InvalidImage as error:
            raise InvalidImage(f"The style reference {found.name} is not a complete picture; replace it.") from error
        if content.facts.size_bytes <= LARGEST_REFERENCE:
            return Reference(data=content.data, media_type=f"image/{content.facts.format}")
        small = await asyncio.to_thread(media.reduced, content, REFERENCE_SIDE)
        return Reference(data=small, media_type="image/jpeg")

    async def publish(self, params: ImageParams, picture: Picture) -> None:
        """Copy a stored picture to its spot; what cannot be copied now is copied when the storyboard is next looked at."""
        if params.spot is None:
            return
        try:
            await self._projects.bring([copy_of(params.spot, picture, over=params.replaces)])
        except StorageError as error:
            logs.warning("picture_not_copied", reason=error.message)


def copy_of(spot: Spot, picture: Picture, *, over: bool) -> Copy:
    """Return what has to lie at a spot."""
    return Copy(spot=spot, location=picture.location, format=picture.format, made_at=picture.created_at, over=over)
