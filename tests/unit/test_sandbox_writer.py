"""The sandbox writer: what it writes is the same each time, as long as asked, and says where it comes from."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.desks import Noted

from atelier.errors import JobConflict, ProviderRateLimited, ProviderRefused, ProviderUnavailable
from atelier.pipelines.blog import answers, document, support, words
from atelier.pipelines.ports import Script
from atelier.pipelines.story.answers import outline_of, text_of
from atelier.pipelines.texts import GeneratedText, TextRequest
from atelier.providers.prose import theme
from atelier.providers.sandbox_writer import TASKS, SandboxWriter

SHAPES: dict[str, Any] = {
    "keywords": answers.KeywordAnswer,
    "competitors": answers.RivalAnswer,
    "intent": answers.IntentAnswer,
    "outline": answers.OutlineAnswer,
    "facts": answers.FactAnswer,
    "polish": answers.PolishAnswer,
    "integrate": answers.IntegrationAnswer,
    "citations": answers.CitationAnswer,
    "story_outline": outline_of(7),
    "story_text": text_of(7),
}
TOPICS = [
    "Balcony gardening",
    "How to brew coffee at home?",
    "Python",
    "a" * 300,
    "{x} & <b>",
    "Ümläute und 日本語",
    "?",
]


def request(task: str, *, attempt: int = 1, script: Script | None = None, **subject: Any) -> TextRequest:
    shape = SHAPES[task].model_json_schema() if task in SHAPES else None
    return TextRequest(
        script=script or Script(),
        attempt=attempt,
        task=task,
        instructions="Write.",
        prompt="A text.",
        most_tokens=1000,
        subject={"topic": "Balcony gardening", "keywords": ["pots"], **subject},
        shape=shape,
    )


async def write(task: str, **more: Any) -> GeneratedText:
    return await SandboxWriter().generate(request(task, **more), Noted())


def test_it_knows_every_task() -> None:
    assert set(TASKS) == {*SHAPES, "section", "enhance"}


@pytest.mark.parametrize("task", SHAPES)
@pytest.mark.parametrize("topic", TOPICS)
async def test_its_answers_have_their_shapes(task: str, topic: str) -> None:
    paragraphs = [{"number": 1, "text": "Pots are good."}]
    more = {"paragraphs": paragraphs, "sections": 7, "scenes": 7, "happens": ["They go."] * 7}
    made = await write(task, topic=topic, claims=["One.", "Two."], terms=["soil"], **more)
    answer = SHAPES[task].model_validate(made.value)
    if isinstance(answer, answers.OutlineAnswer):
        assert len(answer.sections) == 7


@pytest.mark.parametrize("task", SHAPES)
async def test_its_answers_have_their_shapes_with_as_many_keywords_as_a_request_may_have(task: str) -> None:
    keywords = [f"{number} {'x' * 97}" for number in range(10, 60)]
    paragraphs = [{"number": 1, "text": "Pots are good."}]
    more = {"paragraphs": paragraphs, "sections": 7, "scenes": 7, "happens": ["They go."] * 7}
    made = await write(task, topic="a" * 500, keywords=keywords, claims=["One."], terms=keywords[:6], **more)
    SHAPES[task].model_validate(made.value)


@pytest.mark.parametrize("length", [90, 150, 240, 400, 900])
@pytest.mark.parametrize("topic", TOPICS)
async def test_a_section_is_as_long_as_asked(topic: str, length: int) -> None:
    fact = "In 2021, 41 percent of readers grew herbs."
    made = await write(
        "section", topic=topic, number=2, words=length, points=["what to do", "when", "why"], facts=[fact]
    )
    count = len(words.words(document.read(made.text).text))
    assert 0.85 * length <= count <= 1.15 * length
    assert fact in made.text
    assert "{" not in made.text.replace("{x}", "")


async def test_the_same_request_gives_the_same_text_and_another_topic_another_one() -> None:
    one, again = [await write("section", number=1, words=200) for _ in range(2)]
    other = await write("section", number=1, words=200, topic="Bees")
    assert one.text == again.text != other.text
    sentences = words.sentences(one.text)
    assert len(set(sentences)) == len(sentences), "no sentence is there twice"


async def test_it_says_where_it_comes_from() -> None:
    first = await write("section", number=1, words=200)
    assert "written by the sandbox" in first.text
    assert "written by the sandbox" in (await write("story", words=120)).text
    assert "sandbox" in (await write("polish")).value["meta_description"]
    assert (first.provider, first.model, first.cost) == ("sandbox", "sandbox-writer-1", 0.0)
    assert first.usage.read > 0
    assert first.usage.written > 0


async def test_it_claims_nothing_of_its_own() -> None:
    """No figures, no names: what can be checked in its texts comes from the facts it was given."""
    for number in range(1, 8):
        made = await write("section", topic="balcony gardening", number=number, words=400, points=["when", "why"])
        assert support.claims(document.read(made.text).text) == ()


async def test_it_takes_out_what_is_not_supported() -> None:
    text = "Pots are good. In 1900 they were free. Most people like them."
    made = await write("enhance", markdown=text, unsupported=["In 1900 they were free."])
    assert "1900" not in made.text
    assert "Most people like them." in made.text


async def test_scripts() -> None:
    for scenario, error in (
        ("refused", ProviderRefused),
        ("rate_limited_then_ok", ProviderRateLimited),
        ("provider_down_then_ok", ProviderUnavailable),
        ("worker_lost", JobConflict),
    ):
        script = Script(scenario=scenario)
        with pytest.raises(error):
            await write("section", script=script)
        if scenario != "refused":
            assert (await write("section", script=script, attempt=2)).text
    assert (await write("keywords", script=Script(scenario="garbage"))).value is None
    assert (await write("section", script=Script(scenario="garbage"))).text == ""
    assert (await write("section", script=Script(scenario="noop"))).text


async def test_slow_spreads_its_seconds_over_the_texts() -> None:
    began = time.perf_counter()
    await write("section", script=Script(scenario="slow", seconds=2), share=0.1)
    assert time.perf_counter() - began >= 0.19


@settings(max_examples=50)
@given(st.text(max_size=200), st.lists(st.text(max_size=60), max_size=3))
def test_any_topic_can_stand_in_a_sentence(topic: str, keywords: list[str]) -> None:
    about = theme(topic, keywords)
    assert about.keywords
    assert not re.search(r"[{}]", about.topic)
