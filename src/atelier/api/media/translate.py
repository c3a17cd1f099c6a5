"""Front door C's translations: a task's updates to messages, an ended job to the answer. Pure."""

from __future__ import annotations

from datetime import datetime

from atelier.api.images.translate import picture, urls
from atelier.api.job_views import why_it_waits
from atelier.api.media.orders import STEPS, TURNS
from atelier.api.media.schemas import MediaAnswer
from atelier.api.streams import compact, compact_text
from atelier.api.wire import absolute, absolute_or_none
from atelier.frozen import frozen
from atelier.jobs.models import Fault, Job, Json, Reason, Snapshot, Status, Step, Update
from atelier.pipelines.pictures import GENERATING, UPLOADING
from atelier.pipelines.ports import BASE_MODEL, REFINER_MODEL

LIMIT = 600
"""Most bytes of a message."""

GUESSED_TOTAL = 50
"""In how many steps a picture is said to be drawn whose provider tells of none."""

ON_TIME = 0.9
"""How much of its steps such a picture has behind it when it has taken as long as the like do; the rest comes ever slower."""

DONE = "Image generated successfully"
FAILED = frozenset({Status.FAILED, Status.CANCELLED})

SHOWN = {
    Status.PENDING: "pending",
    Status.QUEUED: "pending",
    Status.PROCESSING: "generating",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "failed",
}
NOT_YET = Fault(
    code="timeout",
    message="The picture is not ready yet, and the job goes on; ask for the same task again, or read the job.",
    retryable=True,
)
MODELS = {BASE_MODEL: "Base model", REFINER_MODEL: "Refiner model"}


@frozen
class Sight:
    """What a message is made from beside the update: the task, the service's address, the moment, and what is estimated.

    `left` is in seconds, as is `elapsed`, which was told last and is not gone behind; `guessed` steps are behind a job that
    tells of none; `part` was at work last.
    """

    task_id: str
    base: str
    now: datetime
    left: float = 0.0
    elapsed: float = 0.0
    guessed: int = 0
    part: str = BASE_MODEL


@frozen
class Count:
    """How far the whole run is."""

    current: int
    total: int
    percentage: float


def guesses(job: Job) -> bool:
    """Whether a job's steps have to be guessed: its provider tells of none, or none so far."""
    return STEPS not in job.details and (job.step is None or job.step.total == 0)


def guess(seconds: float, usual: float) -> int:
    """Return how many of the steps a job may have behind it after so many seconds: ever more, and never all of them."""
    if usual <= 0 or seconds <= 0:
        return 0
    share = ON_TIME * seconds / usual if seconds < usual else 1 - (1 - ON_TIME) * usual / seconds
    return min(int(GUESSED_TOTAL * share), GUESSED_TOTAL - 1)


def to_unknown(sight: Sight) -> Json:
    """Return the message about a task that nobody has asked for yet."""
    none = Count(current=0, total=0, percentage=0.0)
    return _progress(sight, "pending", none, BASE_MODEL, 0.0) | {"message": "Waiting for the request", "seq": 0}


def to_message(update: Update, sight: Sight) -> Json:
    """Return an update as a message: a record as it was, or the present state."""
    job, record = update.job, update.record
    status = record.status if record is not None else job.status
    stage = record.stage if record is not None else job.stage
    step = job.step if record is None and not status.terminal else None
    progress = record.progress if record is not None else job.progress
    part = _part(job, step, progress, status, sight)
    count = _count(job, step, progress, status, sight)
    at = record.at if record is not None else job.updated_at if status.terminal else sight.now
    message = _progress(sight, SHOWN[status], count, part, max(_elapsed(job, at), sight.elapsed))
    message["message"] = _sentence(update, stage, step, part, count)
    message |= {"seq": record.seq if record is not None else job.seq, "job_id": job.id}
    if not status.terminal:
        message["estimated_remaining"] = round(sight.left, 1)
    if guesses(job):
        message["estimated"] = True
    return fit(message | _extras(update, status, step, sight.base))


