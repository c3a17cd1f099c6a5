"""A story as of one moment, and what is said of it in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from atelier.api.job_views import sentence
from atelier.api.stories.orders import ROOT
from atelier.api.stories.schemas import StoryStatus
from atelier.errors import AtelierError, Conflict, NotFound
from atelier.jobs.estimates import Outlook
from atelier.jobs.groups import Group, standing_of
from atelier.jobs.models import Billed, Job, Receipt, Snapshot, Status

DELETED = "The image was deleted."
DEARER: tuple[Billed, ...] = ("no", "unknown", "yes")

_NAMES: dict[Status, StoryStatus] = {
    Status.PROCESSING: "processing",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}


@dataclass(frozen=True, kw_only=True)
class Story:
    """A story as of one moment: its job with its log, its pictures' jobs by scene, and what is to be expected of each."""

    snapshot: Snapshot
    album: Group | None = None
    pictures: Mapping[int, Snapshot] = field(default_factory=dict)
    outlooks: Mapping[str, Outlook | None] = field(default_factory=dict)

    @property
    def job(self) -> Job:
        """The job that writes it."""
        return self.snapshot.job

    @property
    def illustrated(self) -> bool:
        """Whether it has pictures, or will."""
        return self.job.tags.get("illustrated") == "yes"

    @property
    def scenes(self) -> int:
        """How many scenes it has, or will have."""
        return int(self.job.details["scenes"])

    @property
    def status(self) -> StoryStatus:
        """What the text's job says until it has ended; then what the pictures make of it."""
        job = self.job
        if not job.status.terminal:
            return "processing" if job.started_at is not None else "pending"
        if self.album is None:
            return "completed" if job.status is Status.COMPLETED and not self.illustrated else _badly(job)
        return _NAMES[standing_of(self.album, (each.job.status for each in self.pictures.values())).status]

    @property
    def deleted(self) -> bool:
        """Whether every picture was ordered: one that is not there was deleted since."""
        return self.album is not None and self.album.complete

    @property
    def lost(self) -> str | None:
        """Why a picture that is not there will not come as things stand; None: it may come yet."""
        if self.deleted:
            return DELETED
        if self.album is not None or not self.job.status.terminal:
            return None
        return self.job.fault.message if self.job.fault is not None else DELETED

    @property
    def receipt(self) -> Receipt | None:
        """What cancelling achieved: of text and pictures, of which each has its own, what may have cost most."""
        each = (job.cancellation for job in (self.job, *(picture.job for picture in self.pictures.values())))
        return max((receipt for receipt in each if receipt), key=lambda one: DEARER.index(one.billed), default=None)

    @property
    def ended(self) -> bool:
        """Whether nothing of it goes on."""
        return self.status not in {"pending", "processing"}


def _badly(job: Job) -> StoryStatus:
    return "cancelled" if job.status is Status.CANCELLED else "failed"


def sentence_of(story: Story) -> str:
    """Say in a sentence how the story is."""
    job, total = story.job, story.scenes if story.illustrated else 0
    if not job.status.terminal or (job.status is not Status.COMPLETED and story.album is None):
        return sentence(job)
    if not total:
        return "The story is ready."
    done = [each.job for each in story.pictures.values() if each.job.status.terminal]
    gone = total - len(story.pictures) if story.deleted else 0
    if not story.ended:
        return f"Generating image {min(len(done) + gone + 1, total)}/{total}..."
    return _outcome(done, gone, total)


def _outcome(done: list[Job], gone: int, total: int) -> str:
    """Say how the pictures ended: those whose jobs are there, and so many that were deleted."""
    ready = sum(each.status is Status.COMPLETED for each in done)
    if ready == total:
        return f"All {total} images are ready." if total > 1 else "The image is ready."
    if ready:
        return f"{ready} of {total} images are ready; {_others(len(done) - ready, gone)}."
    if gone == total:
        return "All images were deleted." if total > 1 else DELETED
    return next((each.fault.message for each in done if each.fault), "No image could be generated.")


def _others(bad: int, gone: int) -> str:
    """Say what is with the pictures that are not ready: so many failed, so many were deleted."""
    if not gone:
        return "the others can be retried"
    if not bad:
        return "the others were deleted" if gone > 1 else "the other was deleted"
    return f"{bad} can be retried, {gone} {'were' if gone > 1 else 'was'} deleted"


def not_there(story: Story, number: int) -> AtelierError:
    """Return why a picture that has no job cannot be drawn again."""
    if not story.illustrated or number > story.scenes:
        return NotFound("There is no such image.")
    if story.deleted:
        return Conflict("The image was deleted with its job, and cannot be drawn again.")
    if story.album is not None or not story.job.status.terminal:
        return Conflict("The image was not ordered yet: it is drawn as soon as the text is there. Wait for it.")
    itself = urls(story.job.id, "")["retry"]
    became = "was cancelled" if story.job.status is Status.CANCELLED else "failed"
    return Conflict(f"The image was never ordered, for its story {became}: retry the story itself, POST {itself}.")


def urls(story_id: str, base: str) -> dict[str, str]:
    """Return where a story can be read, watched, cancelled, retried and shared."""
    own = f"{base}{ROOT}/{story_id}/"
    there = {"self": own, "images": f"{own}images/status/", "stream": f"{own}images/stream/"}
    return there | {name: f"{own}{name}/" for name in ("cancel", "retry", "ticket")}
