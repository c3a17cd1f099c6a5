"""Texts by OpenAI's chat completions: of OpenAI, or of any other server that speaks its protocol."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from atelier.errors import MaybeCharged, ProviderError, ProviderRefused, ProviderUnavailable
from atelier.jobs.ports import Clock
from atelier.pipelines.ports import Desk
from atelier.pipelines.texts import Ending, GeneratedText, TextOffer, TextRequest, Usage
from atelier.providers import calls, faults, openai_faults, replies, shapes, tokens
from atelier.providers.calls import Answer, Line
from atelier.providers.houses import OPENAI, House
from atelier.providers.manners import OBJECTIONS, THOUGHTS, Manners, body_of, usual
from atelier.providers.replies import Object
from atelier.providers.tokens import Prices

OK = 200
IGNORED = 1.1
"""A text that is longer than its limit by this factor shows that the limit was not understood."""

ENDINGS: Final[dict[str, Ending]] = {"length": "length"}


class OpenAI:
    """`pipelines.texts.TextProvider` that is a server of this protocol; without a key none is sent.

    What the server does not take is remembered for as long as the process lives: shapes, then JSON of any shape, then none
    but in words; and the newer name of the limit.
    """

    def __init__(
        self,
        *,
        key: str,
        base_url: str,
        model: str,
        timeout: timedelta,
        prices: Prices,
        now: Clock,
        house: House = OPENAI,
    ) -> None:
        self.name, self._house, self._key, self._now = house.name, house, key, now
        self._model, self._prices, self._manners = model, prices, usual(model)
        self._base = calls.address(base_url, "/v1")
        self._line = Line(house.vendor, timeout=timeout)
        self.terms = tokens.terms(prices, house.prices_as_of)
        self.offer = TextOffer(
            models=(model,), read_price=prices.read, written_price=prices.written, per_minute=house.per_minute
        )

    async def ping(self) -> None:
        """Ask for the list of models."""
        answer = await self._line.call("GET", f"{self._base}/models", headers=self._headers(), paid=False)
        if answer.status != OK:
            raise self._fault(answer, replies.as_object(answer.json()))

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    async def generate(self, request: TextRequest, desk: Desk) -> GeneratedText:  # noqa: ARG002 - it tells no steps
        """Write. What the server does not take is asked for in another way: such a refusal costs nothing."""
        manners = self._manners
        while True:
            body, url = body_of(request, self._model, manners), f"{self._base}/chat/completions"
            answer = await self._line.call(
                "POST", url, headers=self._headers(), body=body, paid=self.terms.billed != "no"
            )
            reply = replies.as_object(answer.json())
            if answer.status == OK and not reply.get("error"):
                return self._written(request, reply, manners)
            said = openai_faults.objection(reply)
            taught = manners.after(said, body) if answer.status in OBJECTIONS else None
            if taught is None:
                raise self._fault(answer, reply)
            manners = taught
            if "invalid schema" not in said.lower():  # that is about this shape alone
                self._manners = manners

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._key}"} if self._key else {}

    def _fault(self, answer: Answer, reply: Object) -> ProviderError:
        return self._house.judge(answer, reply, key=self._key, now=self._now())

    def _written(self, request: TextRequest, reply: Object, manners: Manners) -> GeneratedText:
        choice = next(iter(replies.objects(reply, "choices")), {})
        message, finish = replies.member(choice, "message"), replies.text(choice, "finish_reason")
        self._check(message, finish)
        text = replies.prose(shapes.without_thoughts(_content(message)))
        value = shapes.value_of(text, request.shape) if request.shape is not None else None
        counted = _usage(reply)
        usage = counted or tokens.estimated(request, text)
        made = GeneratedText(
            text=text,
            value=value,
            usage=usage,
            ending=ENDINGS.get(finish, "stop"),
            provider=self.name,
            model=self._model,
            cost=self._prices.cost(usage),
            warnings=() if counted is not None else (tokens.not_counted(self._house.vendor),),
        )
        self._learn(request, made, manners, reply)
        return made

    def _check(self, message: Object, finish: str) -> None:
        """Raise what it means that nothing was written."""
        vendor = self._house.vendor
        if refusal := replies.text(message, "refusal"):
            raise ProviderRefused(f"{vendor} refused the request. It says: {faults.told(refusal, self._key)}")
        if finish == "content_filter":
            raise ProviderRefused(f"{vendor} refused the request: its filter stopped the text.")
        if not message or finish == "error":
            sentence = f"{vendor} answered, but nothing that can be read."
            paid = self.terms.billed != "no"
            raise MaybeCharged(f"{sentence} It may be paid for.") if paid else ProviderUnavailable(sentence)

    def _learn(self, request: TextRequest, made: GeneratedText, manners: Manners, reply: Object) -> None:
        """Remember what an answer shows of the server: that it ignored the limit or the shape, that it thinks."""
        counted, thought, known = _usage(reply), _thoughts(reply), self._manners
        if counted is not None and counted.written > IGNORED * (request.most_tokens + manners.thoughts):
            known = replace(known, limit="max_tokens")
        if request.shape is not None and made.value is None and made.ending == "stop":
            known = replace(known, shaping="words")
        if not made.text and made.ending == "length":
            thought = max(thought, THOUGHTS // 2, manners.thoughts)
        self._manners = known.having_thought(thought)


def _content(message: Object) -> str:
    """Return what was written: a text, or the texts of a list of parts."""
    parts = (replies.text(part, "text") for part in replies.objects(message, "content"))
    return replies.text(message, "content") or "".join(parts)


def _usage(reply: Object) -> Usage | None:
    """Return the tokens that were counted; None where none were. Some count thoughts in the sum only."""
    usage = replies.member(reply, "usage")
    read, written = replies.number(usage, "prompt_tokens"), replies.number(usage, "completion_tokens")
    if read is None or written is None:
        return None
    return Usage(read=read, written=max(written, (replies.number(usage, "total_tokens") or 0) - read))


def _thoughts(reply: Object) -> int:
    details = replies.member(replies.member(reply, "usage"), "completion_tokens_details")
    return replies.number(details, "reasoning_tokens") or 0
