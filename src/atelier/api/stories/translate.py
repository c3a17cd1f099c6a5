"""Front door E's translations: a story's job and its pictures' jobs to answers and events. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from atelier.api.job_views import accepted, fresh, sentence
from atelier.api.requesting import cursor_of
from atelier.api.stories.schemas import (
    ImagesStatus,
    ImageStatus,
    ImagesView,
    SceneView,
    StoryAccepted,
    StoryImage,
    StoryList,
    StoryStatus,
    StoryView,
)
from atelier.api.stories.seen import Story, sentence_of, urls
from atelier.api.wire import absolute_or_none, to_cancellation, to_eta
from atelier.jobs.estimates import Estimate
from atelier.jobs.models import Json, Snapshot, Status, Update

IMAGE_STATUS: dict[Status, ImageStatus] = {
    Status.PENDING: "pending",
    Status.QUEUED: "pending",
    Status.PROCESSING: "generating",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "failed",
}


COUNTS = ("status", "total", "completed", "failed", "message")


def to_accepted(story: Story, base: str, eta: Estimate) -> StoryAccepted:
    """Return the answer to an accepted request."""
    job = story.job
    said = accepted(job, "Story generation queued successfully", eta)
    if not fresh(job):
        said["message"] = sentence_of(story)
    return StoryAccepted(id=job.id, status=story.status, urls=urls(job.id, base), **said)


def to_view(story: Story, base: str) -> StoryView:
    """Return a story as it is now."""
    job, told = story.job, _told(story.snapshot)
    outlook = story.outlooks.get(job.id)
    fault = job.fault if job.status in {Status.FAILED, Status.CANCELLED} else None
    ends = [each.job.must_finish_by for each in story.pictures.values() if not each.job.status.terminal]
    return StoryView(
        id=job.id,
        job_id=job.id,
        content_type="story",
        topic=job.details["topic"],
        level=job.details["level"],
        illustrated=story.illustrated,
        image_count=story.scenes,
        status=story.status,
        message=sentence_of(story),
        error_message=fault.message if fault else None,
        error_code=fault.code if fault else None,
        progress_percentage=job.progress,
        title=told.get("title"),
        text=told.get("text"),
        scenes=[SceneView.model_validate(scene) for scene in told.get("scenes", ())],
        images=to_images(story, base),
        cost=round(job.cost + sum(each.job.cost for each in story.pictures.values()), 6),
        warnings=_warnings(story),
        eta=to_eta(outlook.eta) if outlook else None,
        created_at=job.created_at,
        started_at=job.started_at,
        text_completed_at=job.completed_at if job.status is Status.COMPLETED else None,
        must_finish_by=max([job.must_finish_by, *ends]),
        cancellation=to_cancellation(story.receipt),
        urls=urls(job.id, base),
    )


def to_list(stories: Sequence[Story], wanted: StoryStatus | None, limit: int, base: str) -> StoryList:
    """Return one page, without the texts; of those, the ones that stand as `wanted`."""
    more = len(stories) == limit
    views = [to_view(story, base).model_copy(update={"text": None, "scenes": []}) for story in stories]
    return StoryList(
        results=[view for view in views if wanted in {None, view.status}],
        next_cursor=cursor_of(stories[-1].job) if more else None,
    )


def to_images_view(story: Story, base: str) -> ImagesView:
    """Return how the pictures are getting on."""
    images = to_images(story, base)
    waits = [outlook.eta.p50 for outlook in story.outlooks.values() if outlook is not None]
    return ImagesView(
        status=_images_status(story),
        total=len(images),
        completed=sum(image.status == "completed" for image in images),
        failed=sum(image.status == "failed" for image in images),
        message=sentence_of(story),
        current_provider=next(
            (image.provider for image in images if image.status == "generating" and image.provider), None
        ),
        estimated_time_remaining=max(waits) if waits and not story.ended else None,
        images=images,
        cancellation=to_cancellation(story.receipt),
    )


def to_images(story: Story, base: str) -> list[StoryImage]:
    """Return a story's pictures in order; those that are not ordered yet are pending, or failed with their story."""
    if not story.illustrated:
        return []
    return [
        to_image(number, story.pictures.get(number), base, lost=story.lost) for number in range(1, story.scenes + 1)
    ]


def to_image(number: int, picture: Snapshot | None, base: str, lost: str | None = None) -> StoryImage:
    """Return a picture as it is now; `lost`: why there will be none where none was ordered."""
    if picture is None:
        nothing = dict.fromkeys(("image_url", "thumbnail_url", "provider", "code", "job_id", "cancellation"))
        status: ImageStatus = "failed" if lost else "pending"
        return StoryImage(
            event_number=number, status=status, alt_text="", error=lost, attempts=0, warnings=[], **nothing
        )
    job = picture.job
    made: Json = (picture.result or {"images": [{}]})["images"][0]
    status = IMAGE_STATUS[job.status]
    fault = job.fault if status == "failed" else None
    return StoryImage(
        event_number=number,
        status=status,
        image_url=absolute_or_none(made.get("location"), base),
        thumbnail_url=absolute_or_none(made.get("thumbnail"), base),
        alt_text=made.get("alt_text") or job.title,
        provider=made.get("provider") or (job.step.provider if job.step else "") or job.details.get("provider"),
        error=fault.message if fault else None,
        code=fault.code if fault else None,
        attempts=job.attempt,
        job_id=job.id,
        warnings=list(job.warnings),
        cancellation=to_cancellation(job.cancellation),
    )


def to_progress(update: Update) -> Json:
    """Return how the text is getting on, as an event."""
    job, record = update.job, update.record
    return {
        "type": "text",
        "status": "processing" if job.started_at is not None else "pending",
        "stage": record.stage if record else job.stage,
        "progress": record.progress if record else job.progress,
        "message": record.message if record else sentence(job),
    }


def to_picture_message(picture: Snapshot, base: str) -> Json:
    """Return a picture's present state as an event."""
    shown = to_image(picture.job.place + 1, picture, base).model_dump(mode="json", exclude={"warnings"})
    return {"type": "image", **shown, "progress": picture.job.progress, "message": sentence(picture.job)}


def to_last_message(story: Story, base: str) -> Json:
    """Return how a story ended, as its stream's last event."""
    return {"type": "complete", **to_images_view(story, base).model_dump(mode="json", include=set(COUNTS))}


def etag(story: Story) -> str:
    """Return a weak tag over what is stored; estimates, which change by the clock, are left out."""
    album = [story.album.phase, len(story.album.items)] if story.album is not None else []
    revisions = [(number, each.job.id, each.job.rev) for number, each in sorted(story.pictures.items())]
    seen = hashlib.sha256(repr((story.job.created_at, story.job.rev, album, revisions)).encode())
    return f'W/"{seen.hexdigest()[:20]}"'


def _images_status(story: Story) -> ImagesStatus:
    status = story.status
    return "failed" if status == "cancelled" else status


def _told(snapshot: Snapshot) -> Json:
    """Return the text: of the result, else as the log tells it."""
    if snapshot.result is not None:
        return snapshot.result
    found = (record.data["story"] for record in reversed(snapshot.records) if "story" in record.data)
    return next(found, {})


def _warnings(story: Story) -> list[str]:
    each = (warning for picture in story.pictures.values() for warning in picture.job.warnings)
    return list(dict.fromkeys([*story.job.warnings, *each]))
