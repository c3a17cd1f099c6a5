"""A stage, as a pipeline declares one of its methods to be, and how it gives its slot back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from atelier.frozen import frozen
from atelier.jobs.models import Reason

StageMethod = Callable[[Any, Any], Awaitable[None]]
"""A pipeline's method: of the pipeline and its run."""


@frozen
class Stage:
    """A stage as it is shown: its name on the wire, the bar's position when it is entered, and its sentence."""

    name: str
    progress: float
    message: str
    work: StageMethod


def stage(*, progress: float, message: str) -> Callable[[StageMethod], Stage]:
    """Declare a pipeline's method as a stage; the method's name is the stage's name on the wire."""
    return lambda method: Stage(name=method.__name__, progress=progress, message=message, work=method)


class Snooze(Exception):
    """Raised through a stage to end the attempt until a moment, without counting it."""

    def __init__(self, until: datetime, reason: Reason) -> None:
        super().__init__(f"{reason} until {until}")
        self.until, self.reason = until, reason
