"""The state machine under whatever sequence of events chance makes."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.jobs import new_job

from atelier.errors import JobConflict
from atelier.jobs.events import (
    Advanced,
    Cancelled,
    CancelRequested,
    Claimed,
    Completed,
    Event,
    Failed,
    Held,
    Noted,
    Postponed,
    Queued,
    Redispatched,
    RemovalBegun,
    RemovalGivenUp,
    Reopened,
    Retried,
    Snoozed,
    StageStarted,
)
from atelier.jobs.lifecycle import apply, play, record_of, touch
from atelier.jobs.models import Fault, Job, ProviderQueue, Reason, Receipt, Record, Status, Step

START = datetime(2026, 1, 1, tzinfo=UTC)
FAULT = Fault(code="provider_unavailable", message="Down.", retryable=True)
RECEIPT = Receipt(requested_at=START, outcome="dequeued", billed="no")

Path = list[tuple[Job, Event, Job, Record | None]]
LONGEST, OF_EACH = 60, 12


@dataclass(frozen=True, slots=True)
class Fate:
    """Makes events by chance."""

    chance: random.Random

    def moment(self) -> datetime:
        return START + timedelta(seconds=self.chance.randrange(10_000))

    def percent(self) -> float:
        return self.chance.choice([0.0, 100.0, self.chance.uniform(0, 100)])

    def event(self, kind: type[Event]) -> Event:
        """Return an event of a kind, whatever else it says."""
        pick, moment = self.chance.choice, self.moment()
        made: dict[type[Event], Event] = {
            Queued: Queued(run_at=moment),
            Redispatched: Redispatched(),
            Claimed: Claimed(worker=pick(["w-1", "w-2"]), lease_until=moment),
            StageStarted: StageStarted(stage=pick(["processing", "generating"]), progress=self.percent(), message="Go"),
            Advanced: Advanced(progress=self.percent(), message="Kept", shows=pick([{}, {"a": 1}, {"b": 2}])),
            Noted: Noted(
                billed=pick(["no", "unknown", "yes"]),
                cost=self.chance.random(),
                warnings=pick([(), ("a",), ("a", "b")]),
            ),
            Retried: Retried(run_at=moment, fault=FAULT),
            Snoozed: Snoozed(run_at=moment, reason=pick([None, *Reason])),
            Held: Held(),
            Postponed: Postponed(must_finish_by=moment),
            CancelRequested: CancelRequested(),
            Completed: Completed(),
            Failed: Failed(fault=FAULT),
            Cancelled: Cancelled(receipt=RECEIPT),
            Reopened: Reopened(run_at=pick([None, moment]), must_finish_by=self.moment()),
            RemovalBegun: RemovalBegun(),
            RemovalGivenUp: RemovalGivenUp(),
        }
        return made[kind]

    def next(self, job: Job) -> Event:
        """Return what may well come next; now and then anything."""
        likely = [StageStarted, Advanced, Noted, Cancelled] if job.cancel_requested_at else LIKELY[job.status]
        return self.event(self.chance.choice(likely if self.chance.random() < 0.8 else KINDS))

    def history(self, length: int) -> Path:
        """Return accepted events with the headers around each and its record; what is refused changes nothing."""
        job, path = new_job(START), Path()
        for _ in range(length):
            event = self.next(job)
            try:
                after = apply(job, event, self.moment())
            except JobConflict:
                continue
            path.append((job, event, after, record_of(after, event)))
            job = after
        return path


KINDS: list[type[Event]] = list(get_args(Event))
# Ends are rarer than work, or no history would come far.
LIKELY: dict[Status, list[type[Event]]] = {
    Status.PENDING: [Queued, Queued, Queued, Postponed, Cancelled],
    Status.QUEUED: [Claimed, Claimed, Claimed, Claimed, Redispatched, Postponed, Cancelled],
    Status.PROCESSING: [
        StageStarted, StageStarted, StageStarted, Advanced, Advanced, Advanced, Noted, Noted, Retried, Snoozed, Held,
        Postponed, CancelRequested, Completed, Failed, Cancelled,
    ],
    Status.COMPLETED: KINDS,
    Status.FAILED: [Reopened, Reopened, RemovalBegun, RemovalGivenUp],
    Status.CANCELLED: [Reopened, Reopened, RemovalBegun, RemovalGivenUp],
}  # fmt: skip


def only_reopened_leaves_a_terminal_state(path: Path) -> None:
    for before, event, after, _ in path:
        if before.status.terminal and after.status is not before.status:
            assert isinstance(event, Reopened)
            assert before.status is not Status.COMPLETED


def nothing_changes_after_the_end_but_the_mark_of_what_is_to_go(path: Path) -> None:
    for before, event, after, record in path:
        if before.status.terminal and not isinstance(event, Reopened):
            only = {"removing": isinstance(event, RemovalBegun), "rev": after.rev, "updated_at": after.updated_at}
            assert (after, record) == (before.changed(only), None)
        assert after.status.terminal or not (before.removing or after.removing), "what is to go never runs again"


def numbers_count_and_every_change_counts(path: Path) -> None:
    numbers = []
    for before, _, after, record in path:
        assert after.rev == before.rev + 1
        assert after.fence >= before.fence
        assert after.dispatch >= before.dispatch
        assert after.updated_at >= before.updated_at
        if record is not None:
            numbers.append(record.seq)
    assert numbers == list(range(1, len(numbers) + 1))


def progress_never_falls_within_a_run(path: Path) -> None:
    for before, _, after, _ in path:
        assert after.progress >= before.progress or after.run > before.run


def each_run_has_at_most_one_terminal_record_and_it_is_its_last(path: Path) -> None:
    runs: dict[int, list[Record]] = {}
    for _, _, _, record in path:
        if record is not None:
            runs.setdefault(record.run, []).append(record)
    for records in runs.values():
        assert not any(record.status.terminal for record in records[:-1])


def after_a_cancel_request_every_end_is_cancelled(path: Path) -> None:
    for before, _, after, _ in path:
        if before.cancel_requested_at is not None and after.status is not before.status:
            assert after.status is Status.CANCELLED or after.run > before.run


def a_claim_counts_an_attempt_and_only_waiting_gives_it_back(path: Path) -> None:
    for before, event, after, _ in path:
        match event:
            case Claimed():
                assert (after.attempt, after.fence) == (before.attempt + 1, before.fence + 1)
            case Snoozed() | Held():
                assert after.attempt == before.attempt - 1
            case Reopened():
                assert after.attempt == 0
            case _:
                assert after.attempt == before.attempt


def every_decision_to_queue_takes_the_next_dispatch(path: Path) -> None:
    for before, event, after, _ in path:
        queues = isinstance(event, Queued | Retried | Snoozed | Redispatched)
        queues = queues or (isinstance(event, Reopened) and event.run_at is not None)
        assert after.dispatch == before.dispatch + queues
        assert not queues or after.status is Status.QUEUED


def only_live_jobs_ask_for_attention(path: Path) -> None:
    for _, _, after, _ in path:
        assert (after.attention_at is None) == after.status.terminal
        if after.attention_at is not None:
            assert after.attention_at <= after.must_finish_by


def a_deadline_is_only_ever_postponed_within_a_run(path: Path) -> None:
    for before, event, after, record in path:
        if isinstance(event, Postponed):
            assert after.must_finish_by == max(before.must_finish_by, event.must_finish_by)
            assert (record, after.status, before.status.terminal) == (None, before.status, False)
        elif not isinstance(event, Reopened):
            assert after.must_finish_by == before.must_finish_by


def what_is_shown_stays_shown(path: Path) -> None:
    for before, event, after, _ in path:
        assert after.shows == (before.shows | event.shows if isinstance(event, Advanced) else before.shows)


def a_run_tells_of_nothing_but_itself(path: Path) -> None:
    for before, event, after, _ in path:
        assert (after.completed_at is not None) == after.status.terminal
        assert (after.cancellation is not None) == (after.status is Status.CANCELLED)
        if isinstance(event, Reopened):
            assert after.started_at is None
        elif before.started_at is not None:
            assert after.started_at == before.started_at, "a run began with its first attempt"


LAWS = (
    only_reopened_leaves_a_terminal_state,
    nothing_changes_after_the_end_but_the_mark_of_what_is_to_go,
    numbers_count_and_every_change_counts,
    progress_never_falls_within_a_run,
    each_run_has_at_most_one_terminal_record_and_it_is_its_last,
    after_a_cancel_request_every_end_is_cancelled,
    a_claim_counts_an_attempt_and_only_waiting_gives_it_back,
    every_decision_to_queue_takes_the_next_dispatch,
    only_live_jobs_ask_for_attention,
    a_deadline_is_only_ever_postponed_within_a_run,
    what_is_shown_stays_shown,
    a_run_tells_of_nothing_but_itself,
)


def test_every_law_holds_for_every_history() -> None:
    """Short ones come first: what breaks is told by a short one."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    fate, came = Fate(random.Random(seed)), Counter[type[Event]]()
    for length in range(1, LONGEST):
        for _ in range(OF_EACH):
            path = fate.history(length)
            for law in LAWS:
                law(path)
            came.update(type(event) for _, event, _, _ in path)
    assert min(came[kind] for kind in KINDS) > 50, came


