"""Front door A as a client of a test uses it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.live import Live

from atelier.api.streams import LIMIT

ROOT = "/api/v1/images"
STAGES = ["queued", "processing", "generating", "uploading", "completed"]
NOOP = {"prompt": "A hill", "sandbox": {"scenario": "noop"}}


def events_of(text: str) -> list[tuple[int, dict[str, Any]]]:
    """Parse a whole stream as EventSource would: number and data of each event."""
    found = []
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if not lines:
            continue
        fields = dict(line.split(": ", 1) for line in lines)
        if "data" in fields:
            found.append((int(fields["id"]), json.loads(fields["data"])))
    return found


def states_of(text: str) -> list[dict[str, Any]]:
    """Parse a stream of states: every event is one data line, without a number."""
    states = []
    for block in text.split("\n\n"):
        assert len(f"{block}\n\n".encode()) <= LIMIT
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if lines:
            (line,) = lines
            states.append(json.loads(line.removeprefix("data: ")))
    return states


async def stream(live: Live, body: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    response = await live.client.post(f"{ROOT}/generate/stream", json=body)
    assert response.status_code == 200, response.text
    return events_of(response.text)


async def ended(live: Live, job_id: str, *, within: float = 60) -> dict[str, Any]:
    async with asyncio.timeout(within):
        while True:
            job: dict[str, Any] = (await live.client.get(f"{ROOT}/jobs/{job_id}")).json()
            if job["status"] in {"completed", "failed", "cancelled"}:
                return job
            await asyncio.sleep(0.05)


async def submit(live: Live, body: dict[str, Any]) -> str:
    response = await live.client.post(f"{ROOT}/generate", json=body)
    assert response.status_code == 200, response.text
    return str(response.json()["job_id"])


async def reached(live: Live, job_id: str, stage: str) -> None:
    async with asyncio.timeout(60):
        while (await live.client.get(f"{ROOT}/jobs/{job_id}")).json()["current_stage"] != stage:
            await asyncio.sleep(0.05)