def _progress(sight: Sight, status: str, count: Count, part: str, elapsed: float) -> Json:
    """Return the fields that every message has."""
    return {
        "type": "progress",
        "task_id": sight.task_id,
        "status": status,
        "current_step": count.current,
        "total_steps": count.total,
        "percentage": count.percentage,
        "current_stage": part,
        "elapsed_time": elapsed,
        "estimated_remaining": 0.0,
        "message": "",
        "timestamp": sight.now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def _elapsed(job: Job, at: datetime) -> float:
    began = job.started_at
    return round(max((at - began).total_seconds(), 0.0), 1) if began is not None else 0.0


def _count(job: Job, step: Step | None, progress: float, status: Status, sight: Sight) -> Count:
    """Count over the whole run. What was reached before an attempt that begins anew holds the bar."""
    drawn = min(max((progress - GENERATING) / (UPLOADING - GENERATING), 0.0), 1.0)
    reached = max(drawn, sight.guessed / GUESSED_TOTAL)
    if step is not None and step.total:
        share = step.step / step.total
        held = reached if reached - share > ROUNDING else share
        return Count(current=step.step, total=step.total, percentage=round(100 * held, 1))
    total = int(job.details.get(STEPS, GUESSED_TOTAL))
    current = total if status is Status.COMPLETED else round(total * reached)
    return Count(current=current, total=total, percentage=round(100 * current / total, 1))


ROUNDING = 0.01
"""By how much a job's own bar, which is rounded, may be beyond its steps."""


def _part(job: Job, step: Step | None, progress: float, status: Status, sight: Sight) -> str:
    """Return whose turn it is; of a picture that is drawn, whose it was last."""
    if step is not None and step.part:
        return step.part
    drawn = progress >= UPLOADING or status is Status.COMPLETED
    return REFINER_MODEL if drawn and job.details.get(TURNS) == "2" else sight.part


def _sentence(update: Update, stage: str, step: Step | None, part: str, count: Count) -> str:
    status = update.record.status if update.record is not None else update.job.status
    if status in FAILED:
        return f"Generation failed: {_error(update)}"
    if status is Status.COMPLETED:
        return DONE
    if status is not Status.PROCESSING:
        return _waiting(update)
    if update.record is None and update.job.state_reason is Reason.CANCELLING:
        return "Cancelling"
    return "Storing the image" if stage == "uploading" else _drawing(step, part, count)


def _drawing(step: Step | None, part: str, count: Count) -> str:
    """Say which model is at which of its own steps, or that the provider has not begun."""
    if step is not None and step.queue is not None:
        return step.message
    number, total = (
        (step.part_step, step.part_total) if step is not None and step.part else (count.current, count.total)
    )
    if number:
        return f"{MODELS.get(part, part)} generation: step {number}/{total}"
    return "Stage 2: starting refiner model" if part == REFINER_MODEL else "Stage 1: starting base model"


def _waiting(update: Update) -> str:
    """Say what a job waits for."""
    job = update.job
    if update.ahead is not None:
        return f"Waiting for a slot: {update.ahead} before it"
    if job.state_reason is None or update.record is not None:
        return "Queued"
    why = why_it_waits(job, job.state_reason)
    return f"{why}: {job.fault.message}" if job.fault is not None else why


def _error(update: Update) -> str:
    """Return why a run failed, as its record has it; the job may have begun another."""
    if update.record is not None:
        return str(update.record.data["error"])
    return update.job.fault.message if update.job.fault is not None else ""


def _extras(update: Update, status: Status, step: Step | None, base: str) -> Json:
    """Return what only some messages have."""
    extras: dict[str, str | None] = {}
    if status is Status.COMPLETED and update.result is not None:
        extras["image_url"] = absolute(update.result["images"][0]["location"], base)
    if status in FAILED:
        extras["error"] = _error(update)
    if step is not None and step.preview is not None:
        extras["preview_url"] = absolute_or_none(step.preview, base)
    return extras


def fit(message: Json) -> Json:
    """Return the message, shortened until it fits: what a client can do without goes first, then texts are cut.

    A picture's address goes last, where task and service have very long names; the job's id, which leads to it, is then there.
    """
    whole = dict(message)
    for name in ("preview_url", "job_id", "error", "message", "estimated", "image_url"):
        over = _over(message)
        if over <= 0:
            break
        if name not in {"error", "message"}:
            message.pop(name, None)
        elif name in message:
            message[name] = _cut(message[name], over)
    found = {"job_id": whole["job_id"]} if "image_url" in whole.keys() - message.keys() else {}
    return message | found


def _over(message: Json) -> int:
    """Return by how many bytes a message is too long."""
    return len(compact(message).encode()) - LIMIT


def _cut(text: str, over: int) -> str:
    """Take so many bytes off a text, and not all of it."""
    keep, left = max(len(compact_text(text)) - over, 40), text
    while len(compact_text(text)) > keep:
        left = left[: -((len(compact_text(text)) - keep) // 4 + 1)]  # shorter each time, whatever the dots take
        text = left.rstrip("…") + "…"
    return text


def to_answer(snapshot: Snapshot, task_id: str | None, base: str) -> MediaAnswer:
    """Return the answer about a job whose run has ended, or is waited for no longer."""
    job, result = snapshot.job, snapshot.result
    image = picture(result["images"][0], base) if result is not None and job.status is Status.COMPLETED else None
    fault = None if image is not None else job.fault if job.status in FAILED else NOT_YET
    return MediaAnswer(
        success=image is not None,
        message=fault.message if fault is not None else DONE,
        image_url=image["image_url"] if image is not None else None,
        task_id=task_id,
        job_id=job.id,
        status=job.status.value,
        image=image,
        generation_time=result["generation_time_seconds"] if result is not None else None,
        code=fault.code if fault is not None else None,
        retryable=fault.retryable if fault is not None else None,
        warnings=list(job.warnings),
        urls=urls(job.id, base),
    )
