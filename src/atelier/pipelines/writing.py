"""Having texts written within a run: ordered durably, checked, and kept once with what they took."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from atelier import metrics
from atelier.errors import InvalidText, ProviderNotConfigured, ProviderWaits
from atelier.frozen import frozen
from atelier.jobs.models import Json
from atelier.jobs.progress import Milestone
from atelier.pipelines.desk import LedgerDesk, come_back
from atelier.pipelines.ledger import AnyRun, close_order, ledger_of, spoil, spoiled_of, write_off
from atelier.pipelines.texts import GeneratedText, TextRequest, TextSource

PRODUCT = "text"

ANSWERS_MOST = 2
"""A text is asked for so many times in a run where what comes is of no use."""

SHORTEST_CUT = 0.5
"""A text that was cut off is taken up to its last whole sentence where at least this share of it is left."""

FAULTS_TOLD = 5
"""So many of an answer's faults are named when it is asked for again."""

Answer = TypeVar("Answer", bound=BaseModel)


@frozen
class Asking:
    """A text that is to be written, kept under `key`. `answer`: the shape that it has to have; None: plain text, Markdown."""

    key: str
    task: str
    instructions: str
    prompt: str
    most_tokens: int
    subject: Json = field(default_factory=dict)
    answer: type[BaseModel] | None = None


class Written(BaseModel):
    """A text that is kept, with what it took: tokens and US dollars of every answer that was paid for on the way to it."""

    model_config = ConfigDict(frozen=True)

    text: str
    value: Any = None
    provider: str
    model: str
    read: int
    written: int
    cost: float
    last_cost: float
    """Of the answer that is kept; what came before is counted already."""
    warnings: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.read + self.written

    def answer(self, shape: type[Answer]) -> Answer:
        """Return the answer in its shape, which was checked before it was kept."""
        return shape.model_validate(self.value)


@frozen
class Told:
    """How a text that was written is told of: a sentence (none: not at all), the bar's position, and what the record says beside."""

    message: str = ""
    progress: float = 0.0
    tell: Callable[[Written], Json] | None = None


QUIETLY = Told()


class Writer:
    """Has texts written by whom a run's params name (`provider`), each finished one once, whatever happens to attempts.

    The run's state has a field `ledger`, its params a `provider` and a `script`.
    """

    def __init__(self, sources: Mapping[str, TextSource]) -> None:
        self._sources = sources

    def source(self, name: str) -> TextSource:
        """Return who writes under this name. Raises ProviderNotConfigured."""
        source = self._sources.get(name)
        if source is None:
            raise ProviderNotConfigured(f"The text provider {name} is no longer configured.")
        return source

    async def ask(self, run: AnyRun, asking: Asking, told: Told = QUIETLY) -> Written:
        """Return what was written under the key, now or by an earlier attempt.

        An empty or misshapen answer is asked for once more, with what is wrong named; both are paid for and counted. Raises
        InvalidText after the second, PaymentUnclear where two orders of this key were lost, and what sources raise.
        """
        milestone = Milestone(
            message=told.message,
            progress=told.progress,
            tell=_telling(told),
            spent=lambda kept: Written.model_validate(kept).last_cost,
            warn=lambda kept: Written.model_validate(kept).warnings,
        )
        kept = await run.once(asking.key, partial(self._write, run, asking), milestone)
        return Written.model_validate(kept)

    async def _write(self, run: AnyRun, asking: Asking) -> Json:
        if asking.key in ledger_of(run).open:
            await write_off(run, asking.key, product=PRODUCT, each=True)
        if spoiled_of(run, asking.key).times >= ANSWERS_MOST:
            raise InvalidText(f"What was written for {asking.task} was of no use, also when asked again.")
        problem = ""
        while True:
            desk = LedgerDesk(run, asking.key, product=PRODUCT, each=True)
            made = await self._ordered(run, _request(run, asking, problem), desk)
            try:
                written = _checked(asking, made)
            except InvalidText as error:
                desk.judged(error)
                await _throw_away(run, asking, made, error)
                problem = error.message
            else:
                desk.judged(None)
                close_order(run, asking.key)
                before = spoiled_of(run, asking.key)
                return written.model_copy(
                    update={
                        "read": before.read + written.read,
                        "written": before.written + written.written,
                        "cost": before.cost + written.cost,
                    }
                ).model_dump(mode="json")

    async def _ordered(self, run: AnyRun, request: TextRequest, desk: LedgerDesk) -> GeneratedText:
        """Have the text written; where nothing can be ordered before a moment, the slot is given back until then."""
        try:
            made = await self.source(run.params.provider).generate(request, desk)
        except ProviderWaits as waits:
            come_back(run, waits)
        run.progress.outcome = "aborted_before_send"  # nothing is under way any more, whatever is already paid for
        metrics.spent(made.provider, made.cost)
        return made


