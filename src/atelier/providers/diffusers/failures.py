"""What went wrong in the models' process, in three kinds."""

from __future__ import annotations

import re
import traceback
from typing import Literal

Kind = Literal["out_of_memory", "unloadable", "broken"]

NO_ROOM = re.compile(r"out of memory|not enough memory|can't allocate memory|cannot allocate memory", re.IGNORECASE)
"""What allocators say, each in its own words, in errors that are of no kind of their own."""


SAID_MOST = 300
"""Characters of an error's text that are worth logging."""


class Unloadable(Exception):
    """A model is not there, is of another kind, or holds what must not be loaded."""


class NoDevice(Unloadable):
    """What shall compute is not there; the text says what is."""


class Withdrawn(Exception):
    """Nobody wants the picture any more."""


def kind_of(error: BaseException) -> Kind:
    """Return which kind of failure an error is."""
    told = isinstance(error, RuntimeError | OSError) and NO_ROOM.search(str(error)) is not None
    if isinstance(error, MemoryError) or told:  # torch's own error is a RuntimeError, and says it
        return "out_of_memory"
    return "unloadable" if isinstance(error, Unloadable) else "broken"


def story_of(error: BaseException) -> str:
    """Return an error and its causes for the log. What broke unexpectedly says where, not what: that may hold a prompt."""
    speaks = kind_of(error) != "broken"
    links: list[str] = []
    link: BaseException | None = error
    while link is not None:
        links.append(f"{type(link).__name__}: {f'{link}'[:SAID_MOST] if speaks else _place_of(link)}")
        link = link.__cause__
    return "; because of ".join(links)


def _place_of(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name}, line {frames[-1].lineno}" if frames else "nowhere"
