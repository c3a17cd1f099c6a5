"""Front door D as a client of a test uses it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
from tests.live import Live

from atelier.api.streams import LIMIT

ROOT = "/api/v1/storyboards"
POST = "/api/generate-images"
STATUS = "/api/generation-status"
NOOP = {"scenario": "noop"}
STALL = {"scenario": "stall"}

Json = dict[str, Any]


def beat(number: int, shot: int = 1, **more: Any) -> Json:
    return {
        "shot_number": shot,
        "beat_number": f"{shot}.{number}",
        "ai_prompt": f"A hill, from the {number}th boat",
        **more,
    }


def board(
    styles: tuple[str, ...] = ("illustration", "clear"), beats: int = 3, path: str = "films/hill", **more: Any
) -> Json:
    prompts = {style: [beat(number) for number in range(1, beats + 1)] for style in styles}
    return {"projectPath": path, "promptsByStyle": prompts, "sandbox": NOOP, **more}


def told(text: str) -> list[Json]:
    """Parse a whole stream: each event is one data line of JSON, without a number, and no longer than a packet takes."""
    found = []
    for block in text.split("\n\n"):
        assert len(f"{block}\n\n".encode()) <= LIMIT
        lines = [line for line in block.split("\n") if line and not line.startswith((":", "retry"))]
        if lines:
            (line,) = lines
            found.append(json.loads(line.removeprefix("data: ")))
    return found


async def post(live: Live, body: Json, **how: Any) -> list[Json]:
    """Post and read to the end."""
    response = await live.client.post(POST, json=body, **how)
    assert response.status_code == 200, response.text
    return told(response.text)


async def begin(client: httpx.AsyncClient, body: Json, **how: Any) -> str:
    """Post, read the first event and go away; the storyboard's id."""
    async with client.stream("POST", POST, json=body, **how) as response:
        assert response.status_code == 200, await response.aread()
        line = await anext(response.aiter_lines())
    return str(json.loads(line.removeprefix("data: "))["storyboard_id"])


async def grid(client: httpx.AsyncClient, board_id: str, **how: Any) -> Json:
    response = await client.get(f"{ROOT}/{board_id}", **how)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


def beats_of(view: Json, style: str) -> dict[str, Json]:
    (found,) = [one for one in view["styles"] if one["style"] == style]
    return {one["beat_number"]: one for one in found["beats"]}


def statuses(view: Json) -> list[str]:
    return [one["status"] for style in view["styles"] for one in style["beats"]]


async def until(client: httpx.AsyncClient, board_id: str, *wanted: str, within: float = 60, **how: Any) -> Json:
    """Read the grid until it has one of these statuses."""
    async with asyncio.timeout(within):
        while (view := await grid(client, board_id, **how))["status"] not in wanted:
            await asyncio.sleep(0.05)
    return view


def progress_of(events: list[Json], status: str) -> list[tuple[str, str]]:
    return [(one["style"], one["beat_number"]) for one in events if one.get("status") == status]


def files_of(project: Path) -> list[str]:
    return sorted(str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())
