"""How long stories take to write, and what they may take in tokens."""

from __future__ import annotations

from datetime import timedelta

from atelier.pipelines.story.levels import reading_of
from atelier.pipelines.story.models import KIND, StoryParams

BEFORE, A_SCENE = 15.0, 4.0
"""Seconds until a model has an outline, and for each scene, until durations are measured; from experience."""

AT_ONCE = 1.0
"""How long it takes in the sandbox."""


def pace(params: StoryParams) -> str:
    """Return which stories take as long as this one."""
    scenario = params.script.scenario
    marks = [scenario] if scenario != "ok" else []
    return "/".join([KIND, params.provider, str(params.scenes), str(reading_of(params.level).scene), *marks])


def expected(params: StoryParams) -> timedelta:
    """Return how long one takes, until the like were measured."""
    return timedelta(seconds=AT_ONCE if params.provider == "sandbox" else BEFORE + A_SCENE * params.scenes)
