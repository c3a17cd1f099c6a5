"""Front door B's translations, without a server: where a stage stands, what is shown of a record, what is understood."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError
from tests.jobs import Clock, new_job

from atelier.api.blog import orders, translate
from atelier.api.blog.result_schemas import BlogGenerationStage
from atelier.api.blog.schemas import BlogRequest
from atelier.errors import InvalidInput, ProviderNotConfigured
from atelier.jobs.estimates import Estimate
from atelier.jobs.models import Fault, Json, Record, Snapshot, Status, Update
from atelier.pipelines.blog.pipeline import BlogPipeline

BASE = "https://atelier.example"
ETA = Estimate(p50=1.0, p90=2.0, basis="table", samples=0)


def record(clock: Clock, stage: str, progress: float, data: Json) -> Record:
    return Record(
        seq=9, run=1, attempt=1, stage=stage, status=Status.PROCESSING, progress=progress, message="M", at=clock(), data=data
    )  # fmt: skip


def test_the_stages_on_the_wire_are_those_of_the_pipeline() -> None:
    names = [str(stage) for stage in BlogGenerationStage]
    assert names == ["queued", *(stage.name for stage in BlogPipeline.stages), "completed", "error"]
    assert [translate.number_of(name, 0) for name in names[:-1]] == [*range(14), 13]


def test_an_error_stands_where_it_came_up() -> None:
    for number, stage in enumerate(BlogPipeline.stages, 1):
        assert translate.number_of("error", stage.progress) == number
    assert translate.number_of("error", 0.0) == 0
    assert translate.number_of("error", 100.0) == 13


def test_a_section_s_text_is_in_the_job_and_never_in_an_event(clock: Clock) -> None:
    section = {"number": 2, "title": "Soil", "words": 3, "markdown": "Good soil matters."}
    kept = record(clock, "draft_generation", 40.0, {"key": "section/2", "section": section})
    job = new_job(clock(), kind="blog", status=Status.PROCESSING, stage="draft_generation", tags={"blog_id": "b"})
    message = translate.to_message(Update(job=job, record=kept), BASE, lambda *_: ETA)
    assert message["data"] == {"key": "section/2", "section": {"number": 2, "title": "Soil", "words": 3}}
    (update,) = translate.to_updates((kept,))
    assert update["metadata"]["section"] == section
    assert update["data"] == message["data"]
    assert (update["stage_number"], update["total_stages"], update["status"]) == (7, 13, "processing")


def test_a_stage_that_was_passed_through_is_told_as_skipped(clock: Clock) -> None:
    skipped = record(clock, "competitor_analysis", 14.0, {"skipped": "no search is configured"})
    (update,) = translate.to_updates((skipped,))
    assert update["status"] == "skipped"
    job = new_job(clock(), kind="blog", status=Status.PROCESSING, stage="competitor_analysis")
    message = translate.to_message(Update(job=job, record=skipped), BASE, lambda *_: ETA)
    assert message["status"] == "processing", "the job is not"


def test_a_job_that_failed_while_it_waited_is_told_whole(clock: Clock) -> None:
    details = {"topic": "T", "tone": "casual", "length": "long", "provider": "sandbox", "target_length": "2000"}
    fault = Fault(code="worker_lost", message="Lost.", retryable=True)
    job = new_job(
        clock(), kind="blog", status=Status.FAILED, stage="error", fault=fault, details=details, progress=30.0
    )
    view = translate.to_status(Snapshot(job=job), None, BASE)
    assert (view["current_stage"], view["stage_number"], view["error_code"]) == ("error", 7, "worker_lost")
    assert (view["target_length"], view["blog_id"], view["result"]) == (2000, None, None)


def test_an_order_says_all_that_is_known() -> None:
    request = BlogRequest(topic=" A\n b ", target_length=3000, keywords=["Soil", "sun ", "soil"], use_citations=False)
    order = orders.to_order(request, ("sandbox",), made_id="made")
    params = order.params
    assert (params.topic, params.keywords, params.words, params.length) == ("A b", ("Soil", "sun"), 3000, "extended")
    assert (params.blog_id, params.provider, params.tone) == ("made", "sandbox", "professional")
    assert params.switches.model_dump() == {
        "google_search": True, "fact_checking": True, "citations": False, "serp_optimization": True,
        "semantic_keywords": True, "quality_scoring": True,
    }  # fmt: skip
    assert order.details == {
        "topic": "A b", "tone": "professional", "length": "extended", "provider": "sandbox", "target_length": "3000",
    }  # fmt: skip
    assert order.tags == {"blog_id": "made"}
    assert order.pace == "blog/sandbox/extended"
    assert order.expected > timedelta()


def test_who_writes_is_chosen_like_who_draws() -> None:
    def chosen(configured: tuple[str, ...], **asked: object) -> str:
        request = BlogRequest.model_validate({"topic": "x", **asked})
        return orders.to_order(request, configured, made_id="m").params.provider

    assert chosen(("openai",)) == "openai"
    assert chosen(("openai", "sandbox")) == "first_that_works"
    assert chosen(("openai", "sandbox"), provider="openai") == "openai"
    assert chosen(("openai", "sandbox"), sandbox={"scenario": "noop"}) == "sandbox"
    with pytest.raises(ProviderNotConfigured):
        chosen(("openai",), provider="anthropic")
    with pytest.raises(InvalidInput):
        chosen(("openai", "sandbox"), provider="openai", sandbox={"scenario": "ok"})


def test_an_idempotency_key_stands_for_what_is_asked_and_not_for_how_it_comes() -> None:
    def meaning(**asked: object) -> str:
        return orders.meaning(BlogRequest.model_validate({"topic": "A b", **asked}))

    plain = meaning()
    same: list[dict[str, object]] = [
        {"async_mode": False}, {"topic": " A  b"}, {"length": "medium"}, {"use_citations": True}, {"keywords": []},
        {"target_audience": ""}, {"sources": []}, {"tone": "professional"},
    ]  # fmt: skip
    assert [asked for asked in same if meaning(**asked) != plain] == []
    other: list[dict[str, object]] = [
        {"length": "short"}, {"target_length": 1200}, {"use_citations": False}, {"keywords": ["a"]}, {"blog_id": "b"},
        {"sources": ["https://a.example/"]}, {"provider": "sandbox"}, {"sandbox": {"scenario": "ok"}}, {"template_type": "x"},
        {"custom_instructions": "x"}, {"target_audience": "x"}, {"tone": "casual"},
    ]  # fmt: skip
    assert [asked for asked in other if meaning(**asked) == plain] == []


def test_addresses_are_kept_as_they_are_fetched() -> None:
    request = BlogRequest(topic="x", sources=["HTTPS://A.Example", "https://a.example/"])
    assert orders.to_order(request, ("sandbox",), made_id="m").params.sources == ("https://a.example/",)
    with pytest.raises(ValidationError):
        BlogRequest(topic="x", sources=["https://ann@a.example"])
