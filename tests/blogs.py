"""Front door B as a client of a test uses it."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.images import events_of
from tests.live import Live

ROOT = "/api/v1/blog"
STAGES = [
    "queued", "initialization", "keyword_analysis", "competitor_analysis", "intent_analysis", "length_optimization",
    "research_outline", "draft_generation", "enhancement", "seo_polish", "semantic_integration", "quality_scoring",
    "citation_generation", "finalization", "completed",
]  # fmt: skip
TOMATOES = {"topic": "Growing tomatoes on a balcony", "keywords": ["tomatoes", "balcony garden"], "length": "short"}


async def submit(live: Live, body: dict[str, Any], **headers: str) -> str:
    response = await live.client.post(f"{ROOT}/generate-enhanced", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return str(response.json()["job_id"])


async def read(live: Live, job_id: str, **params: int) -> dict[str, Any]:
    response = await live.client.get(f"{ROOT}/jobs/{job_id}", params=params)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def ended(live: Live, job_id: str, *, within: float = 60) -> dict[str, Any]:
    async with asyncio.timeout(within):
        while True:
            job = await read(live, job_id)
            if job["status"] in {"completed", "failed", "cancelled"}:
                return job
            await asyncio.sleep(0.05)


async def stream(live: Live, body: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    response = await live.client.post(f"{ROOT}/generate-enhanced/stream", json=body)
    assert response.status_code == 200, response.text
    return events_of(response.text)


def entered(events: list[tuple[int, dict[str, Any]]]) -> list[str]:
    """Return the stages in the order in which they were entered."""
    stages = [str(event["stage"]) for _, event in events]
    return [stage for number, stage in enumerate(stages) if number == 0 or stages[number - 1] != stage]
