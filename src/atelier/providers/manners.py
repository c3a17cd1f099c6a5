"""How a server of OpenAI's protocol wants to be asked: what is known of it, what its objections teach, and the request."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final, Literal

from atelier.frozen import frozen
from atelier.jobs.models import Json
from atelier.pipelines.texts import TextRequest
from atelier.providers import shapes

Shaping = Literal["schema", "object", "words"]
Limit = Literal["max_completion_tokens", "max_tokens"]

LESSER: Final[dict[Shaping, Shaping]] = {"schema": "object", "object": "words"}
OBJECTIONS: Final = {400, 404, 422, 501}
"""Statuses with which servers say that they do not take a parameter."""

THOUGHTS, MOST_THOUGHTS = 4096, 32768
"""Tokens that a model which thinks may think beside what it writes: at first, and however much it thinks."""

_THINKS = re.compile(r"(?:.*/)?(?:gpt-[5-9]|o\d|gemini-(?:2\.5|[3-9]))")
_SHAPE = re.compile("response.?format|json|schema|structured.output|grammar|guided", re.IGNORECASE)
_UNKNOWN = re.compile(
    "un(supported|known|recogni[sz]ed|expected)|extra|additional|cannot find|not (supported|permitted|allowed)",
    re.IGNORECASE,
)
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@frozen
class Manners:
    """How a server is asked for JSON, by which name an answer is bounded, and how much room thoughts get beside it."""

    shaping: Shaping = "schema"
    limit: Limit = "max_completion_tokens"
    thoughts: int = 0

    def after(self, said: str, body: Json) -> Manners | None:
        """Return how to ask after an objection to this request; None where it is none that another way would help."""
        if (
            self.limit in body
            and self.limit == "max_completion_tokens"
            and self.limit in said
            and _UNKNOWN.search(said)
        ):
            return replace(self, limit="max_tokens")
        if "response_format" in body and _SHAPE.search(said):
            return replace(self, shaping=LESSER[_shaping_of(body)])
        return None

    def having_thought(self, tokens: int) -> Manners:
        """Return the same with room for twice as many thoughts as there were."""
        return replace(self, thoughts=min(max(self.thoughts, 2 * tokens), MOST_THOUGHTS))


def usual(model: str) -> Manners:
    """Return how a server is asked of which nothing is known but its model."""
    return Manners(thoughts=THOUGHTS if _THINKS.match(model) else 0)


def body_of(request: TextRequest, model: str, manners: Manners) -> dict[str, Any]:
    """Return the request as it is sent."""
    instructions, shaping = request.instructions, _shaping(request, manners)
    body: dict[str, Any] = {"model": model, manners.limit: request.most_tokens + manners.thoughts}
    if shaping == "schema" and request.shape is not None:
        name = _NOT_IN_A_NAME.sub("_", request.task)[:64] or "answer"
        schema = {"name": name, "strict": True, "schema": shapes.strict(request.shape)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.shape is not None:
        instructions = f"{instructions}\n\n{shapes.in_words(request.shape)}".strip()
        if shaping == "object":
            body["response_format"] = {"type": "json_object"}
    told = [{"role": "system", "content": instructions}] if instructions else []
    return {**body, "messages": [*told, {"role": "user", "content": request.prompt}]}


def _shaping(request: TextRequest, manners: Manners) -> Shaping:
    """Return how this request is made: a shape that strict servers do not take is not asked for strictly."""
    if request.shape is None or manners.shaping != "schema" or shapes.strict(request.shape) is not None:
        return manners.shaping
    return "object" if request.shape.get("type") == "object" else "words"


def _shaping_of(body: Json) -> Shaping:
    return "schema" if body["response_format"]["type"] == "json_schema" else "object"
