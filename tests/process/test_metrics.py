"""What a process of its own shows to Prometheus: every series, closed lists of labels, and nobody's data."""

from __future__ import annotations

import time
from typing import get_args

from tests.images import ROOT
from tests.process.pairs import Pair
from tests.process.servers import Server
from tests.scrapes import scrape, until

from atelier import metrics
from atelier.codes import Code
from atelier.jobs.models import Reason
from atelier.jobs.tally import HANDED_BACK
from atelier.pipelines.blog.pipeline import BlogPipeline
from atelier.pipelines.image import ImagePipeline
from atelier.pipelines.story.pipeline import StoryPipeline

PIPELINES = (ImagePipeline, BlogPipeline, StoryPipeline)
CODES = set(get_args(Code))
CLOSED = {
    "kind": {one.kind for one in PIPELINES},
    "outcome": {"ok", "completed", "failed", "cancelled"} | CODES,
    "code": CODES,
    "reason": CODES | set(Reason) | {HANDED_BACK},
    "stage": {stage.name for one in PIPELINES for stage in one.stages},
    "provider": {"sandbox"},
    "error": {"full", "unavailable", "timeout"},
    "method": metrics.METHODS | {"other"},
    "status": {"1xx", "2xx", "3xx", "4xx", "5xx", "none"},
    "finding": {"worker_lost", "dispatch_lost", "deadline_exceeded", "cancelled", "forgotten"},
    "generation": {"0", "1", "2"},
}
UNLISTED = {"other", "/pictures/{folder}/{name}", "/", "/openapi.json", "/api/v1/worker"}
"""Routes that the OpenAPI document leaves out."""

WITH_THE_FIRST = {"atelier_failures", "atelier_requeues", "atelier_http_requests"}
"""Metrics that have no series before there is something to count."""


async def test_series_are_there_from_the_start_and_labels_tell_nothing(pair: Pair) -> None:
    async with pair.running(retry_base_seconds=0.05) as server:
        fresh = await scrape(server)
        ours = {name: family for name, family in fresh.families.items() if name.startswith("atelier_")}
        assert {name for name, family in ours.items() if not family.samples} <= WITH_THE_FIRST
        assert ours.keys() == {one.name for one in metrics.REGISTRY.collect() if one.name.startswith("atelier_")}
        job_ids = [await asked(server, scenario) for scenario in ("refused", "rate_limited_then_ok")]
        await server.client.get("/nowhere/A-whispered-secret")
        await server.client.get("/pictures/A-whispered-secret/a.png")
        await server.client.request("PATCH", "/health")
        found = await until(server, lambda now: now.value("atelier_loop_lag_seconds_count") > 0)
        paths = set((await server.client.get("/openapi.json")).json()["paths"])
    assert not {label: more for label, values in CLOSED.items() if (more := found.labels(label) - values)}
    assert found.labels("route") <= paths | UNLISTED
    assert {label for _, has in found.samples for label, _ in has} == {*CLOSED, "route", "le"}
    assert found.value("atelier_http_requests_total", method="other", status="4xx") == 1
    assert not [private for private in ("hispered", "local", *job_ids) if private in found.text]
    assert found.value("process_start_time_seconds") <= time.time()


async def asked(server: Server, scenario: str) -> str:
    body = {"prompt": "A whispered secret", "sandbox": {"scenario": scenario}, "quality": "draft"}
    answer = await server.client.post(f"{ROOT}/generate", json=body, headers={"Prefer": "wait=30"})
    assert answer.json()["status"] in {"completed", "failed"}, answer.text
    return str(answer.json()["job_id"])
