"""The parts that a post's stages are made of, each by itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.posts import POTS, SUN, TOMATOES

from atelier.pipelines.blog import judging, lengths, prompts
from atelier.pipelines.blog.answers import IntegrationAnswer, KeywordAnswer, OutlineAnswer, OutlineSection
from atelier.pipelines.blog.checking import Checker
from atelier.pipelines.blog.manuscript import Manuscript, Piece, tidied, worse
from atelier.pipelines.blog.models import Citation
from atelier.pipelines.blog.pace import most_tokens
from atelier.pipelines.blog.publishing import cited
from atelier.pipelines.blog.researching import Found, Source, excerpt
from atelier.pipelines.blog.stages.competitor_analysis import compared, harder
from atelier.pipelines.blog.stages.intent_analysis import guessed
from atelier.pipelines.blog.stages.keyword_analysis import chosen, query
from atelier.pipelines.blog.stages.research_outline import planned
from atelier.pipelines.blog.stages.semantic_integration import paragraphs, taken
from atelier.pipelines.blog.stages.seo_polish import cut, renamed
from atelier.pipelines.blog.state import KeywordPlan, Mark, Rivals
from atelier.pipelines.blog.terms import distinct

SOURCES = (
    Source(url="https://pots.example/a", title="Pots", text=POTS, words=60, number=1),
    Source(url="https://sun.example/b", title="Sun", text=SUN, words=60, number=2),
)


@pytest.mark.parametrize(
    ("asked", "median", "words", "sections"),
    [
        ({"length": "short"}, None, 600, 4),
        ({"length": "medium"}, None, 1200, 6),
        ({"length": "medium"}, 5000, 1320, 6),
        ({"length": "medium"}, 400, 1080, 6),
        ({"length": "medium"}, 1150, 1150, 6),
        ({"words": 900}, 5000, 900, 5),
        ({"length": "extended"}, None, 3500, 12),
        ({"words": 200}, None, 200, 4),
        ({"words": 6000}, None, 6000, 12),
    ],
)
def test_a_length_moves_a_tenth_towards_competitors_and_a_number_does_not(
    asked: dict[str, object], median: int | None, words: int, sections: int
) -> None:
    params = TOMATOES.model_copy(update={"words": None, **asked})
    plan = lengths.plan(params, Rivals(median_words=median) if median is not None else None)
    assert (plan.words, plan.sections) == (words, sections)
    assert plan.reason


@given(st.integers(200, 6000), st.integers(3, 12))
def test_the_words_of_all_sections_are_the_post_s(words: int, count: int) -> None:
    spread = lengths.spread(words, count)
    assert abs(sum(spread) - words) <= count
    assert min(spread) > 0


def test_what_a_post_takes_at_most_is_counted_from_its_texts() -> None:
    usage = most_tokens(TOMATOES)
    assert usage.written > 600 * 2
    assert usage.read > usage.written


def test_terms_are_distinct_in_their_order() -> None:
    assert distinct(["Pots", "soil", "pots", " ", "Sun"], but=["SUN"]) == ("Pots", "soil")


def test_the_caller_s_keywords_come_first() -> None:
    answer = KeywordAnswer(
        primary="tomato care", secondary=["pots", "Tomato pots"], long_tail=["how to water"], questions=[]
    )
    plan = chosen(("balcony tomatoes", "tomato pots"), answer, [])
    assert (plan.primary, plan.secondary) == ("balcony tomatoes", ("tomato pots", "pots"))
    assert plan.difficulty is None
    found = [Found(url="https://a.example/", title="Balcony tomatoes", snippet="All about them.")]
    judged = chosen((), answer.model_copy(update={"primary": "balcony tomatoes"}), found)
    assert judged.difficulty == 50
    assert judged.evidence == "1 of 1 results have it in their title, 0 in a heading."


def test_a_model_may_name_every_keyword_of_the_caller_again() -> None:
    """Of each sort, with some of its own; the plan has each once, and no more than it has room for."""
    wanted = tuple(f"keyword {number}" for number in range(50))
    named = [*wanted, *(f"another {number}" for number in range(20))]
    answer = KeywordAnswer(primary="tomato care", secondary=named, long_tail=named, questions=named)
    plan = chosen(wanted, answer, [])
    assert (plan.primary, plan.secondary) == (wanted[0], wanted[1:13])
    assert len(plan.long_tail) == len(plan.questions) == 12
    with pytest.raises(ValidationError):
        KeywordAnswer(primary="tomato care", secondary=[*named, "more"], long_tail=[], questions=[])


def test_a_query_names_the_first_keyword_once() -> None:
    assert query("Growing tomatoes", ("tomatoes",)) == "Growing tomatoes"
    assert query("Growing tomatoes", ("balcony",)) == "Growing tomatoes balcony"
    assert len(query("x" * 500, ())) == 200


@pytest.mark.parametrize(
    ("texts", "purpose"),
    [
        (["How to grow tomatoes", "What they need"], "informational"),
        (["Best tomato pots", "Pots compared: a review", "How to"], "commercial"),
        (["Buy tomato pots", "Cheap pots, price list"], "transactional"),
        (["Acme login"], "navigational"),
        (["Tomatoes"], "informational"),
    ],
)
def test_words_tell_what_people_want(texts: list[str], purpose: str) -> None:
    guess, evidence = guessed(texts)
    assert guess == purpose
    assert bool(evidence) == (texts != ["Tomatoes"])


def test_competitors_are_compared_by_what_they_share() -> None:
    long = "Tomato pots need soil. " * 100
    pages = [
        Source(url=f"https://{n}.example/", title="Tomato pots", text=long, words=400 + n, headings=("Soil",))
        for n in range(3)
    ]
    found = compared(pages)
    assert (found.pages, found.median_words, found.headings) == (3, 401, 1)
    assert "tomato pots" in found.terms
    assert all(" " in term or term in {"tomato", "pot", "pots", "soil"} for term in found.terms)
    assert compared([pages[0].model_copy(update={"words": 50})]).median_words == 0, (
        "a note says nothing of a post's length"
    )
    plan = harder(KeywordPlan(primary="tomato pots"), pages)
    assert plan.difficulty == round(50 + 30 * 401 / 2000, 1)


def test_each_section_gets_its_facts_and_no_fact_stands_twice() -> None:
    names = ["Introduction", "Pots and soil", "Sun", "Conclusion"]
    sections = [OutlineSection(heading=name, points=["what tomatoes need"]) for name in names]
    outline = planned(OutlineAnswer(title="Tomatoes", sections=sections), 600, SOURCES, "tomatoes balcony")
    facts = [fact for section in outline.sections for fact in section.facts]
    assert len(facts) == len(set(facts))
    assert {fact.source for fact in facts} == {1, 2}
    assert all(fact.text in SOURCES[fact.source - 1].text for fact in facts)


def test_a_section_is_tidied() -> None:
    text = "```markdown\n## Pots\n\n# Big\nSee [a](https://pots.example/a) and [b](https://b.example/).\n\n\n\n![x](http://x.example)\n```"
    tidy, lost = tidied(text, "Pots", frozenset({"https://pots.example/a"}))
    assert tidy == "### Big\nSee [a](https://pots.example/a) and b."
    assert lost == 2
    assert tidied("Pots\n\nThey hold soil.", "Pots", frozenset())[0] == "They hold soil."


@settings(max_examples=100)
@given(st.text(max_size=400))
def test_any_text_can_be_tidied_and_stays_so(text: str) -> None:
    once, _ = tidied(text, "Heading", frozenset())
    assert "](http" not in once
    assert worse(once, once, frozenset()) == ""


def test_a_new_form_must_not_be_worse() -> None:
    before = "### Pots\n\n" + "Tomatoes like 20 litres of soil. " * 10
    assert worse(before, before.replace("like", "love"), frozenset()) == ""
    assert "only" in worse(before, "### Pots\n\nShort.", frozenset())
    assert "instead of" in worse(before, before * 2, frozenset())
    assert "headings" in worse(before, before.removeprefix("### Pots\n\n"), frozenset())
    assert "30" in worse(before, before.replace("20", "30"), frozenset())
    assert worse(before, before.replace("20", "30"), frozenset({"30"})) == ""


def test_headings_are_renamed_all_or_none() -> None:
    assert renamed(["A", "B"], ["# One", "Two"]) == ["One", "Two"]
    for offered in (["One"], ["One", ""], ["One", "one"], ["One", "x" * 91], []):
        assert renamed(["A", "B"], offered) == ["A", "B"]


def test_texts_are_cut_between_words() -> None:
    assert cut("short", 10) == "short"
    assert cut("some longer words here", 12) == "some longer…"
    assert len(cut("x" * 100, 60)) <= 60


PIECES = (
    Piece(number=1, heading="", markdown="Tomatoes are red.\n\n- a list\n\nThey like the sun a lot."),
    Piece(number=2, heading="Pots", markdown="Pots hold soil and water for roots.\n\n### Sub\n\nSoil is dark."),
)


def test_only_plain_paragraphs_are_changed() -> None:
    post = Manuscript(title="T", pieces=PIECES)
    found = [text for _, text in paragraphs(post, ["soil"])]
    assert found == [
        "Tomatoes are red.",
        "They like the sun a lot.",
        "Pots hold soil and water for roots.",
        "Soil is dark.",
    ]
    repeated = Manuscript(
        title="T", pieces=(PIECES[0], PIECES[0].model_copy() if hasattr(PIECES[0], "model_copy") else PIECES[0])
    )
    assert paragraphs(repeated, ["soil"]) == (), "one that is there twice cannot be told apart"


def test_a_paragraph_is_changed_only_to_place_a_term() -> None:
    chosen_ = [(1, "Tomatoes are red and sweet."), (2, "Pots hold soil for roots.")]

    def take(number: int, text: str) -> list[str]:
        answer = IntegrationAnswer.model_validate({"paragraphs": [{"number": number, "text": text}]})
        return [
            edit.after for edit in taken(chosen_, {each.number: each.text for each in answer.paragraphs}, ["mulch"])
        ]

    assert take(1, "Tomatoes are red and sweet, with mulch.") == ["Tomatoes are red and sweet, with mulch."]
    for number, text in (
        (1, "Something else about mulch."),
        (1, "Tomatoes are red and very sweet."),
        (1, "Tomatoes are red and sweet with 40 kilos of mulch."),
        (1, "Tomatoes are red and sweet. [Mulch](https://x.example/)"),
        (1, "Tomatoes are red and sweet. " + "mulch " * 60),
        (7, "Tomatoes are red and sweet, with mulch."),
    ):
        assert take(number, text) == []


def test_a_quote_has_to_stand_in_its_source() -> None:
    checker = Checker(SOURCES, ["tomatoes"])
    claim = "Of gardeners in Leeds, 64 percent water twice a day."
    quote = "64 percent of them water their tomato pots twice a day"
    assert checker.confirms(claim, 1, quote)
    assert not checker.confirms(claim, 2, quote), "in that one"
    assert not checker.confirms(claim, 9, quote)
    assert not checker.confirms(claim, None, quote)
    assert not checker.confirms(claim, 1, "water their tomato"), "too short"
    assert not checker.confirms(claim.replace("64", "65"), 1, quote), "with these figures"
    assert not checker.confirms("Bees are loud at 64 percent.", 1, "percent of them water their"), "on this subject"


def test_the_topic_s_own_name_is_no_claim() -> None:
    checker = Checker((), ["Python"])
    assert checker.claims("People who use Python like clean pages. In 1991 the language reached its readers.") == (
        "In 1991 the language reached its readers.",
    )


def test_marks_stand_behind_their_sentences() -> None:
    piece = Piece(number=2, heading="Pots", markdown="First. **Pots hold** at least 20 litres\nof soil. Last.")
    citation = Citation(text="Pots hold at least 20 litres of soil.", url="https://pots.example/a", title="Pots [big]")
    marks = [Mark(section=2, source=1, citation=citation)]
    text = cited(Manuscript(title="T", pieces=(PIECES[0], piece)), marks, SOURCES)
    assert "20 litres\nof soil. [\\[1\\]](<https://pots.example/a>) Last." in text
    assert text.endswith("## Sources\n\n1. [Pots](<https://pots.example/a>)\n")
    assert "## Sources" not in cited(Manuscript(title="T", pieces=PIECES), [], SOURCES)


def test_excerpts_are_what_has_to_do_with_the_subject() -> None:
    assert excerpt(SOURCES[0], "survey of gardeners in Leeds", 250).startswith("A survey of 412")
    assert excerpt(SOURCES[0], "nothing", 20) == POTS[:20]


def test_foreign_text_closes_no_tag() -> None:
    for text in ("</source>", "< / source >", "<SOURCE n=2>", "</draft>", "<wishes>"):
        told = prompts.source(1, 'A "title"', f"Before {text} after")
        assert told.count("<") == 2, told


def test_quality_is_the_weighted_mean_of_its_dimensions() -> None:
    post = Manuscript(title="Tomatoes", pieces=PIECES).body
    found = judging.judged(post, subtopics=["soil and water"], terms=["pots", "bees"], keyword="pots", sources={})
    scores = {each.name: each.score for each in found.dimensions}
    assert set(scores) == set(judging.WEIGHTS)
    assert scores["coverage"] == 75, "the subtopic, and one of two terms"
    mean = sum(judging.WEIGHTS[name] * score for name, score in scores.items()) / 100
    assert found.score == round(mean, 1)
    copied = judging.judged(POTS, subtopics=[], terms=[], keyword="pots", sources={"a": POTS})
    assert next(each.score for each in copied.dimensions if each.name == "originality") == 0
