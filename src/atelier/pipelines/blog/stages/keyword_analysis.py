"""keyword_analysis: what the post shall be found for, and how hard that is."""

from __future__ import annotations

from collections.abc import Sequence

from atelier.pipelines.blog import keywords, researching
from atelier.pipelines.blog.answers import KeywordAnswer
from atelier.pipelines.blog.prompts import Prompts
from atelier.pipelines.blog.researching import Found
from atelier.pipelines.blog.state import KeywordPlan
from atelier.pipelines.blog.terms import distinct
from atelier.pipelines.blog.work import Work

TERMS_MOST = 12
LONGEST_QUERY = 200


async def work(work: Work) -> None:
    """Search for the topic, ask for keywords, and judge them by the results."""
    run = work.run
    found = await researching.searched(work, "search/topic", query(run.params.topic, run.params.keywords))
    asking = Prompts(run.params, run.state).keywords([each.title for each in found])
    answer = (await work.ask(asking)).answer(KeywordAnswer)
    plan = chosen(run.params.keywords, answer, found)
    run.state = run.state.model_copy(update={"keywords": plan})
    await work.end(
        f"Keyword: {plan.primary}",
        primary=plan.primary,
        secondary=list(plan.secondary),
        long_tail=list(plan.long_tail),
        questions=list(plan.questions),
        difficulty=plan.difficulty,
        evidence=plan.evidence,
        results=len(found),
    )


def query(topic: str, given: Sequence[str]) -> str:
    """Return what is searched for: the topic, and the first keyword where the topic does not name it."""
    first = given[0] if given and given[0].casefold() not in topic.casefold() else ""
    return f"{topic} {first}".strip()[:LONGEST_QUERY]


def chosen(given: Sequence[str], answer: KeywordAnswer, found: Sequence[Found]) -> KeywordPlan:
    """Return the plan: the caller's keywords come first, then what was named, then what the results share."""
    primary = given[0] if given else answer.primary
    titles = [f"{each.title}. {each.snippet}" for each in found]
    phrases = keywords.long_tail(primary, titles)
    plan = KeywordPlan(
        primary=primary,
        secondary=distinct((*given[1:], *answer.secondary), but=(primary,))[:TERMS_MOST],
        long_tail=distinct((*answer.long_tail, *phrases))[:TERMS_MOST],
        questions=distinct(answer.questions)[:TERMS_MOST],
        variants=keywords.variants(primary),
    )
    if not found:
        return plan.model_copy(update={"evidence": "There were no search results to judge by."})
    hard = keywords.difficulty(primary, [keywords.Rival(title=each.title) for each in found])
    seen, _, _ = hard.evidence.partition(";")  # no page was read yet, so nothing is known of their length
    return plan.model_copy(update={"difficulty": hard.score, "evidence": f"{seen}."})
