"""One stage's work on a post: what it may ask, keep and tell, and what all of it took."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from atelier.errors import InvalidText, ProviderInvalidRequest, ProviderRefused
from atelier.frozen import frozen
from atelier.jobs.models import Json
from atelier.jobs.progress import Milestone
from atelier.pipelines.blog.models import StageResult
from atelier.pipelines.blog.state import BlogRun
from atelier.pipelines.ledger import spoiled_of
from atelier.pipelines.sources import Reader, SearchProvider
from atelier.pipelines.writing import QUIETLY, Asking, Told, Writer, Written

SPARED = (InvalidText, ProviderRefused, ProviderInvalidRequest)
"""What a stage behind the draft does without: asking again would change nothing, and the post is there already."""

SHOWN = 160
"""Most characters of a detail in the log."""


@frozen
class Study:
    """Whom the stages turn to. `search` None: nobody searches here."""

    writer: Writer
    search: SearchProvider | None
    reader: Reader


@dataclass(kw_only=True)
class Work:
    """A stage at work. What it took is added up here; `end` or `skip` is its last word, once for all attempts.

    `span`: where the bar stands when the stage begins and when it is done.
    """

    run: BlogRun
    study: Study
    stage: str
    span: tuple[float, float]
    asked: dict[str, Written] = field(default_factory=dict)
    spent: float = 0.0
    warned: list[str] = field(default_factory=list)

    async def ask(self, asking: Asking, told: Told | None = None) -> Written:
        """Have something written, once. Raises as `Writer.ask` does."""
        written = await self.study.writer.ask(self.run, asking, told or QUIETLY)
        self.asked[asking.key] = written
        return written

    async def attempt(self, asking: Asking, otherwise: str) -> Written | None:
        """Have something written that the post can do without; None where that fails, and the job says what is left out."""
        try:
            return await self.ask(asking)
        except SPARED as error:
            self.warn(f"{otherwise}: {error.message}")
            spoiled = spoiled_of(self.run, asking.key)
            tokens = {"read": spoiled.read, "written": spoiled.written, "cost": spoiled.cost, "last_cost": 0.0}
            self.asked[asking.key] = Written(text="", provider="", model="", **tokens)
            return None

    async def keep(self, key: str, make: Callable[[], Awaitable[Json]]) -> Json:
        """Make something once, not told in the log. What it cost (`cost`) and its `warnings` are the job's."""
        kept = await self.run.once(key, make, Milestone(spent=_cost, warn=_warnings))
        self.spent += _cost(kept)
        return kept

    def warn(self, sentence: str) -> None:
        """See that the caller is told, with the stage's last word."""
        if sentence not in self.warned:
            self.warned.append(sentence)

    def at(self, number: int, of: int) -> float:
        """Return where the bar stands when so many parts of the stage are done."""
        low, high = self.span
        return round(low + (high - low) * number / max(of, 1), 1)

    async def end(self, message: str, **details: object) -> None:
        """Keep what the stage did, and tell it in the log."""
        await self._close(StageResult(stage=self.stage, details=details, **self._took()), message, _small(details))

    async def skip(self, reason: str) -> None:
        """Pass through: keep that nothing was done, and tell why."""
        result = StageResult(stage=self.stage, status="skipped", reason=reason, **self._took())
        await self._close(result, f"Skipped: {reason}", {"skipped": reason})

    async def _close(self, result: StageResult, message: str, data: Json) -> None:
        kept = result.model_dump(mode="json")

        async def make() -> Json:
            return kept

        told = Milestone(message=message, progress=self.span[1], tell=lambda _: data, warn=lambda _: tuple(self.warned))
        await self.run.once(key_of(self.stage), make, told)

    def _took(self) -> Mapping[str, object]:
        writers = [written for written in self.asked.values() if written.provider]
        return {
            "provider": writers[-1].provider if writers else None,
            "model": writers[-1].model if writers else None,
            "tokens": sum(written.tokens for written in self.asked.values()),
            "cost": round(sum(written.cost for written in self.asked.values()) + self.spent, 6),
        }


def key_of(stage: str) -> str:
    """Return the key under which a stage's result is kept."""
    return f"stage/{stage}"


def _cost(kept: Json) -> float:
    return float(kept.get("cost", 0.0))


def _warnings(kept: Json) -> tuple[str, ...]:
    return tuple(kept.get("warnings", ()))


def _small(details: Mapping[str, object]) -> Json:
    """Return of a stage's details what is short enough for the log."""
    shown: Json = {}
    for name, value in details.items():
        if isinstance(value, str):
            shown[name] = value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"
        elif isinstance(value, int | float) or value is None:
            shown[name] = value
    return shown
