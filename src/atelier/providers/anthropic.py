"""Anthropic: texts by its Messages API, one call each."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any, Final

from atelier.errors import (
    MaybeCharged,
    ProviderBadKey,
    ProviderError,
    ProviderInvalidRequest,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from atelier.jobs.ports import Clock
from atelier.pipelines.ports import Desk
from atelier.pipelines.texts import Ending, GeneratedText, TextOffer, TextRequest, Usage
from atelier.providers import calls, faults, replies, shapes, tokens
from atelier.providers.calls import Answer, Line
from atelier.providers.faults import Rule
from atelier.providers.replies import Object
from atelier.providers.tokens import Prices, Sheet
from atelier.providers.waits import retry_after, until_reset

VENDOR = "Anthropic"
MODEL = "claude-haiku-5-5"
VERSION = "2023-06-01"
OK, WRONG = 200, 400

THINKS: Final = re.compile(r"claude-[a-z]+-[5-9]")
"""Models that think unless they are told not to; what they think counts as written."""

THOUGHTS = 4096
"""Tokens that such a model may think beside what it writes."""

PRICES_AS_OF: Final = date(2026, 11, 20)
SHEET: Final = Sheet(
    models={
        "claude-fable-5-1": Prices(10.0, 50.0),
        "claude-opus-5-5": Prices(4.0, 20.0),
        "claude-sonnet-5-5": Prices(2.0, 10.0),
        "claude-sonnet-5": Prices(2.0, 10.0),
        "claude-sonnet-4-6": Prices(3.0, 15.0),
        "claude-haiku-5-5": Prices(0.1, 0.5),
        "claude-haiku-4-5": Prices(1.0, 5.0),
    },
    other=Prices(10.0, 50.0),
)

WINDOWS: Final = tuple(
    (f"anthropic-ratelimit-{each}-remaining", f"anthropic-ratelimit-{each}-reset")
    for each in ("requests", "tokens", "input-tokens", "output-tokens")
)
ENDINGS: Final[dict[str, Ending]] = {"max_tokens": "length", "model_context_window_exceeded": "length"}

RULES: Final = (
    Rule(None, "NO_CREDIT", ProviderNoCredit, "has no credit left for this key."),
    Rule(402, "", ProviderNoCredit, "has no credit left for this key."),
    Rule(401, "", ProviderBadKey, "does not know the key."),
    Rule(403, "", ProviderBadKey, "does not let this key work, here or with this model."),
    Rule(404, "", ProviderInvalidRequest, "has no such model; it is retired or misspelt."),
    Rule(409, "", ProviderUnavailable, "did not take the request just now."),
    Rule(413, "", ProviderInvalidRequest, "does not read that much at once."),
    Rule(400, "", ProviderInvalidRequest, "did not take the request.", quoted=True),
    Rule(429, "", ProviderRateLimited, "takes no more requests for now."),
    Rule(529, "", ProviderUnavailable, "has too much to do."),
)
_SHAPE = re.compile("output_config|output_format|json_schema|schema|structured output", re.IGNORECASE)


class Anthropic:
    """`pipelines.texts.TextProvider` that is Anthropic. A model that takes no shapes is remembered to be asked in words."""

    name = "anthropic"

    def __init__(self, *, key: str, base_url: str, model: str, timeout: timedelta, prices: Prices, now: Clock) -> None:
        self._key, self._model, self._prices, self._now = key, model, prices, now
        self._base = calls.address(base_url, "/v1")
        self._line = Line(VENDOR, timeout=timeout)
        self._takes_shapes, self._thoughts = True, THOUGHTS if THINKS.match(model) else 0
        self.terms = tokens.terms(prices, PRICES_AS_OF)
        self.offer = TextOffer(models=(model,), read_price=prices.read, written_price=prices.written)

    async def ping(self) -> None:
        """Ask for the list of models."""
        answer = await self._line.call("GET", f"{self._base}/models", headers=self._headers(), paid=False)
        if answer.status != OK:
            raise self._fault(answer, replies.as_object(answer.json()))

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    async def generate(self, request: TextRequest, desk: Desk) -> GeneratedText:  # noqa: ARG002 - it tells no steps
        """Write. A shape that is not taken is asked for in words: such a refusal costs nothing."""
        shape = shapes.strict(request.shape) if request.shape is not None and self._takes_shapes else None
        answer, reply = await self._asked(request, shape)
        said = replies.text(replies.member(reply, "error"), "message")
        if shape is not None and answer.status == WRONG and _SHAPE.search(said):
            self._takes_shapes = "not support" not in said and "Extra inputs" not in said
            answer, reply = await self._asked(request, None)
        if answer.status != OK or "error" in reply:
            raise self._fault(answer, reply)
        return self._written(request, reply)

    async def _asked(self, request: TextRequest, shape: dict[str, Any] | None) -> tuple[Answer, Object]:
        url, paid = f"{self._base}/messages", self.terms.billed != "no"
        body = _body(request, self._model, shape, request.most_tokens + self._thoughts)
        answer = await self._line.call("POST", url, headers=self._headers(), body=body, paid=paid)
        return answer, replies.as_object(answer.json())

    def _headers(self) -> dict[str, str]:
        return {"x-api-key": self._key, "anthropic-version": VERSION}

    def _written(self, request: TextRequest, reply: Object) -> GeneratedText:
        blocks = replies.objects(reply, "content")
        text = replies.prose("".join(replies.text(block, "text") for block in blocks if block.get("type") == "text"))
        stopped = replies.text(reply, "stop_reason")
        if stopped == "refusal":
            raise ProviderRefused(f"{VENDOR} refused the request.")
        if not blocks and not stopped:
            raise MaybeCharged(f"{VENDOR} answered, but nothing that can be read. It may be paid for.")
        if not text and stopped == "max_tokens":
            self._thoughts = max(self._thoughts, THOUGHTS)  # it thought until there was no room left
        counted = _usage(reply)
        usage = counted or tokens.estimated(request, text)
        return GeneratedText(
            text=text,
            value=shapes.value_of(text, request.shape) if request.shape is not None else None,
            usage=usage,
            ending=ENDINGS.get(stopped, "stop"),
            provider=self.name,
            model=self._model,
            cost=self._prices.cost(usage),
            warnings=() if counted is not None else (tokens.not_counted(VENDOR),),
        )

    def _fault(self, answer: Answer, reply: Object) -> ProviderError:
        error, now = replies.member(reply, "error"), self._now()
        said = replies.text(error, "message")
        wait = retry_after(answer.headers, now)
        return faults.judged(
            RULES,
            vendor=VENDOR,
            status=answer.status if answer.status != OK else 500,
            mark="NO_CREDIT" if "credit balance is too low" in said else replies.text(error, "type"),
            said=faults.told(said, self._key),
            wait=wait if wait is not None else until_reset(answer.headers, WINDOWS, now),
        )


def _body(request: TextRequest, model: str, shape: dict[str, Any] | None, most: int) -> dict[str, Any]:
    """Return the request as it is sent. Sampling is not asked for: newer versions refuse it."""
    body: dict[str, Any] = {"model": model, "max_tokens": most}
    instructions = request.instructions
    if shape is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": shape}}
    elif request.shape is not None:
        instructions = f"{instructions}\n\n{shapes.in_words(request.shape)}".strip()
    if instructions:
        body["system"] = instructions
    return {**body, "messages": [{"role": "user", "content": request.prompt}]}


def _usage(reply: Object) -> Usage | None:
    """Return the tokens that were counted, those read from or into a cache among them; None where none were."""
    usage = replies.member(reply, "usage")
    read, written = replies.number(usage, "input_tokens"), replies.number(usage, "output_tokens")
    if read is None or written is None:
        return None
    cached = (replies.number(usage, f"cache_{way}_input_tokens") or 0 for way in ("creation", "read"))
    return Usage(read=read + sum(cached), written=written)
