"""Front door C's WebSocket: a task watched step by step, before it is asked for, too."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial

from fastapi import APIRouter

from atelier import logs
from atelier.api.fields import IDENTIFIER
from atelier.api.media import translate
from atelier.api.media.orders import key_of
from atelier.api.media.translate import Sight
from atelier.api.sockets import KEEP_ALIVE, Close, Ended, Message, Silence, Socket, Visitor, attend, paced
from atelier.errors import InvalidInput
from atelier.jobs.models import Job, Status, Update
from atelier.pipelines.pictures import KIND
from atelier.pipelines.ports import BASE_MODEL

SILENCE_SECONDS = 30.0
"""After so long without a word a keep-alive is sent."""

GUESS_SECONDS, TICK_SECONDS = 1.0, 2.0
"""While a picture is drawn there is a word this often: with guessed steps, and where steps are told that take longer."""

LONGEST_SECONDS = 55 * 60
"""A socket that is older ends as if the service restarted: Cloud Run cuts what has lasted an hour, without a word."""

router = APIRouter()


@router.websocket("/ws/image-generation/{task_id}")
async def progress(socket: Socket, task_id: str) -> None:
    """Send a task's messages until its run has ended."""
    await attend(socket, partial(_show, task_id))


def _show(task_id: str, visitor: Visitor) -> AsyncGenerator[Message]:
    """Begin with a task. Raises InvalidInput."""
    if not re.fullmatch(IDENTIFIER, task_id):
        raise InvalidInput("A task_id is 1 to 128 letters, digits, `.`, `_`, `:` and `-`.", loc=("path", "task_id"))
    job_id = visitor.around.engine.id_of(visitor.owner, KIND, key_of(task_id))
    logs.job_id.set(job_id)
    return _messages(visitor, job_id, Watch(task_id, visitor))


async def _messages(visitor: Visitor, job_id: str, watch: Watch) -> AsyncGenerator[Message]:
    updates = visitor.around.engine.expect(job_id, after=visitor.after)
    async for update in paced(updates, watch.patience):
        message = watch.heard(update)
        if message is not None:
            yield message
    if not watch.done:
        raise Ended(Close.RESTART, "come back")


class Watch:
    """One socket's view of one task: what was told last, and how long there may be nothing to tell."""

    def __init__(self, task_id: str, visitor: Visitor) -> None:
        self.done = False
        self._around, self._clock = visitor.around, asyncio.get_running_loop().time
        self._opened = self._clock()
        self._absent = False
        self._told: Update | None = None
        self._sight = Sight(task_id=task_id, base=visitor.base, now=self._around.now())

    def patience(self) -> float:
        """Return how many seconds to wait for an update before the next word, whatever that is."""
        usual = SILENCE_SECONDS
        if self._absent:
            usual = min(usual, self._gives_up - self._clock())
        elif self._told is not None and self._told.job.status is Status.PROCESSING:
            usual = GUESS_SECONDS if translate.guesses(self._told.job) else TICK_SECONDS
        return max(usual, 0.0)

    def heard(self, update: Update | Silence | None) -> Message | None:
        """Return what to say about an update, about nobody having asked yet (None), or about silence. Raises Ended."""
        if self._clock() - self._opened > LONGEST_SECONDS:
            raise Ended(Close.RESTART, "come back")
        if update is None:
            self._absent = True
            return translate.to_unknown(replace(self._sight, now=self._around.now()))
        if isinstance(update, Silence):
            return self._silent()
        self._absent = False
        if self._known(update):
            return None
        self._told = update
        self.done = update.job.status.terminal
        return self._said(update)

    def _known(self, update: Update) -> bool:
        """Whether it is the state that was told last, once more; a record tells how it was then, which is no state."""
        told = self._told
        if told is None or told.record is not None or update.record is not None:
            return False
        return (told.job.rev, told.ahead) == (update.job.rev, update.ahead)

    @property
    def _gives_up(self) -> float:
        return self._opened + self._around.socket_wait.total_seconds()

    def _silent(self) -> Message:
        """Count on where something is drawn; else show that the connection is alive."""
        if self._absent and self._clock() >= self._gives_up:
            raise Ended(Close.NEVER_CAME, "nobody asked for this task")
        if self._told is not None and self._told.job.status is Status.PROCESSING:
            return self._said(replace(self._told, record=None))
        return KEEP_ALIVE

    def _said(self, update: Update) -> Message:
        sight = self._seen(update)
        message = translate.to_message(update, sight)
        self._sight = replace(sight, elapsed=message["elapsed_time"])
        return message

    def _seen(self, update: Update) -> Sight:
        """Return what is known besides the update; guesses only rise, and begin anew with another run."""
        job, now, engine = update.job, self._around.now(), self._around.engine
        left = 0.0 if job.status.terminal else engine.estimate(job, update.ahead).p50
        begun = job.started_at is not None
        guessed = max(self._sight.guessed, self._guessed(job)) if begun else 0
        last = BASE_MODEL if job.status in {Status.PENDING, Status.QUEUED} else self._sight.part
        part = job.step.part if job.step is not None and job.step.part else last
        elapsed = self._sight.elapsed if begun else 0.0
        return replace(self._sight, now=now, left=left, elapsed=elapsed, guessed=guessed, part=part)

    def _guessed(self, job: Job) -> int:
        queued = job.step is not None and job.step.queue is not None
        if job.status is not Status.PROCESSING or job.started_at is None or queued or not translate.guesses(job):
            return 0
        seconds = (self._around.now() - job.started_at).total_seconds()
        return translate.guess(seconds, self._around.engine.usual(job).p50)
