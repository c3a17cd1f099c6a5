"""How far a run has come: finished stages, the order it has open, what it keeps, and the end of its log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from atelier.frozen import frozen
from atelier.jobs.events import Advanced, Event, Noted
from atelier.jobs.models import Billed, Json, Outcome


@dataclass(kw_only=True, slots=True)
class Progress:
    """How far a run has come: the stages it finished and the order it has open. Decides what a cancel receipt says."""

    done: Sequence[str] = ()
    outcome: Outcome = "aborted_before_send"
    billed: Billed = "no"


@frozen
class Milestone:
    """How something that a run keeps is told: the bar's position, a sentence, and what each function returns of it.

    Without a sentence it is no line of the log: it is kept, and nothing is told. `show`: stands in the record's data under
    the milestone's key, and in the job from then on. `tell`: in the record's data only. `spent`: US dollars, added to what
    the job costs. `warn`: what the caller should know.
    """

    message: str = ""
    progress: float = 0.0
    show: Callable[[Json], Json] | None = None
    tell: Callable[[Json], Json] | None = None
    spent: Callable[[Json], float] | None = None
    warn: Callable[[Json], tuple[str, ...]] | None = None

    def events(self, key: str, made: Json, billed: Billed) -> tuple[Event, ...]:
        """Return what has happened to the job now that this was made."""
        cost = self.spent(made) if self.spent is not None else 0.0
        warnings = self.warn(made) if self.warn is not None else ()
        shows = {key: self.show(made)} if self.show is not None else {}
        tells = self.tell(made) if self.tell is not None else {}
        data = {"key": key, **tells, **shows}
        noted = Noted(billed=billed, cost=cost, warnings=warnings)
        if not self.message:
            return (noted,)
        kept = Advanced(progress=self.progress, message=self.message, data=data, shows=shows)
        return (noted, kept) if cost or warnings else (kept,)


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
