"""The words that the sandbox makes its sentences of; every combination is a sentence."""

from __future__ import annotations

from typing import Final

OPENERS: Final = (
    "In practice, ",
    "To begin with, ",
    "Over time, ",
    "As a rule, ",
    "In most cases, ",
    "Later on, ",
    "On a busy day, ",
    "With a little patience, ",
    "After a few weeks, ",
    "For {topic}, ",
    "With {topic}, ",
    "",
    "",
    "",
    "",
)
"""How a sentence may begin; `{topic}` and `{keyword}` stand for themselves."""

PEOPLE: Final = (
    "experienced people",
    "beginners",
    "small teams",
    "careful planners",
    "people who ask about {keyword}",
    "those who start with {topic}",
    "good teachers",
    "patient readers",
    "newcomers",
    "people with little time",
    "families",
    "friends who share the work",
    "honest reviewers",
    "many readers",
)

PEOPLE_DO: Final = (
    "begin with {thing}",
    "keep {thing} in view",
    "write down {thing}",
    "compare {thing} with {other}",
    "come back to {thing} every week",
    "spend more time on {thing} than on {other}",
    "test {thing} on a small scale",
    "learn most from {thing}",
    "ask early about {thing}",
    "settle {thing} before {other}",
    "leave room for {thing}",
    "talk openly about {thing}",
    "put {thing} ahead of {other}",
    "choose {thing} with care",
    "check {thing} twice",
    "plan around {thing}",
)

HELPS: Final = (
    "short notes",
    "simple checklists",
    "small experiments",
    "regular reviews",
    "clear examples",
    "a few quiet hours",
    "early questions",
    "good sources on {keyword}",
    "plain numbers",
    "shared plans",
    "long breaks",
    "modest goals",
)

HELPS_DO: Final = (
    "save time later",
    "show the worth of {thing}",
    "make {thing} easier to judge",
    "turn {thing} into a habit",
    "reveal problems with {thing}",
    "keep {thing} and {other} apart",
    "protect {thing}",
    "lead from {thing} to {other}",
    "bring {thing} back into view",
    "give {thing} its proper place",
)

THINGS: Final = (
    "the time at hand",
    "the real costs",
    "a clear goal",
    "one small example",
    "the tools they own",
    "the early results",
    "the advice of others",
    "the limits of the place",
    "the order of the steps",
    "the weakest part of the plan",
    "a calm schedule",
    "the small details",
    "the wider picture",
    "one question at a time",
    "the usual mistakes",
    "the safest option",
    "the simplest method",
    "the quality of the materials",
    "regular practice",
    "honest feedback",
    "the notes of last season",
    "a second opinion",
    "the parts that wear out",
    "the needs of the people around them",
)

ENDINGS: Final = (
    ".",
    ".",
    ".",
    ", because small errors grow quickly.",
    ", because habits form early.",
    ", because nobody remembers every detail.",
    ", because plans change.",
    ", because repairs cost more than care.",
    ", because results arrive slowly.",
    ", so that later choices become easier.",
    ", so that nothing important is lost.",
    ", so that progress can be seen.",
    ", so that the next step is clear.",
    ", even when time is short.",
    ", even when an attempt fails.",
    ", even when others are in a hurry.",
    ", and that is usually enough.",
    ", and the rest follows from there.",
    ", and few of them regret it.",
)

POINTS: Final = (
    "A word on {point}. {sentence}",
    "This part is about {point}. {sentence}",
    "Much depends on {point}. {sentence}",
    "It pays to think about {point} early. {sentence}",
)

KEYWORDS: Final = (
    "Questions about {keyword} often come up at this point.",
    "Whoever looks into {keyword} will meet this again.",
    "The same holds for {keyword}, with small differences.",
    "It helps to read about {keyword} before the work begins.",
    "Good advice on {keyword} is plain and can be checked.",
    "Notes on {keyword} are worth keeping in one place.",
)

FACTS: Final = ("{fact}", "One source puts it like this: {fact}", "A figure to remember: {fact}")

LISTS: Final = (
    ("Prepare", "set aside an hour, a table and everything that is needed"),
    ("Begin small", "choose one part that can be finished in a day"),
    ("Look closely", "write down what works and what does not"),
    ("Ask", "let somebody else try it and listen"),
    ("Repeat", "do the same part again before the next one is begun"),
    ("Compare", "hold the result against the goal, not against others"),
    ("Rest", "leave it alone for a day and look at it with fresh eyes"),
    ("Tidy up", "put tools and notes where they will be found again"),
)

HEADINGS: Final = (
    (
        "What {topic} means in practice",
        ("what belongs to it", "where it begins", "how it differs from what is near it"),
    ),
    ("Getting started", ("the opening day", "what to have at hand", "a small success early on")),
    ("Tools and materials", ("what is really needed", "what can wait", "how to keep it in good order")),
    ("A plan, step by step", ("the order of the work", "how long each part takes", "when to stop")),
    ("Common mistakes and how to avoid them", ("too much at once", "old habits", "missing notes")),
    ("What it costs", ("money", "time", "attention")),
    ("How to see progress", ("simple measures", "a calendar", "the view of others")),
    ("Examples from everyday life", ("a small one", "a larger one", "one that went wrong")),
    ("Questions that come up again and again", ("who it is for", "how to go on", "whom to ask")),
    ("Going further with {topic}", ("harder tasks", "good company", "what to read next")),
    ("Keeping it up", ("routine", "breaks", "new ideas")),
    ("{topic} and the people around you", ("family", "neighbours", "helpers")),
)

TITLES: Final = (
    "{topic}: a practical guide",
    "{topic}, step by step",
    "A fresh look at {topic}",
    "{topic}: what helps and what does not",
    "Getting along with {topic}",
)

TITLE_TAIL: Final = "how to begin and go on"
DESCRIPTION_TAIL: Final = "how to begin, what helps and what it costs. An example by the sandbox."

BETTER: Final = (("In most cases, ", "Usually, "), ("As a rule, ", "By and large, "), ("Later on, ", "After that, "))
"""How sentences begin in a draft, and in its improved form."""

LABEL: Final = "This text was written by the sandbox: it is an example and no advice."
"""Stands in every article the sandbox writes."""
