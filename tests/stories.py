"""Front door E as a client of a test uses it."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.live import Live

from atelier.api.stories.orders import ROOT

__all__ = ["ROOT"]  # where the door is

ALIAS = "/api/ai/generate-advanced-text"
FOX: dict[str, Any] = {"content_type": "story", "topic": "A fox who has lost her key", "level": "A2"}
DRAWN = {**FOX, "illustrated": True, "image_count": 2}
NOOP = {**DRAWN, "sandbox": {"scenario": "noop"}}
STALLED = {**DRAWN, "sandbox_images": {"scenario": "stall"}}
REFUSED = {**DRAWN, "sandbox_images": {"scenario": "refused"}}


async def order(live: Live, body: dict[str, Any], **headers: str) -> str:
    response = await live.client.post(f"{ROOT}/", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


async def read(live: Live, story_id: str, part: str = "", **headers: str) -> dict[str, Any]:
    response = await live.client.get(f"{ROOT}/{story_id}/{part}", headers=headers)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def until(live: Live, story_id: str, *statuses: str, part: str = "", **headers: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            found = await read(live, story_id, part, **headers)
            if found["status"] in statuses:
                return found
            await asyncio.sleep(0.05)


async def text_is_there(live: Live, story_id: str, **headers: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while (found := await read(live, story_id, **headers))["text"] is None or not all(
            one["job_id"] for one in found["images"]
        ):
            await asyncio.sleep(0.05)
    return found