def processing() -> Job:
    job, _ = play(
        new_job(START),
        (
            Queued(run_at=START),
            Claimed(worker="w", lease_until=START),
            StageStarted(stage="generating", progress=15, message="Go"),
        ),
        START,
    )
    return job


def step(stage: str, progress: float) -> Step:
    return Step(stage=stage, step=1, total=2, progress=progress, message="step", at=START)


def test_a_step_raises_the_bar_and_renews_the_lease() -> None:
    later = START + timedelta(seconds=30)
    job = touch(processing(), fence=1, lease_until=later, step=step("generating", 40), now=START)
    assert (job.progress, job.lease_until) == (40, later)
    lower = touch(job, fence=1, lease_until=later, step=step("generating", 20), now=START)
    assert lower.progress == 40


def test_a_step_of_a_left_stage_is_dropped() -> None:
    job = touch(processing(), fence=1, lease_until=START, step=step("processing", 80), now=START)
    assert (job.step, job.progress) == (None, 15)


@pytest.mark.parametrize("fence", [0, 2])
def test_a_stale_fence_is_refused(fence: int) -> None:
    with pytest.raises(JobConflict):
        touch(processing(), fence=fence, lease_until=START, step=None, now=START)


def test_an_entered_stage_forgets_the_last_one_s_step() -> None:
    job = touch(processing(), fence=1, lease_until=START, step=step("generating", 40), now=START)
    assert apply(job, StageStarted(stage="uploading", progress=90, message="Up"), START).step is None
    assert apply(job, Advanced(progress=50, message="Kept"), START).step is None, "and so does a milestone"


