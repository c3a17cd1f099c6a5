"""How long pictures take."""

from __future__ import annotations

from datetime import timedelta

from atelier.pipelines.pictures import DRAFT, KIND, STORY_ORDER, ImageParams

EXPECTED_SECONDS = {"draft": 1.0, "standard": 3.0, "high": 5.0, "ultra": 8.0}
"""How long a picture takes by quality, until durations are measured."""

SLOWER = {
    "stability_ai": 3.0,
    "gemini": 6.0,
    "hugging_face": 5.0,
    "stable_horde": 40.0,
    "diffusers": 10.0,
    STORY_ORDER: 40.0,
}
"""How many times as long it takes where others draw; from what vendors and their users tell."""


def pace(params: ImageParams) -> str:
    """Return which pictures take as long as this one."""
    scenario = params.script.scenario
    marks = ([scenario] if scenario != "ok" else []) + (["draft_first"] if params.draft_first else [])
    marks += ["refine"] if params.refine else []
    return "/".join([KIND, params.provider, params.quality, *marks])


def expected(params: ImageParams) -> timedelta:
    """Return how long one takes, until the like were measured."""
    first = EXPECTED_SECONDS[DRAFT] if params.draft_first else 0.0
    return timedelta(seconds=(first + EXPECTED_SECONDS[params.quality]) * SLOWER.get(params.provider, 1.0))
