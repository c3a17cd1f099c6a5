"""Who speaks OpenAI's protocol under a name of its own: its errors, its prices, how often it may be asked."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Protocol

from atelier.errors import ProviderError
from atelier.frozen import frozen
from atelier.providers import gemini_faults, openai_faults
from atelier.providers.calls import Answer
from atelier.providers.replies import Object
from atelier.providers.tokens import Prices, Sheet


class Judge(Protocol):
    """Says what an answer means that is none."""

    def __call__(self, answer: Answer, reply: Object, *, key: str, now: datetime) -> ProviderError:
        """Return the error."""


@frozen
class House:
    """A vendor's name in settings and in sentences, its model where none is named, and what else is its own."""

    name: str
    vendor: str
    model: str
    judge: Judge
    sheet: Sheet
    prices_as_of: date
    per_minute: int | None = None


OPENAI: Final = House(
    name="openai",
    vendor=openai_faults.VENDOR,
    model="gpt-5.4-mini",
    judge=openai_faults.fault,
    sheet=Sheet(
        models={
            "gpt-5.5": Prices(5.0, 30.0),
            "gpt-5.4": Prices(2.5, 15.0),
            "gpt-5.4-mini": Prices(0.75, 4.5),
            "gpt-5.4-nano": Prices(0.2, 1.25),
        },
        other=Prices(5.0, 30.0),
    ),
    prices_as_of=date(2026, 6, 30),
)

GEMINI: Final = House(
    name="gemini",
    vendor=gemini_faults.VENDOR,
    model="gemini-3.8-flash",
    judge=gemini_faults.fault,
    sheet=Sheet(
        models={"gemini-3.8-flash": Prices(0.75, 3.75), "gemini-3.5-flash-lite": Prices(0.3, 2.5)},
        other=Prices(2.0, 12.0),
    ),
    prices_as_of=date(2026, 10, 7),
    per_minute=9,
)
