"""A story's pictures as the group they are: a member for each scene."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Protocol

from atelier.jobs.groups import Group, NewGroup, NewMember
from atelier.pipelines import pictures
from atelier.pipelines.pace import expected, pace
from atelier.pipelines.pictures import STORY_ORDER, ImageParams, alt_text
from atelier.pipelines.story.models import PICTURES, Outline, Scene, StoryParams, StoryRun
from atelier.pipelines.story.prompts import picture

QUALITY, RATIO = "standard", "1:1"


class Albums(Protocol):
    """What a story asks of the engine's groups."""

    async def create(self, new: NewGroup) -> tuple[Group, bool]:
        """Accept a group, durably; the group, and whether it was there before. Raises QueueFull, having accepted nothing."""

    async def of_key(self, owner: str, kind: str, key: str) -> Group | None:
        """Return the group that a key has made; None where it has made none."""

    async def cancel(self, group: Group) -> None:
        """Cancel every member. Raises AlreadyTerminal when all have ended."""


def album(run: StoryRun, deadline: datetime) -> NewGroup:
    """Return the group of a story's pictures. Its key is the story's id: asked for twice it is the same group."""
    outline, params = run.state.outline, run.params
    seed = seed_of(run.job.id)
    return NewGroup(
        kind=PICTURES,
        member_kind=pictures.KIND,
        owner=run.job.owner,
        members=[_member(run.job.id, params, outline, scene, seed) for scene in outline.scenes],
        listed=False,
        key=run.job.id,
        deadline=deadline,
    )


def seed_of(story_id: str) -> int:
    """Return the seed that all pictures of a story share."""
    return int.from_bytes(hashlib.sha256(story_id.encode()).digest()[:4], "big") // 2


def _member(story_id: str, params: StoryParams, outline: Outline, scene: Scene, seed: int) -> NewMember:
    drawn = ImageParams(
        prompt=picture(outline, scene),
        provider=params.painter,
        quality=QUALITY,
        aspect_ratio=RATIO,
        output_format="png",
        seed=seed,
        alt=scene.alt_text,
        script=params.painter_script,
    )
    return NewMember(
        name=str(scene.number),
        params=drawn.model_dump(mode="json"),
        title=alt_text(scene.alt_text),
        tags={"story_id": story_id},
        details={"quality": QUALITY, "aspect_ratio": RATIO, **_named(params.painter)},
        pace=pace(drawn),
        expected=expected(drawn).total_seconds(),
    )


def _named(painter: str) -> dict[str, str]:
    """Say who draws, where that is settled before."""
    return {"provider": painter} if painter != STORY_ORDER else {}
