"""The sandbox writer: deterministic texts without network, key or model, and scripted trouble for tests."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from atelier.jobs.models import Json
from atelier.pipelines.ports import Desk, Terms
from atelier.pipelines.texts import GeneratedText, TextOffer, TextRequest, Usage
from atelier.providers import phrases, tales
from atelier.providers.prose import Theme, chance, section, theme
from atelier.providers.scripted import trouble

MODEL = "sandbox-writer-1"
CHARACTERS_A_TOKEN = 4
USUAL_WORDS = 200
LONGEST_TITLE = 60


class SandboxWriter:
    """`pipelines.texts.TextProvider` that writes from what a request's `subject` says; its prompt is not read."""

    name = "sandbox"
    terms = Terms(abort="confirmed_by_provider", abort_billed="no", billed="no", prices={})
    offer = TextOffer(models=(MODEL,), read_price=0.0, written_price=0.0)

    async def ping(self) -> None:
        """There is nobody to reach."""

    async def close(self) -> None:
        """Hold nothing."""

    async def generate(self, request: TextRequest, desk: Desk) -> GeneratedText:  # noqa: ARG002 - it takes no steps
        """Do what the script says: write, or fail as a provider would."""
        match request.script.scenario:
            case "garbage":
                return _made(request, '{"this is": not JSON' if request.shape is not None else "")
            case "slow":
                await asyncio.sleep(request.script.seconds * float(request.subject.get("share", 0.1)))
            case "stall":
                await asyncio.Event().wait()
            case _:
                trouble(request)
        about = theme(str(request.subject.get("topic", "")), request.subject.get("keywords", ()))
        written = TASKS.get(request.task, _plain)(about, request.subject)
        return _made(request, written)


def _made(request: TextRequest, written: Json | str) -> GeneratedText:
    text = written if isinstance(written, str) else json.dumps(written, ensure_ascii=False)
    read = len(request.instructions) + len(request.prompt)
    return GeneratedText(
        provider=SandboxWriter.name,
        model=MODEL,
        cost=0.0,
        text=text,
        value=written if not isinstance(written, str) else None,
        usage=Usage(read=-(-read // CHARACTERS_A_TOKEN), written=-(-len(text) // CHARACTERS_A_TOKEN)),
    )


def _keywords(about: Theme, subject: Json) -> Json:
    first = subject.get("keywords") or [about.topic]
    return {
        "primary": first[0],
        "secondary": [*first[1:], f"{about.topic} tips", f"{about.topic} guide"],
        "long_tail": [f"{about.topic} for beginners", f"how to start with {about.topic}"],
        "questions": [f"How do I start with {about.topic}?", f"What does {about.topic} cost?"],
    }


def _competitors(about: Theme, subject: Json) -> Json:
    headings = [heading for page in subject.get("pages", ()) for heading in page.get("headings", ())]
    return {
        "topics": list(dict.fromkeys(headings))[:8],
        "gaps": [f"a small example of {about.topic}", "what it costs in a year"],
        "angle": f"A calm look at {about.topic} that can be checked.",
    }


def _intent(about: Theme, subject: Json) -> Json:
    return {
        "intent": subject.get("guess", "informational"),
        "confidence": 0.8,
        "evidence": [f"People who look for {about.topic} want to know how to begin."],
    }


def _outline(about: Theme, subject: Json) -> Json:
    count, topic = int(subject.get("sections", 5)), str(subject.get("topic", ""))
    dice = chance("outline", topic)
    chosen = sorted(dice.sample(range(len(phrases.HEADINGS)), min(max(count - 2, 1), len(phrases.HEADINGS))))
    middle = [
        {"heading": _capital(heading.format(topic=about.topic)), "points": list(points)}
        for heading, points in (phrases.HEADINGS[number] for number in chosen)
    ]
    first = {"heading": "Introduction", "points": ["why it is worth a look", "what this post is about"]}
    last = {"heading": "Conclusion", "points": ["what to remember", "the next step"]}
    return {"title": about.title(dice.randrange(100)), "sections": [first, *middle, last]}


def _section(about: Theme, subject: Json) -> str:
    number, points = int(subject.get("number", 1)), subject.get("points", ())
    label = phrases.LABEL if number == 1 else ""
    words = int(subject.get("words", USUAL_WORDS)) - len(label.split())
    dice = chance("section", subject.get("topic"), number, subject.get("heading"))
    body = section(about, dice, words=words, points=points, facts=subject.get("facts", ()))
    return f"*{label}*\n\n{body}" if label else body


def _facts(_: Theme, subject: Json) -> Json:
    """Judge nothing: whoever asked compares numbers and names with the sources anyway."""
    return {
        "verdicts": [{"claim": number, "verdict": "unclear"} for number, _ in enumerate(subject.get("claims", ()), 1)]
    }


def _enhance(_: Theme, subject: Json) -> str:
    """Take out what nothing supports, and begin some sentences in another way."""
    text = str(subject.get("markdown", ""))
    for claim in subject.get("unsupported", ()):
        text = text.replace(f" {claim}", "").replace(claim, "").strip()
    for before, after in phrases.BETTER:
        text = text.replace(before, after)
    return text


def _polish(about: Theme, subject: Json) -> Json:
    title, keyword = str(subject.get("title") or about.title(0)), _capital(about.keywords[0])
    named = keyword.casefold() in title.casefold()
    shown = title if named else f"{keyword}: {phrases.TITLE_TAIL}"
    return {
        "title": title,
        "meta_title": shown if len(shown) <= LONGEST_TITLE else keyword[:LONGEST_TITLE],
        "meta_description": f"{keyword[:LONGEST_TITLE]}: {phrases.DESCRIPTION_TAIL}",
        "headings": _headings(subject.get("headings", ()), keyword),
    }


def _headings(present: Sequence[str], keyword: str) -> list[str]:
    """Name the keyword in the second heading."""
    return [f"{heading}: {keyword}" if place == 1 else heading for place, heading in enumerate(present)]


def _integrate(about: Theme, subject: Json) -> Json:
    """Put each missing term into a sentence of its own, at the end of a paragraph."""
    paragraphs: Sequence[Mapping[str, Any]] = subject.get("paragraphs", ())
    dice, changed = chance("integrate", about.topic), []
    for place, term in zip(paragraphs, subject.get("terms", ()), strict=False):
        added = dice.choice(phrases.KEYWORDS).format(keyword=term.replace("{", "(").replace("}", ")"))
        changed.append({"number": place["number"], "text": f"{place['text']} {added}"})
    return {"paragraphs": changed}


def _citations(_: Theme, subject: Json) -> Json:  # noqa: ARG001 - every task is asked in the same way
    return {"pairs": []}


def _plain(about: Theme, subject: Json) -> str:
    """Write a short text for a task that has no form of its own."""
    dice = chance("plain", about.topic)
    return f"*{phrases.LABEL}*\n\n" + section(
        about, dice, words=int(subject.get("words", USUAL_WORDS)), points=(), facts=()
    )


def _capital(text: str) -> str:
    return re.sub(r"[^\W\d_]", lambda letter: letter.group().upper(), text, count=1)


TASKS: Mapping[str, Callable[[Theme, Json], Json | str]] = {
    "keywords": _keywords,
    "competitors": _competitors,
    "intent": _intent,
    "outline": _outline,
    "section": _section,
    "facts": _facts,
    "enhance": _enhance,
    "polish": _polish,
    "integrate": _integrate,
    "citations": _citations,
    "story_outline": tales.outline,
    "story_text": tales.text,
}
"""What is written for each task."""
