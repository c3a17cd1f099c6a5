"""Front door C's messages: what they say of every state, and that they are short."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sockets import check

from atelier.api.media import orders, translate
from atelier.api.media.schemas import MediaRequest
from atelier.api.media.translate import Sight, guess, to_message, to_unknown
from atelier.api.streams import compact
from atelier.errors import InvalidInput
from atelier.jobs.models import Fault, Job, ProviderQueue, Reason, Record, Snapshot, Status, Step, Update
from atelier.pipelines.ports import Offer

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)
TWELVE_SECONDS_AGO = NOW - timedelta(seconds=12)
LONGEST_TASK = "t" * 128


def job(**fields: Any) -> Job:
    usual: dict[str, Any] = {
        "id": "a" * 32, "kind": "image", "owner": "ann", "created_at": TWELVE_SECONDS_AGO, "updated_at": NOW,
        "must_finish_by": NOW, "max_attempts": 3, "status": Status.PROCESSING, "stage": "generating", "progress": 15.0,
        "seq": 3, "started_at": TWELVE_SECONDS_AGO, "details": {"steps": "50", "turns": "1"},
    }  # fmt: skip
    return Job(**(usual | fields))


def step(number: int, total: int, part: tuple[str, int, int] = ("", 0, 0), **fields: Any) -> Step:
    name, part_step, part_total = part
    usual: dict[str, Any] = {
        "stage": "generating",
        "progress": 15 + 75 * number / max(total, 1),
        "message": "x",
        "at": NOW,
    }
    return Step(step=number, total=total, part=name, part_step=part_step, part_total=part_total, **(usual | fields))


def said(of: Job, *, record: Record | None = None, ahead: int | None = None, task: str = "task-1", **sight: Any) -> Any:
    result = {"images": [{"location": "/pictures/a/b.png"}]} if of.status is Status.COMPLETED else None
    update = Update(job=of, record=record, result=result, ahead=ahead)
    message = to_message(update, Sight(task_id=task, base="http://a", now=NOW, **sight))
    check(message, task)
    return message


def record(of: Job, **fields: Any) -> Record:
    usual: dict[str, Any] = {
        "seq": 2, "run": 1, "attempt": 1, "stage": of.stage, "status": of.status, "progress": of.progress,
        "message": "m", "at": NOW,
    }  # fmt: skip
    return Record(**(usual | fields))


def test_the_message_of_the_documented_example() -> None:
    message = said(job(step=step(32, 50, ("base_model", 32, 50)), progress=63.0), left=26.3)
    assert message == {
        "type": "progress",
        "task_id": "task-1",
        "status": "generating",
        "current_step": 32,
        "total_steps": 50,
        "percentage": 64.0,
        "current_stage": "base_model",
        "elapsed_time": 12.0,
        "estimated_remaining": 26.3,
        "message": "Base model generation: step 32/50",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "seq": 3,
        "job_id": "a" * 32,
    }


def test_a_task_that_nobody_asked_for_is_pending_with_zeros() -> None:
    message = to_unknown(Sight(task_id="task-1", base="http://a", now=NOW))
    check(message, "task-1")
    numbers = [message[name] for name in ("current_step", "total_steps", "percentage", "elapsed_time", "seq")]
    assert (message["status"], numbers) == ("pending", [0, 0, 0, 0, 0])


def test_two_models_take_turns() -> None:
    refining = job(step=step(43, 50, ("refiner_model", 3, 10)), progress=79.5, details={"steps": "50", "turns": "2"})
    message = said(refining)
    assert (message["current_step"], message["total_steps"], message["percentage"]) == (43, 50, 86.0)
    assert (message["current_stage"], message["message"]) == ("refiner_model", "Refiner model generation: step 3/10")
    begun = job(step=step(40, 50, ("refiner_model", 0, 10)), progress=75.0)
    assert said(begun)["message"] == "Stage 2: starting refiner model"
    storing = job(stage="uploading", progress=90.0, details={"steps": "50", "turns": "2"})
    assert (said(storing)["current_stage"], said(storing)["percentage"]) == ("refiner_model", 100)


@pytest.mark.parametrize(
    ("fields", "sentence", "status"),
    [
        ({"status": Status.QUEUED, "stage": "queued", "progress": 0.0, "started_at": None}, "Queued", "pending"),
        ({"status": Status.PENDING, "stage": "pending", "progress": 0.0, "started_at": None}, "Queued", "pending"),
        ({"stage": "processing", "progress": 5.0}, "Stage 1: starting base model", "generating"),
        ({}, "Stage 1: starting base model", "generating"),
        ({"stage": "uploading", "progress": 90.0}, "Storing the image", "generating"),
        ({"state_reason": Reason.CANCELLING}, "Cancelling", "generating"),
        ({"status": Status.COMPLETED, "progress": 100.0, "stage": "completed"}, "Image generated successfully", "completed"),
    ],
)  # fmt: skip
def test_every_state_has_its_sentence(fields: dict[str, Any], sentence: str, status: str) -> None:
    message = said(job(**fields))
    assert (message["message"], message["status"]) == (sentence, status)


def test_waits_say_what_for() -> None:
    fault = Fault(code="provider_unavailable", message="It is down.", retryable=True)
    queued: dict[str, Any] = {"status": Status.QUEUED, "stage": "generating", "progress": 52.5}
    assert said(job(**queued, state_reason=Reason.RETRYING, fault=fault))["message"] == "Retrying: It is down."
    assert said(job(**queued, state_reason=Reason.WAITING_FOR_SLOT))["message"] == "Waiting for a slot"
    assert said(job(**queued), ahead=3)["message"] == "Waiting for a slot: 3 before it"
    waits = step(
        0, 0, message="Waiting in the provider's queue: place 2", queue=ProviderQueue(position=2, seconds=None)
    )
    assert said(job(step=waits))["message"] == "Waiting in the provider's queue: place 2"


@pytest.mark.parametrize(
    ("status", "error"), [(Status.FAILED, "Out of memory"), (Status.CANCELLED, "Cancelled")]
)  # fmt: skip
def test_failures_have_their_error(status: Status, error: str) -> None:
    ended = job(
        status=status, stage="error", progress=63.0, fault=Fault(code="internal", message=error, retryable=False)
    )
    message = said(ended)
    assert (message["status"], message["error"]) == ("failed", error)
    assert message["message"] == f"Generation failed: {error}"
    again = job(run=2, status=Status.QUEUED, progress=0.0, started_at=None)
    old = record(ended, stage="error", data={"error": error})
    assert said(again, record=old)["error"] == error, "as the record has it, though the job has begun anew"


def test_an_attempt_that_begins_anew_holds_the_bar() -> None:
    message = said(job(step=step(2, 50, ("base_model", 2, 50)), progress=63.0))
    assert (message["current_step"], message["percentage"]) == (2, 64.0)
    waiting = said(job(status=Status.QUEUED, progress=63.0, state_reason=Reason.RETRYING))
    assert (waiting["current_step"], waiting["percentage"]) == (32, 64.0)


def test_time_does_not_go_back_where_a_record_is_told_late() -> None:
    late = job()
    assert said(late, record=record(late, at=TWELVE_SECONDS_AGO), elapsed=11.5)["elapsed_time"] == 11.5
    assert said(late, elapsed=11.5)["elapsed_time"] == 12.0


def test_guessed_steps_are_marked_and_held() -> None:
    silent = job(details={"turns": "1"})
    message = said(silent, guessed=20)
    assert (message["current_step"], message["total_steps"], message["estimated"]) == (20, 50, True)
    assert message["message"] == "Base model generation: step 20/50"
    told = job(details={"turns": "1"}, step=step(1, 20))
    message = said(told, guessed=20)
    assert "estimated" not in message
    assert (message["current_step"], message["total_steps"], message["percentage"]) == (1, 20, 40.0)


@given(usual=st.floats(0.1, 1000), times=st.lists(st.floats(0, 100_000), min_size=2))
def test_a_guess_rises_with_time_and_never_reaches_the_end(usual: float, times: list[float]) -> None:
    guesses = [guess(seconds, usual) for seconds in sorted(times)]
    assert guesses == sorted(guesses)
    assert all(0 <= number < 50 for number in guesses)


def test_a_guess_without_anything_to_go_by_is_none() -> None:
    assert guess(10, 0) == guess(-1, 10) == 0


@given(
    text=st.text(min_size=1, max_size=2000),
    base=st.sampled_from(["http://a", "https://" + "a" * 250]),
    status=st.sampled_from([Status.PROCESSING, Status.COMPLETED, Status.FAILED]),
)
def test_whatever_it_says_it_is_short(text: str, base: str, status: Status) -> None:
    fault = Fault(code="internal", message=text, retryable=False)
    preview = step(32, 50, ("base_model", 32, 50), preview="/pictures/" + "p" * 60)
    fields: dict[str, Any] = {
        "status": status,
        "fault": fault,
        "step": preview if status is Status.PROCESSING else None,
    }
    result = {"images": [{"location": "/pictures/" + "p" * 60}]}
    sight = Sight(task_id=LONGEST_TASK, base=base, now=NOW, left=123.4)
    message = to_message(Update(job=job(**fields), record=None, result=result), sight)
    assert len(compact(message).encode()) <= 600
    assert json.loads(compact(message)) == message
    if status is Status.FAILED:
        assert message["error"]
        assert message["message"].startswith("Generation failed: ")
    if status is Status.COMPLETED:
        assert "error" not in message
        assert "image_url" in message or message["job_id"]


@pytest.mark.parametrize(
    ("host", "task", "kept"), [(22, 128, "image_url"), (150, 36, "image_url"), (180, 128, "job_id")]
)
def test_the_address_of_a_finished_picture_goes_last(host: int, task: int, kept: str) -> None:
    result = {"images": [{"location": "/pictures/" + "p" * 60}]}
    sight = Sight(task_id="t" * task, base="http://" + "a" * host, now=NOW)
    message = to_message(Update(job=job(status=Status.COMPLETED), record=None, result=result), sight)
    assert kept in message
    assert "error" not in message
    assert message["message"] == "Image generated successfully"


@pytest.mark.parametrize("text", ["x", "é", "…", "x…", "\U0001f600", '"', "\n", "पन्ह "])
def test_an_error_of_any_length_is_cut_to_what_fits(text: str) -> None:
    for length in (*range(150, 330), 2000):
        fault = Fault(code="internal", message=(text * length)[:length], retryable=False)
        message = said(job(status=Status.FAILED, fault=fault))
        assert len(compact(message).encode()) <= 600
        assert message["error"].strip("…") or text == "…"
        assert message["error"] == fault.message or message["error"].endswith("…")


def test_what_is_sent_most_is_never_shortened() -> None:
    message = said(job(status=Status.COMPLETED, progress=100.0), task="task-1765949075123")
    assert message["image_url"] == "http://a/pictures/a/b.png"
    assert message["job_id"]


def test_the_answer_has_the_documented_fields_whatever_came_of_it() -> None:
    failed = job(status=Status.FAILED, fault=Fault(code="provider_refused", message="No.", retryable=False))
    answer = translate.to_answer(Snapshot(job=failed), "task-1", "http://a")
    assert (answer["success"], answer["message"], answer["code"], answer["retryable"]) == (
        False,
        "No.",
        "provider_refused",
        False,
    )
    waiting = translate.to_answer(Snapshot(job=job()), None, "http://a")
    assert (waiting["success"], waiting["code"], waiting["retryable"], waiting["task_id"]) == (
        False,
        "timeout",
        True,
        None,
    )


def asked(**fields: Any) -> MediaRequest:
    return orders.understood(MediaRequest.model_validate({"prompt": "A hill", **fields}))


def test_high_quality_is_a_quality() -> None:
    assert asked(high_quality=True).quality == "high"
    assert asked(high_quality=True, quality="draft").quality == "draft"
    assert asked(high_quality=False).quality == asked().quality == "standard"


def test_what_is_left_out_means_its_default_and_the_name_means_nothing() -> None:
    plain = orders.meaning(asked())
    same: list[dict[str, Any]] = [
        {"use_generation": True}, {"use_refinement": False}, {"high_quality": False}, {"task_id": "x"},
        {"quality": "standard"}, {"aspect_ratio": "1:1"},
    ]  # fmt: skip
    for fields in same:
        assert orders.meaning(asked(**fields)) == plain, fields
    for fields in ({"use_refinement": True}, {"high_quality": True}, {"seed": 1}):
        assert orders.meaning(asked(**fields)) != plain, fields
    assert orders.meaning(asked(high_quality=True)) == orders.meaning(asked(quality="high"))


def test_without_generation_there_is_nothing() -> None:
    with pytest.raises(InvalidInput) as refused:
        asked(use_generation=False)
    assert refused.value.loc == ("body", "use_generation")


def offer(*, steps: int | None, refines: bool = False) -> Offer:
    told = {} if steps is None else {"standard": steps}
    return Offer(
        models=(), styles=(), aspect_ratios=(), qualities=("standard",), formats=("png",), steps=told, refines=refines
    )


def test_steps_are_told_where_every_provider_that_may_draw_tells_them() -> None:
    told, silent = offer(steps=20, refines=True), offer(steps=None)
    named = orders.to_order(asked(provider="sandbox", use_refinement=True), {"gemini": silent, "sandbox": told})
    assert (named.details["steps"], named.details["turns"], named.params.refine) == ("20", "2", True)
    mixed = orders.to_order(asked(use_refinement=True), {"sandbox": told, "gemini": silent})
    assert "steps" not in mixed.details
    both = orders.to_order(asked(), {"sandbox": told, "diffusers": offer(steps=50)})
    assert (both.details["steps"], both.details["turns"], both.params.refine) == ("20", "1", False)


def test_no_idempotency_key_is_a_task_s() -> None:
    assert " " in orders.key_of("task-1"), "which no such key holds"