def _telling(told: Told) -> Callable[[Json], Json] | None:
    if told.tell is None:
        return None
    tell = told.tell
    return lambda kept: tell(Written.model_validate(kept))


def _request(run: AnyRun, asking: Asking, problem: str) -> TextRequest:
    again = f"\n\nAn answer to this could not be used: {problem} Answer again, as it was asked." if problem else ""
    return TextRequest(
        script=run.params.script,
        attempt=run.job.attempt,
        owner=run.job.owner,
        task=asking.task,
        instructions=asking.instructions,
        prompt=asking.prompt + again,
        most_tokens=asking.most_tokens,
        subject=asking.subject,
        shape=asking.answer.model_json_schema() if asking.answer is not None else None,
    )


async def _throw_away(run: AnyRun, asking: Asking, made: GeneratedText, error: InvalidText) -> None:
    """Keep what a useless answer took, and say so. Raises the error after the last try."""
    spoil(run, asking.key, read=made.usage.read, written=made.usage.written, cost=made.cost)
    last = spoiled_of(run, asking.key).times >= ANSWERS_MOST
    told = f"A text of {made.provider} for {asking.task} was thrown away: {error.message}"
    await run.note(cost=made.cost, warnings=() if last else (told,))
    if last:
        raise InvalidText(
            f"What {made.provider} wrote for {asking.task} was of no use, also when asked again: {error.message}"
        )


def _checked(asking: Asking, made: GeneratedText) -> Written:
    """Return the answer as it is kept. Raises InvalidText, whose sentence says what is wrong with it."""
    text, warnings = made.text.strip(), made.warnings
    value: Any = None
    if asking.answer is not None:
        value = _shaped(asking.answer, made)
    elif made.ending == "length":
        text = _whole(text)
        warnings = (
            *warnings,
            f"What {made.provider} wrote for {asking.task} was cut off; it ends with a whole sentence.",
        )
    elif not text:
        raise InvalidText("It was empty.")
    return Written(
        text=text if value is None else "",
        value=value,
        provider=made.provider,
        model=made.model,
        read=made.usage.read,
        written=made.usage.written,
        cost=made.cost,
        last_cost=made.cost,
        warnings=warnings,
    )


def _shaped(shape: type[BaseModel], made: GeneratedText) -> Json:
    if made.value is None:
        cut = made.ending == "length"
        raise InvalidText("It was cut off: it must be shorter." if cut else "It was not the JSON that was asked for.")
    try:
        return shape.model_validate(made.value).model_dump(mode="json")
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(step) for step in fault['loc']) or 'the answer'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        named = "; ".join(faults[:FAULTS_TOLD])
        raise InvalidText(f"It did not have the shape that was asked for ({named}).") from error


def _whole(text: str) -> str:
    """Return a text that was cut off up to its last whole sentence. Raises InvalidText where too little is left."""
    ends = [match.end() for match in re.finditer(r"[.!?…。！？][\"'”’)\]]*(?=\s|$)", text)]  # noqa: RUF001 - other scripts' full stops
    whole = text[: ends[-1]] if ends else ""
    if len(whole) < SHORTEST_CUT * len(text) or not whole:
        raise InvalidText("It was cut off before a sentence was whole: it must be shorter.")
    return whole
