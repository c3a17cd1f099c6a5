"""Stories as tests have them made: with a scribe, and painters of pictures that do what the test says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.house import House
from tests.posts import Scribe

from atelier.errors import QueueFull
from atelier.jobs.engine import NewJob
from atelier.jobs.groups import Group, NewGroup
from atelier.jobs.models import Job, Json, Snapshot
from atelier.pipelines.image import ImagePipeline
from atelier.pipelines.ordering import ImageSource
from atelier.pipelines.story.models import KIND, PICTURES, StoryParams
from atelier.pipelines.story.pipeline import StoryPipeline
from atelier.providers.health import HealthBook, Observed
from atelier.storage.disk import ROUTE, DiskStorage
from atelier.storage.projects.disk import DiskProjects
from atelier.storage.spool import DiskSpool

STORY_TIME = timedelta(minutes=16)
FOX = StoryParams(
    topic="A fox and a lost key", level="A2", scenes=3, illustrated=True, provider="scribe", painter="painter"
)


Ordering = Callable[[Group], Awaitable[None]]


class Groups:
    """`pipelines.story.illustrating.Albums` that is the engine's, until the test says what happens once a group is accepted."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.then: list[Ordering] = []
        self.full = False

    async def create(self, new: NewGroup) -> tuple[Group, bool]:
        if self.full:
            raise QueueFull("Too much waits.")
        made = await self._house.engine.groups.create(new)
        if self.then:
            await self.then.pop(0)(made[0])
        return made

    async def of_key(self, owner: str, kind: str, key: str) -> Group | None:
        return await self._house.engine.groups.of_key(owner, kind, key)

    async def cancel(self, group: Group) -> None:
        await self._house.engine.groups.cancel(group)


def open_house(house: House, scribe: Scribe, painter: ImageSource, place: Path) -> Groups:
    """Let the house make stories with pictures; the groups as its stories see them."""
    groups = Groups(house)
    texts = {"scribe": Observed(scribe, HealthBook(house.store, house.clock))}
    house.others[KIND] = StoryPipeline(sources=texts, albums=lambda: groups)
    disk = DiskStorage(place / "pictures", b"secret")
    projects = DiskProjects(
        place / "projects", locks=place / "locks", pictures=disk.find, route=ROUTE, style=None, now=house.clock
    )
    house.others["image"] = ImagePipeline(
        sources={"painter": painter}, storage=disk, spool=DiskSpool(place / "spool"), projects=projects
    )
    house.engine = house.another_engine()
    return groups


async def order(house: House, **changes: Any) -> Job:
    """Submit a story."""
    params = FOX.model_copy(update=changes)
    return (await house.engine.submit(NewJob(kind=KIND, owner="ann", params=params))).snapshot.job


async def told(house: House, job: Job) -> tuple[Snapshot, Json]:
    """Return a story's job with its log, and the story as the log tells it."""
    snapshot = await house.engine.get("ann", job.id)
    found = [record.data["story"] for record in snapshot.records if "story" in record.data]
    return snapshot, found[-1] if found else {}


async def pictures(house: House, job: Job) -> list[Snapshot]:
    """Return a story's pictures in order; none where there is no group yet."""
    group = await house.engine.groups.of_key("ann", PICTURES, job.id)
    return await house.engine.groups.members(group) if group is not None else []
