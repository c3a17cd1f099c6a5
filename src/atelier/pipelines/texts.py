"""What pipelines ask of those who write: texts, or values of a shape, with their tokens and their price."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal

from atelier.frozen import frozen
from atelier.jobs.models import Json
from atelier.pipelines.ordering import Source
from atelier.pipelines.ports import Asked, Made, Offered, Provider

Ending = Literal["stop", "length"]
"""How a text ended: the writer was done, or had no room left."""


@frozen
class TextRequest(Asked):
    """A text to write.

    `task` says what it is in one word of ours (`outline`, `section`), and `subject` the plain values the prompt was made
    of: the sandbox writes from them. `shape` is a JSON schema the answer has to have; None: plain text, Markdown.
    `most_tokens` bounds the answer.
    """

    task: str
    instructions: str
    prompt: str
    most_tokens: int
    subject: Json = field(default_factory=dict)
    shape: Json | None = None


@frozen
class Usage:
    """Tokens that were counted: those read and those written, the model's own thoughts included."""

    read: int
    written: int


@frozen
class GeneratedText(Made):
    """A text as a provider wrote it, with what it took. `value` is the parsed JSON where a shape was asked for.

    `value` None although there was a shape: what came is no JSON; whether it has the shape is not checked here.
    """

    text: str
    usage: Usage
    value: Any = None
    ending: Ending = "stop"


@frozen
class TextOffer(Offered):
    """What a provider writes with. Prices are US dollars for a million tokens."""

    read_price: float
    written_price: float


TextProvider = Provider[TextRequest, GeneratedText, TextOffer]
"""Writes texts: what was written, not yet checked."""

TextSource = Source[TextRequest, GeneratedText, TextOffer]
"""Somewhere texts come from."""
