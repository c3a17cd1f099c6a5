"""What callers are told of a story at each moment, from its job and its pictures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.jobs import new_job

from atelier.api.stories.seen import Story, not_there, sentence_of
from atelier.api.stories.translate import to_images_view, to_view
from atelier.errors import Conflict, NotFound
from atelier.jobs.groups import Group, Item
from atelier.jobs.models import Fault, Job, Receipt, Record, Snapshot, Status
from atelier.pipelines.story.models import KIND, PICTURES

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = {"title": "Ada", "text": "One.", "scenes": [{"number": 1, "text": "One.", "alt_text": "A fox."}]}
FAULT = Fault(code="internal", message="It broke.", retryable=False)
WAITS, RUNS, DONE = Status.PENDING, Status.PROCESSING, Status.COMPLETED
LOST, STOPPED = Status.FAILED, Status.CANCELLED


def text_job(status: Status, *, illustrated: bool = True, scenes: int = 2) -> Job:
    bad = status in {LOST, STOPPED}
    return new_job(
        NOW,
        kind=KIND,
        status=status,
        started_at=None if status is WAITS else NOW,
        tags={"illustrated": "yes" if illustrated else "no"},
        details={"topic": "A fox", "level": "A2", "scenes": str(scenes)},
        fault=FAULT if bad else None,
    )


def story(status: Status, *pictures: Status | None, illustrated: bool = True, complete: bool = False) -> Story:
    """Return a story whose pictures stand so; None: a picture's job is not there."""
    members = {
        place + 1: Snapshot(
            job=new_job(NOW, f"p{place}", place=place, status=each, fault=FAULT if each is LOST else None)
        )
        for place, each in enumerate(pictures)
        if each is not None
    }
    album = Group(
        id="g",
        kind=PICTURES,
        member_kind="image",
        owner="ann",
        created_at=NOW,
        deadline=NOW,
        items=tuple(Item(name=str(number)) for number in (1, 2)),
        content="",
        complete=complete,
    )
    return Story(
        snapshot=Snapshot(job=text_job(status, illustrated=illustrated)),
        album=album if pictures else None,
        pictures=members,
    )


@pytest.mark.parametrize(
    ("seen", "status", "message"),
    [
        (story(WAITS), "pending", "Queued"),
        (story(RUNS), "processing", "Pending"),
        (story(LOST), "failed", "It broke."),
        (story(DONE, illustrated=False), "completed", "The story is ready."),
        (story(RUNS, WAITS), "processing", "Pending"),
        (story(DONE, DONE), "processing", "Generating image 2/2..."),
        (story(DONE, RUNS, WAITS), "processing", "Generating image 1/2..."),
        (story(DONE, LOST, RUNS), "processing", "Generating image 2/2..."),
        (story(DONE, LOST, DONE), "completed", "1 of 2 images are ready; the others can be retried."),
        (story(DONE, DONE, DONE), "completed", "All 2 images are ready."),
        (story(DONE, LOST, LOST), "failed", "It broke."),
        (story(DONE, STOPPED, LOST), "failed", "It broke."),
        (story(DONE, STOPPED, STOPPED), "failed", "No image could be generated."),
        (story(STOPPED, STOPPED, STOPPED), "failed", "No image could be generated."),
    ],
)
def test_status_and_message_follow_from_text_and_pictures(seen: Story, status: str, message: str) -> None:
    view = to_images_view(seen, "http://x")
    assert (view.status, view.message) == (status, message)


def test_only_a_story_says_that_it_was_cancelled() -> None:
    assert to_view(story(STOPPED), "http://x").status == "cancelled"
    assert to_view(story(DONE, STOPPED, STOPPED), "http://x").status == "cancelled"
    assert to_view(story(DONE, STOPPED, LOST), "http://x").status == "failed"


@pytest.mark.parametrize("status", [RUNS, LOST])
def test_a_text_that_was_told_is_read_whatever_becomes_of_its_job(status: Status) -> None:
    told = Record(
        seq=4,
        run=1,
        attempt=1,
        stage="writing",
        status=RUNS,
        progress=90,
        message="There",
        at=NOW,
        data={"story": TEXT},
    )
    view = to_view(Story(snapshot=Snapshot(job=text_job(status), records=(told,))), "http://x")
    assert (view.title, view.text, view.scenes[0].text) == ("Ada", "One.", "One.")
    assert to_view(Story(snapshot=Snapshot(job=text_job(status))), "http://x").text is None


@pytest.mark.parametrize(
    ("seen", "status", "message"),
    [
        (story(DONE, DONE, None, complete=True), "completed", "1 of 2 images are ready; the other was deleted."),
        (story(DONE, RUNS, None, complete=True), "processing", "Generating image 2/2..."),
        (story(DONE, LOST, None, complete=True), "failed", "It broke."),
        (story(DONE, None, None, complete=True), "failed", "All images were deleted."),
        (story(STOPPED, DONE, None, complete=True), "completed", "1 of 2 images are ready; the other was deleted."),
    ],
)
def test_a_picture_that_was_deleted_is_said_to_be(seen: Story, status: str, message: str) -> None:
    view = to_images_view(seen, "http://x")
    assert (view.status, view.message) == (status, message)
    assert (view.images[1].status, view.images[1].error) == ("failed", "The image was deleted.")


def test_what_is_left_of_many_pictures_is_counted() -> None:
    seen = story(DONE, DONE, LOST, None, None, complete=True)
    five = replace(seen, snapshot=Snapshot(job=text_job(DONE, scenes=5)))
    assert sentence_of(five) == "1 of 5 images are ready; 1 can be retried, 3 were deleted."


@pytest.mark.parametrize(
    ("seen", "number", "kind", "words"),
    [
        (story(RUNS), 1, Conflict, "Wait for it"),
        (story(DONE, DONE, None), 2, Conflict, "Wait for it"),
        (story(LOST), 1, Conflict, "its story failed: retry the story itself, POST /api/ai/generated-content/"),
        (story(STOPPED), 2, Conflict, "its story was cancelled: retry the story itself"),
        (story(DONE, DONE, None, complete=True), 2, Conflict, "deleted"),
        (story(LOST), 3, NotFound, "no such image"),
        (story(DONE, illustrated=False), 1, NotFound, "no such image"),
    ],
)
def test_why_a_picture_without_a_job_cannot_be_drawn_again(
    seen: Story, number: int, kind: type[Exception], words: str
) -> None:
    error = not_there(seen, number)
    assert type(error) is kind
    assert words in error.message


def test_of_several_receipts_the_dearest_is_the_story_s() -> None:
    receipts = [Receipt(requested_at=NOW, outcome="dequeued", billed=billed) for billed in ("no", "yes", "unknown")]
    seen = story(DONE, STOPPED, STOPPED, STOPPED)
    stopped = {
        place: Snapshot(job=replace(picture.job, cancellation=receipt))
        for (place, picture), receipt in zip(seen.pictures.items(), receipts, strict=True)
    }
    view = to_view(replace(seen, pictures=stopped), "http://x")
    assert view.cancellation is not None
    assert view.cancellation["billed"] == "yes"
    assert [one.cancellation and one.cancellation["billed"] for one in view.images] == ["no", "yes"]
    assert to_view(seen, "http://x").cancellation is None
