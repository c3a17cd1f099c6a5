"""Events of the last moment, as they were sent: who watches a job with a thousand others has each of them written once for all."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from atelier.api.streams import Message, encode
from atelier.frozen import frozen
from atelier.jobs.models import Update

MOMENT_SECONDS = 0.25
"""How long an event is shared: what is expected of a job, which many events tell, changes by the clock."""

REMEMBERED = 256
"""Most events kept."""


@frozen
class Sent:
    """An event, the update it tells, and until when it is told to others."""

    update: Update
    event: bytes
    until: float


class RecentEvents:
    """Writes updates as events, each once for all who are handed the very same at nearly the same time."""

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[object, ...], Sent] = OrderedDict()

    def event(self, update: Update, base: str, to_message: Callable[[Update], Message]) -> bytes:
        """Return an update as `to_message` tells it to callers of this address, which is part of it."""
        # ids name things as long as somebody has these: what is kept here has them
        same = (id(update.job), id(update.record), id(update.result), update.ahead, base)
        now = time.monotonic()
        sent = self._sent.get(same)
        if sent is None or sent.until < now:
            number = update.record.seq if update.record is not None else update.job.seq
            event = encode(to_message(update), number)
            sent = Sent(update=update, event=event, until=now + MOMENT_SECONDS)
            self._sent[same] = sent
            self._sent.move_to_end(same)
            if len(self._sent) > REMEMBERED:
                self._sent.popitem(last=False)
        return sent.event
