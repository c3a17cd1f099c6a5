"""Each stage alone, on a run that got so far: what it asks for, what it leaves, what it tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.house import House
from tests.jobs import Clock
from tests.posts import PAGES, POTS, PRICE, SUN, TOMATOES, Scribe, Web, at_work, begun, scripted, told
from tests.stores import Backend, Sqlite

from atelier.jobs.models import Json
from atelier.pipelines.blog import researching
from atelier.pipelines.blog.manuscript import manuscript
from atelier.pipelines.blog.stages import (
    citation_generation,
    competitor_analysis,
    draft_generation,
    enhancement,
    finalization,
    initialization,
    intent_analysis,
    keyword_analysis,
    length_optimization,
    quality_scoring,
    research_outline,
    semantic_integration,
    seo_polish,
)
from atelier.pipelines.blog.state import (
    BlogState,
    KeywordPlan,
    LengthPlan,
    Outline,
    Polish,
    Rivals,
    SectionPlan,
)
from atelier.pipelines.writing import Written

HEADINGS = ("Introduction", "Pots", "Conclusion")
SO_FAR = BlogState(
    keywords=KeywordPlan(primary="balcony tomatoes", secondary=("tomato pots", "drip irrigation")),
    length=LengthPlan(words=120, sections=3),
    outline=Outline(
        title="Balcony tomatoes",
        sections=tuple(SectionPlan(heading=name, points=("pots", "sun"), words=40) for name in HEADINGS),
    ),
)
FACT = "A survey of 412 gardeners in Leeds found that 64 percent of them water their tomato pots twice a day in July."
BODY = ("Balcony tomatoes are worth a try.", f"{FACT} Pots are made of clay.", "Begin in May with tomato pots.")


def written(text: str = "", value: Json | None = None) -> Json:
    made = Written(
        text=text, value=value, provider="scribe", model="quill", read=10, written=5, cost=PRICE, last_cost=PRICE
    )
    return made.model_dump(mode="json")


def sources(*urls: str) -> Json:
    texts = {url: PAGES[url] for url in urls or PAGES}
    pages = [researching.Source(url=url, title=url, text=text, words=60) for url, text in texts.items()]
    return {"pages": [page.model_dump(mode="json") for page in pages]}


def draft() -> dict[str, Json]:
    return {f"section/{number}": written(text) for number, text in enumerate(BODY, 1)}


@pytest.fixture
def backend(tmp_path: Path, clock: Clock) -> Backend:
    """Return one backend: nothing here is the stores'."""
    return Sqlite(tmp_path / "atelier.db", clock)


async def test_initialization_finds_who_writes(house: House) -> None:
    run = await begun(house)
    await initialization.work(at_work(house, run, "initialization", Scribe(), Web(PAGES)))
    assert (await told(house, run))[-1] == (
        "Planning 600 words",
        {"key": "stage/initialization", "words": 600, "search": "web", "switched_off": ""},
    )


async def test_keyword_analysis_searches_asks_and_judges(house: House) -> None:
    run, web, scribe = await begun(house), Web(PAGES), Scribe()
    await keyword_analysis.work(at_work(house, run, "keyword_analysis", scribe, web))
    assert web.queries == ["Growing tomatoes on a balcony balcony tomatoes"]
    assert scribe.keys == ["keywords"]
    assert "Title of https://pots.example/a" in scribe.asked[0].prompt
    assert run.state.keywords.primary == "balcony tomatoes"
    assert run.state.keywords.difficulty == 0
    assert run.job.cost == pytest.approx(PRICE + 0.001)


async def test_competitor_analysis_reads_what_was_found(house: House) -> None:
    found = {"results": [{"url": url, "title": "Tomatoes", "snippet": ""} for url in PAGES]}
    run = await begun(house, state=SO_FAR, once={"search/topic": found})
    web, scribe = Web(PAGES), Scribe()
    await competitor_analysis.work(at_work(house, run, "competitor_analysis", scribe, web))
    assert sorted(web.fetched) == sorted(PAGES)
    assert run.state.rivals is not None
    assert run.state.rivals.pages == 2
    message, data = (await told(house, run))[-1]
    assert (message, data["pages"], data["unreadable"]) == ("2 pages compared", 2, 0)
    again = at_work(house, run, "competitor_analysis", scribe, web)
    await competitor_analysis.work(again)
    assert (len(web.fetched), len(scribe.asked)) == (2, 1), "nothing is read or asked for twice"


