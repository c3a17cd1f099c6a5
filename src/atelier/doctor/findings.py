"""What was found: one line for each check, and an end to each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from atelier.errors import AtelierError
from atelier.frozen import frozen

PATIENCE_SECONDS = 15.0
"""Longest time of one check."""


@frozen
class Verdict:
    """Whether a part is well, and a sentence: what was seen, or what is wrong and how to mend it."""

    well: bool
    text: str


@frozen
class Finding:
    """A part's name and its verdict."""

    name: str
    verdict: Verdict

    @property
    def line(self) -> str:
        """What is printed: one line, whatever the sentence is."""
        return f"{'✓' if self.verdict.well else '✗'} {self.name}: {' '.join(self.verdict.text.split())}"


Check = Callable[[], Awaitable[Verdict]]


def well(text: str) -> Verdict:
    """Say what was seen."""
    return Verdict(well=True, text=text)


def ill(text: str) -> Verdict:
    """Say what is wrong and how to mend it."""
    return Verdict(well=False, text=text)


async def finding(name: str, check: Check) -> Finding:
    """Make one check, which ends in time and whose faults are findings themselves."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            verdict = await check()
    except AtelierError as error:
        verdict = ill(error.message)
    except TimeoutError:
        verdict = ill(
            f"no answer within {PATIENCE_SECONDS:g} seconds. It hangs, or a firewall lets nothing through to it."
        )
    except Exception as error:  # noqa: BLE001 - its text may hold credentials; its kind does not
        verdict = ill(f"the check itself broke ({type(error).__name__}); please report that.")
    return Finding(name=name, verdict=verdict)
