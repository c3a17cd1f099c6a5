"""The sandbox's search: the same six pages for every query, about whatever was asked, with facts that can be looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from atelier.pipelines.blog import document, injection, words
from atelier.pipelines.sources import Finding, Findings

SITE: Final = "https://sandbox.example"
WORDS_OF_A_QUERY: Final = 8
MADE_UP: Final = "This page comes from the sandbox; its facts are made up, so that they can be looked up."


@dataclass(frozen=True, slots=True)
class Sketch:
    """A page with a gap for what was asked: its address, title, opening, and sections by their headings."""

    path: str
    title: str
    opening: str
    sections: tuple[tuple[str, str], ...]


SKETCHES: Final = (
    Sketch(
        "guide",
        "{Topic}: a complete guide",
        "A guide to {topic} from first steps to daily practice. People have written about {topic} since 1987.",
        (
            ("What is {topic}?", "In a sandbox survey of 2024, 62 percent of 1,200 people could say what {topic} means. The other 38 percent asked a friend."),
            ("How to begin with {topic}", "Most beginners need 3 weeks and about 40 hours before {topic} feels natural. Small steps work better than long plans."),
            ("What {topic} costs", "A first attempt at {topic} costs between $20 and $150. After the first year the costs fall by 30 percent."),
        ),
    ),
    Sketch(
        "study",
        "What a study found about {topic}",
        "The Sandbox Institute followed 480 households for 5 years to see what {topic} changes.",
        (
            ("Method of the study", "The study compared 240 households with {topic} to 240 without. Each household answered 36 questions a year."),
            ("Results", "Households with {topic} saved 4.5 hours a week on average. The effect was largest in the second year and did not fade by 2023."),
            ("Limits of the study", "The study looked at one region only. It did not measure what {topic} costs."),
        ),
    ),
    Sketch(
        "mistakes",
        "7 common mistakes with {topic}",
        "Editors of the sandbox collected 310 letters about {topic} and counted what went wrong.",
        (
            ("Starting too big", "In 45 percent of the letters the first plan for {topic} was too large. A plan that fits on one page was finished twice as often."),
            ("Forgetting maintenance", "About 1 in 4 writers gave up because {topic} needs attention every month. Ten minutes a week were enough for the others."),
        ),
    ),
    Sketch(
        "history",
        "A short history of {topic}",
        "How {topic} came to be what it is, in four dates.",
        (
            ("The early years", "The first club for {topic} was founded in Lisbon in 1987 with 14 members. By 1995 there were 60 clubs in Europe."),
            ("Since 2010", "Since 2010 interest in {topic} has grown by 12 percent a year. The largest meeting so far had 8,500 visitors in Vienna in 2022."),
        ),
    ),
    Sketch(
        "compare",
        "{Topic} compared: three ways and when to use them",
        "Three ways to approach {topic}, tested side by side for 90 days.",
        (
            ("The simple way", "The simple way needs no tools and takes 15 minutes a day. It suits 7 of 10 people who are new to {topic}."),
            ("The thorough way", "The thorough way takes 2 hours a week and reached 85 percent of its goals in the test. It costs $60 more than the simple way."),
            ("The shared way", "Groups of 5 people reached 91 percent of their goals with {topic}. They needed a fixed meeting every Tuesday."),
        ),
    ),
    Sketch(
        "questions",
        "{Topic}: questions and answers",
        "The questions about {topic} that the sandbox is asked most often.",
        (
            ("Is {topic} worth the time?", "After 6 months 78 percent of those asked would start with {topic} again. Only 9 percent would not."),
            ("How long does {topic} take?", "A usual project takes 8 to 10 weeks. The fastest one in the sandbox's records took 11 days."),
            ("Where can {topic} be learnt?", "More than 200 public libraries offer a course on {topic}. The course in Oslo has run since 2004."),
        ),
    ),
)  # fmt: skip


class SandboxSearch:
    """`pipelines.sources.SearchProvider` without network: every query has the same pages, which are read already."""

    name = "sandbox"

    async def search(self, query: str, *, most: int) -> Findings:
        """Return up to six pages about the query's words."""
        asked = injection.cleaned(" ".join(words.words(query)[:WORDS_OF_A_QUERY])).text or "this subject"
        results = tuple(_finding(sketch, asked) for sketch in SKETCHES[:most])
        return Findings(query=query, provider=self.name, results=results)

    async def ping(self) -> None:
        """It is there."""

    async def close(self) -> None:
        """Nothing to let go of."""


def _finding(sketch: Sketch, topic: str) -> Finding:
    def filled(text: str) -> str:
        return text.replace("{topic}", topic).replace("{Topic}", topic[:1].upper() + topic[1:])

    title, opening = filled(sketch.title), filled(sketch.opening)
    parts = [part for head, text in sketch.sections for part in (f"## {filled(head)}", filled(text))]
    return Finding(
        url=f"{SITE}/{document.slug(topic) or 'subject'}/{sketch.path}",
        title=title,
        snippet=opening,
        content="\n\n".join([f"# {title}", opening, *parts, MADE_UP]),
    )
