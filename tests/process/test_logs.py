"""What a process writes: one JSON object a line, its own words only, and nothing of what stood behind the question mark."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.images import NOOP, ROOT
from tests.process.servers import MAIN, running
from tests.sockets import watching

SECRET = "ticket-canary-0815"


@pytest.mark.parametrize("script", [MAIN, Path(__file__).parent / "uvicorn_server.py"], ids=["main.py", "uvicorn"])
async def test_lines_are_json_and_queries_are_not_in_them(tmp_path: Path, script: Path) -> None:
    async with running(tmp_path / "data", script=script, log_level="debug") as server:
        headers = {"Authorization": f"Bearer {SECRET}", "Cookie": SECRET}
        for path in ("/health", f"{ROOT}/jobs", "/nowhere", "/studio/app.js", "/%0a%1b[31m", "/" + "long" * 1000):
            await server.client.get(f"{path}?ticket={SECRET}", headers=headers)
        await server.client.post(f"{ROOT}/generate?ticket={SECRET}", json=NOOP, headers=headers)
        await server.client.post(f"{ROOT}/generate?ticket={SECRET}", content=SECRET, headers=headers)
        for task_id in ("task-1", SECRET):
            query: dict[str, Any] = {"ticket": SECRET} if task_id == "task-1" else {}
            async with watching(str(server.client.base_url), task_id, headers=headers, **query) as watcher:
                await watcher.next() if not query else await watcher.rest()
        async with asyncio.timeout(60):  # the end of a socket is told behind it
            while server.log.read_text().count('"action": "socket"') < 2:
                await asyncio.sleep(0.05)
        written = server.log.read_text()
    assert SECRET not in written
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    assert len([line for line in lines if line["action"] == "request"]) >= 8
    assert {line["code"] for line in lines if line["action"] == "socket"} == {1008, 1000}
    assert all(line["action"].replace(".", "_").isidentifier() for line in lines)
    assert max(len(line) for line in written.splitlines()) < 1000
    started = written[: written.index('"action": "starting"')]
    assert not [line for line in written.removeprefix(started).splitlines()[1:] if line and not line.startswith("{")]