async def test_intent_analysis_has_evidence(house: House) -> None:
    run = await begun(house, state=SO_FAR)
    answer = {"intent": "commercial", "confidence": 0.7, "evidence": ["Titles compare pots."]}
    await intent_analysis.work(at_work(house, run, "intent_analysis", Scribe(scripted(intent=answer))))
    intent = run.state.intent
    assert (intent.purpose, intent.confidence, intent.evidence) == ("commercial", 0.7, ("Titles compare pots.",))


async def test_length_optimization_asks_nobody(house: House) -> None:
    run = await begun(house, state=BlogState(rivals=Rivals(pages=3, median_words=640)))
    scribe = Scribe()
    await length_optimization.work(at_work(house, run, "length_optimization", scribe))
    assert (run.state.length.words, scribe.asked) == (640, [])


async def test_research_outline_reads_and_plans(house: House) -> None:
    params = TOMATOES.model_copy(update={"sources": ("https://sun.example/b",)})
    run = await begun(house, params, state=SO_FAR.model_copy(update={"outline": Outline()}))
    web, scribe = Web(PAGES), Scribe()
    await research_outline.work(at_work(house, run, "research_outline", scribe, web))
    assert web.fetched == ["https://sun.example/b", "https://pots.example/a"], "the caller's first, then what is found"
    assert [source.given for source in researching.sources_of(run)] == [True, False]
    assert run.state.outline.title
    assert any(section.facts for section in run.state.outline.sections)
    assert SUN[:60] in scribe.asked[0].prompt


async def test_draft_generation_goes_on_behind_the_last_section(house: House) -> None:
    run = await begun(house, state=SO_FAR, once={"section/1": written(BODY[0])})
    scribe = Scribe(scripted(section=list(BODY)))
    await draft_generation.work(at_work(house, run, "draft_generation", scribe))
    assert scribe.keys == ["section/2", "section/3"]
    assert BODY[0] in scribe.asked[0].prompt, "the next one goes on from there"
    sections = [data["section"] for _, data in await told(house, run) if "section" in data]
    assert [(each["number"], each["title"]) for each in sections] == [(2, "Pots"), (3, "Conclusion")]


async def test_enhancement_names_what_no_source_says(house: House) -> None:
    claim = "In 2019 the Dutch ministry counted 31,000 balcony tomatoes in Utrecht."
    once = {**draft(), "section/3": written(f"Begin in May. {claim}"), "pages/results": sources()}
    run = await begun(house, state=SO_FAR, once=once)
    scribe = Scribe(scripted(enhance_3="Begin in May. It is a good month for balcony tomatoes. Use tomato pots then."))
    await enhancement.work(at_work(house, run, "enhancement", scribe))
    verdicts = {each.claim: each.verdict for each in run.state.verdicts}
    assert verdicts == {FACT: "supported", claim: "unsupported"}
    assert claim in scribe.asked[0].prompt, "a model is asked about that one only"
    assert FACT not in scribe.asked[0].subject["claims"]
    third = next(request for request in scribe.asked if request.subject.get("number") == 3)
    assert f"<claim>{claim}</claim> No source says this" in third.prompt
    assert "Utrecht" not in manuscript(run).body


async def test_enhancement_takes_a_correction_with_a_quote_only(house: House) -> None:
    wrong = "A survey of gardeners in Leeds found that 46 percent of them water their tomato pots twice a day."
    right = "A survey of gardeners in Leeds found that 64 percent of them water their tomato pots twice a day."
    quote = "64 percent of them water their tomato pots twice a day in July"
    once = {**draft(), "section/2": written(wrong), "pages/results": sources()}

    async def corrected(**told: Any) -> str:
        verdict = {"claim": 1, "verdict": "contradicted", "source": 1, "quote": quote, "correction": right, **told}
        run = await begun(house, TOMATOES.model_copy(update={"blog_id": str(told)}), state=SO_FAR, once=once)
        scribe = Scribe(scripted(facts={"verdicts": [verdict]}))
        await enhancement.work(at_work(house, run, "enhancement", scribe))
        return next(each.verdict for each in run.state.verdicts if each.claim == wrong)

    assert await corrected() == "contradicted"
    assert await corrected(quote="They water in the dark of the night") == "unsupported"
    assert await corrected(correction=right.replace("64", "65")) == "unsupported"
    assert await corrected(source=2) == "unsupported"


