"""Reading a storyboard for an answer, with its project's folder brought up to date on the way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

from atelier import logs
from atelier.api.deps import Call
from atelier.api.storyboards.folders import copies, copy, spots_of
from atelier.api.storyboards.orders import folder_of
from atelier.api.storyboards.translate import Board, Pools, pools_of
from atelier.errors import StorageError
from atelier.jobs.groups import Group, Place
from atelier.jobs.models import Update

AGAIN_SECONDS = 10.0
"""How long what was found out about a project's folder holds."""

REMEMBERED = 256


class Folders:
    """Sees to it that pictures which a crash or a full disk kept from their folders come there, when somebody looks."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, str | None]] = {}

    async def mend(self, call: Call, group: Group, places: list[Place], *, now: bool = False) -> str | None:
        """Copy what is missing, at most every ten seconds unless it has to be `now`; why that failed."""
        seen = self._seen.get(group.id)
        if seen is not None and not now and time.monotonic() - seen[0] < AGAIN_SECONDS:
            return seen[1]
        trouble = None
        try:
            await call.around.projects.bring(copies(places, _folder(group, call)))
        except StorageError as error:
            logs.warning("project_not_complete", group_id=group.id, reason=error.message)
            trouble = error.message
        self._seen.pop(group.id, None)
        self._seen[group.id] = (time.monotonic(), trouble)
        if len(self._seen) > REMEMBERED:
            self._seen.pop(next(iter(self._seen)))
        return trouble

    async def honoured(self, call: Call, group: Group, places: list[Place]) -> list[str]:
        """Return the ids of jobs under way that will take what an earlier system left, as far as can be seen from here."""
        spots = spots_of(places, _folder(group, call))
        with contextlib.suppress(StorageError):
            return [spots[spot] for spot in await call.around.projects.there(list(spots))]
        return []

    async def bring(self, call: Call, group: Group, update: Update, *, drawing: int) -> None:
        """See that a beat's picture lies in its folder before anybody is told of it; what cannot be copied is copied later."""
        if update.result is not None:
            with contextlib.suppress(StorageError):
                found = copy(update.job, update.result, _folder(group, call), drawing=drawing)
                await call.around.projects.bring([found])


def _folder(group: Group, call: Call) -> str:
    return folder_of(group.title, group.owner, shared=call.around.access.mode == "open")


FOLDERS = Folders()


async def board_of(group: Group, call: Call) -> Board:
    """Read a storyboard."""
    places = await call.around.engine.groups.places(group)
    trouble = await FOLDERS.mend(call, group, places)
    pools = await reports(call, group.lanes)
    return Board(group=group, places=places, pools=pools, trouble=trouble)


async def reports(call: Call, styles: Iterable[str]) -> Pools:
    """Return who draws these styles, and how the keys are now."""
    return [(pool, await pool.keys()) for pool in pools_of(styles, call.around.pools)]