percent = st.floats(0, 100)


@given(st.lists(st.one_of(percent.map(lambda to: ("stage", to)), percent.map(lambda to: ("step", to)))))
def test_neither_stages_nor_steps_lower_the_bar(moves: list[tuple[str, float]]) -> None:
    job = processing()
    for kind, to in moves:
        before = job.progress
        if kind == "stage":
            job = apply(job, StageStarted(stage="generating", progress=to, message="Go"), START)
        else:
            job = touch(job, fence=1, lease_until=START, step=step("generating", to), now=START)
        assert job.progress == max(before, to)


def at_the_provider() -> Job:
    """Return a job whose order waits in the provider's own queue."""
    job, _ = play(
        new_job(START), [Queued(run_at=START), Claimed(worker="w-1", lease_until=START + timedelta(minutes=1))], START
    )
    queue = ProviderQueue(position=3, seconds=20)
    step = Step(stage=job.stage, step=0, total=0, progress=5, message="Waiting", at=START, queue=queue)
    return touch(job, fence=1, lease_until=START + timedelta(minutes=2), step=step, now=START)


@pytest.mark.parametrize(
    "event",
    [
        StageStarted(stage="uploading", progress=90, message="Go"),
        Advanced(progress=40, message="Kept"),
        Snoozed(run_at=START, reason=None),
        Completed(),
        Failed(fault=FAULT),
    ],
)
def test_a_wait_at_the_provider_is_a_reason_for_as_long_as_it_lasts(event: Event) -> None:
    job = at_the_provider()
    assert job.state_reason is Reason.PROVIDER_QUEUED
    assert apply(job, event, START).state_reason is None
    drawing = Step(stage=job.stage, step=1, total=8, progress=20, message="Drawing", at=START)
    assert touch(job, fence=1, lease_until=START, step=drawing, now=START).state_reason is None
    cancelling = apply(job, CancelRequested(), START)
    assert touch(cancelling, fence=1, lease_until=START, step=job.step, now=START).state_reason is Reason.CANCELLING


def test_a_note_keeps_what_was_spent_and_tells_each_thing_once() -> None:
    job = apply(at_the_provider(), Noted(billed="unknown", cost=0.04, warnings=("lost",)), START)
    again = apply(job, Noted(billed="yes", cost=0.04, warnings=("lost", "more")), START)
    assert (again.cost, again.billed, again.warnings, again.seq) == (0.08, "yes", ("lost", "more"), job.seq)
    assert record_of(again, Noted(billed="yes")) is None
    assert apply(apply(again, CancelRequested(), START), Noted(billed="yes"), START).cost == 0.08
