"""How far a run has come: finished stages, the order it has open, and the end of its log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from atelier.jobs.events import Event
from atelier.jobs.models import Billed, Outcome


@dataclass(kw_only=True, slots=True)
class Progress:
    """How far a run has come: the stages it finished and the order it has open. Decides what a cancel receipt says."""

    done: Sequence[str] = ()
    outcome: Outcome = "aborted_before_send"
    billed: Billed = "no"


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a run's log that is collected and not known to be written: all behind the number `seq`."""

    seq: int
    events: tuple[Event, ...] = ()

    def longer(self, event: Event) -> Tail:
        """Return it with one more."""
        return Tail(self.seq, (*self.events, event))

    def behind(self, seq: int) -> tuple[Event, ...]:
        """Return what a log that has reached `seq` lacks."""
        return self.events[max(seq - self.seq, 0) :]

    def written(self, seq: int) -> Tail:
        """Return what is left once the log is known to have reached `seq`."""
        return Tail(seq, self.behind(seq))


def more(one: Billed, other: Billed) -> Billed:
    """Return the more costly of two."""
    return max(one, other, key=("no", "unknown", "yes").index)
