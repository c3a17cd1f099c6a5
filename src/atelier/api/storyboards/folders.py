"""A storyboard's project folder: where each beat's picture lies in it, or has to. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from atelier.api.storyboards.orders import AFRESH
from atelier.jobs.groups.making import Place
from atelier.jobs.models import Job, Json
from atelier.pipelines.beats import copy_of
from atelier.pipelines.pictures import PICTURE
from atelier.pipelines.projects import Copy, Spot


def copies(places: Sequence[Place], folder: str) -> list[Copy]:
    """Return what has to lie in the project's folder."""
    found = ((place, place.completed) for place in places)
    return [
        copy(done.job, done.result, folder, drawing=place.drawing)
        for place, done in found
        if done is not None and done.result is not None
    ]


def copy(job: Job, result: Json, folder: str, *, drawing: int) -> Copy:
    """Return where a beat's picture has to lie; a later drawing than the first replaces what is older."""
    return copy_of(_spot(job, folder), PICTURE.validate_python(result["images"][0]), over=drawing > 1)


def spots_of(places: Sequence[Place], folder: str) -> dict[Spot, str]:
    """Return by their spots the ids of jobs that have not ended and take what lies there already."""
    return {
        _spot(place.latest.job, folder): place.latest.job.id
        for place in places
        if place.latest is not None and not place.latest.job.status.terminal
        if place.completed is None and AFRESH not in place.latest.job.details
    }


def _spot(job: Job, folder: str) -> Spot:
    return Spot(project=folder, style=job.details["style"], shot=job.details["shot"], beat=job.details["beat"])
