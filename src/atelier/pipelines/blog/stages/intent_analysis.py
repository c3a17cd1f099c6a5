"""intent_analysis: what people want who search for the keyword."""

from __future__ import annotations

import re
from collections.abc import Sequence

from atelier.pipelines.blog.answers import IntentAnswer
from atelier.pipelines.blog.prompts import Prompts
from atelier.pipelines.blog.researching import Found
from atelier.pipelines.blog.state import Intent, Purpose
from atelier.pipelines.blog.work import Work

SIGNS: dict[Purpose, re.Pattern[str]] = {
    "transactional": re.compile(
        r"\b(?:buy|order|price|prices|cheap|deal|discount|coupon|download|sign up|book|hire)\b", re.IGNORECASE
    ),
    "commercial": re.compile(
        r"\b(?:best|top \d+|review|reviews|vs|versus|compare|comparison|alternatives?)\b", re.IGNORECASE
    ),
    "navigational": re.compile(r"\b(?:login|log in|sign in|official site|homepage|contact)\b", re.IGNORECASE),
    "informational": re.compile(
        r"\b(?:how|what|why|when|guide|tutorial|tips|learn|ideas|examples?|meaning)\b", re.IGNORECASE
    ),
}
"""Words that people use who want one thing or another."""


async def work(work: Work) -> None:
    """Guess from the words people use, and ask; the answer counts, with the words as evidence."""
    run = work.run
    seen = [run.state.keywords.primary, *run.state.keywords.questions, *_snippets(run.kept("search/topic"))]
    guess, signs = guessed((run.params.topic, *seen))
    answer = (await work.ask(Prompts(run.params, run.state).intent(seen, guess))).answer(IntentAnswer)
    evidence = tuple(dict.fromkeys((*signs, *answer.evidence[:3])))
    intent = Intent(purpose=answer.intent, confidence=answer.confidence, evidence=evidence)
    run.state = run.state.model_copy(update={"intent": intent})
    await work.end(
        f"Intent: {intent.purpose}",
        intent=intent.purpose,
        confidence=intent.confidence,
        evidence=list(intent.evidence),
        words_say=guess,
    )


def guessed(texts: Sequence[str]) -> tuple[Purpose, tuple[str, ...]]:
    """Return the intent that most texts show by their words, and the evidence; informational where none does."""
    counts = {purpose: sum(bool(sign.search(text)) for text in texts) for purpose, sign in SIGNS.items()}
    best = max(counts, key=lambda purpose: counts[purpose])
    if not counts[best]:
        return "informational", ()
    return best, (f"{counts[best]} of {len(texts)} titles and phrases use {best} words.",)


def _snippets(kept: dict[str, list[object]] | None) -> list[str]:
    found = [Found.model_validate(each) for each in (kept or {"results": []})["results"]]
    return [f"{each.title}. {each.snippet}" for each in found]