async def test_seo_polish_keeps_to_the_limits(house: House) -> None:
    run = await begun(house, state=SO_FAR, once=draft())
    answer = {
        "title": "# Balcony *tomatoes*",
        "meta_title": "x " * 50,
        "meta_description": "y " * 120,
        "headings": ["Roomy pots", "What now"],
    }
    await seo_polish.work(at_work(house, run, "seo_polish", Scribe(scripted(polish=answer))))
    polish = run.state.polish
    assert polish is not None
    assert (polish.title, polish.headings, polish.contents) == (
        "Balcony *tomatoes*".replace("*", ""),
        ("Roomy pots", "What now"),
        False,
    )
    assert len(polish.meta_title) <= 60
    assert len(polish.meta_description) <= 160
    assert [piece.heading for piece in manuscript(run).pieces] == ["", "Roomy pots", "What now"]


async def test_semantic_integration_measures_before_and_after(house: House) -> None:
    run = await begun(house, state=SO_FAR, once=draft())
    answer = {"paragraphs": [{"number": 3, "text": "Begin in May with tomato pots and drip irrigation."}]}
    scribe = Scribe(scripted(integrate=answer))
    await semantic_integration.work(at_work(house, run, "semantic_integration", scribe))
    counts = {each.term: (each.before, each.after) for each in run.state.terms}
    assert counts == {"balcony tomatoes": (2, 2), "tomato pots": (2, 2), "drip irrigation": (0, 1)}
    assert scribe.asked[0].subject["terms"] == ["drip irrigation"]
    assert "drip irrigation" in manuscript(run).body


async def test_semantic_integration_asks_nobody_where_nothing_is_missing(house: House) -> None:
    state = SO_FAR.model_copy(update={"keywords": KeywordPlan(primary="balcony tomatoes")})
    run, scribe = await begun(house, state=state, once=draft()), Scribe()
    await semantic_integration.work(at_work(house, run, "semantic_integration", scribe))
    assert scribe.asked == []


async def test_quality_scoring_measures(house: House) -> None:
    run, scribe = await begun(house, state=SO_FAR, once={**draft(), "pages/results": sources()}), Scribe()
    await quality_scoring.work(at_work(house, run, "quality_scoring", scribe))
    assert scribe.asked == []
    assert run.state.quality.score is not None
    originality = next(each for each in run.state.quality.dimensions if each.name == "originality")
    assert originality.score < 100
    assert "of eight words stand in a source" in originality.evidence


async def test_citation_generation_asks_only_about_the_rest(house: House) -> None:
    run, scribe = await begun(house, state=SO_FAR, once={**draft(), "pages/results": sources()}), Scribe()
    await citation_generation.work(at_work(house, run, "citation_generation", scribe))
    assert scribe.asked == [], "everything that can be checked is in a source"
    (mark,) = run.state.marks
    assert (mark.section, mark.citation.text, mark.citation.url) == (2, FACT, "https://pots.example/a")
    assert run.job.warnings == ("Read, but nothing in the post rests on it: https://sun.example/b",)


async def test_finalization_makes_every_form(house: House) -> None:
    state = SO_FAR.model_copy(update={"polish": Polish(title="T", meta_title="T", meta_description="D", contents=True)})
    run, scribe = await begun(house, state=state, once={**draft(), "pages/results": sources()}), Scribe()
    await finalization.work(at_work(house, run, "finalization", scribe))
    final = run.kept(finalization.FINAL)
    assert final is not None
    assert scribe.asked == []
    assert "- [Pots](#pots)\n- [Conclusion](#conclusion)" in final["content"]
    assert '<h2 id="pots">Pots</h2>' in final["content_html"]
    assert final["structured_data"]["headline"] == "T"
    assert POTS[:20] not in final["content"]


async def test_a_stage_that_is_done_again_writes_nothing_again(house: House) -> None:
    run = await begun(house, state=SO_FAR, once=draft())
    for _ in range(2):
        await length_optimization.work(at_work(house, run, "length_optimization", Scribe()))
        await quality_scoring.work(at_work(house, run, "quality_scoring", Scribe()))
    keys = [data["key"] for _, data in await told(house, run) if "key" in data]
    assert keys == ["stage/length_optimization", "stage/quality_scoring"]
