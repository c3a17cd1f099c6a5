"""Clients as they are in the wild, run against the real server."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from tests import blogs
from tests.images import ROOT, STAGES, ended
from tests.live import Live, needs

NODE = shutil.which("node")
HERE = Path(__file__).parent


async def node(live: Live, mode: str, script: str = "line_client.mjs") -> dict[str, Any]:
    needs(NODE, "Node.js")
    process = await asyncio.create_subprocess_exec(
        str(NODE), str(HERE / script), live.base, mode, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    answer: dict[str, Any] = json.loads(out)
    return answer


def distinct(stages: list[str]) -> list[str]:
    return list(dict.fromkeys(stages))


@pytest.mark.parametrize("mode", ["stream", "plain"])
async def test_a_node_client_that_splits_chunks_into_lines(live: Live, mode: str) -> None:
    answer = await node(live, mode)
    assert answer["broken"] == []
    assert distinct([event["stage"] for event in answer["seen"]]) == STAGES
    last = answer["seen"][-1]
    assert last["data"]["result"]["images"][0]["image_url"].startswith(live.base)


async def test_a_node_client_that_polls_and_never_looks_at_the_http_status(live: Live) -> None:
    answer = await node(live, "poll")
    assert answer["made"]["status"] == "queued"
    assert (await live.client.get(answer["image"]["image_url"])).status_code == 200


async def test_a_blog_s_client_prints_every_stage_of_the_stream(live: Live) -> None:
    answer = await node(live, "stream", "blog_client.mjs")
    assert answer["broken"] == 0
    assert distinct([stage for stage, _ in answer["printed"]]) == blogs.STAGES
    assert all(0 <= progress <= 100 for _, progress in answer["printed"])
    assert answer["last"]["result"]["title"]


async def test_a_blog_s_client_queues_and_reads_the_progress(live: Live) -> None:
    answer = await node(live, "queue", "blog_client.mjs")
    assert answer["made"]["status"] == "queued"
    assert distinct(answer["stages"]) == blogs.STAGES
    assert answer["words"] > 300


async def test_a_blog_s_client_of_before_the_queue_gets_the_whole_post(live: Live) -> None:
    answer = await node(live, "wait", "blog_client.mjs")
    assert answer["success"] is True
    assert answer["content"].startswith("#")
    assert answer["stage_results"]


async def test_a_python_client_that_reads_raw_packets(live: Live) -> None:
    """Each event arrives as one piece: what one `recv` returns parses line by line."""
    body = json.dumps({"prompt": "A harbour", "quality": "draft"}).encode()
    head = f"POST {ROOT}/generate/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    seen = await asyncio.to_thread(read_lines, live.port, head + body)
    assert distinct([event["stage"] for event in seen]) == STAGES
    assert all(len(json.dumps(event)) < 1200 for event in seen[:-1])


def read_lines(port: int, request: bytes) -> list[dict[str, Any]]:
    seen = []
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        ended = False
        while not ended:
            packet = connection.recv(65536)
            ended = not packet or packet.endswith(b"\r\n0\r\n\r\n")
            seen += [json.loads(line[6:]) for line in packet.decode().split("\n") if line.startswith("data: ")]
    return seen


async def test_a_client_that_reads_slowly_does_not_delay_the_others(live: Live) -> None:
    """A reader that takes nothing holds neither the job nor the other watchers."""
    made = await live.client.post(
        f"{ROOT}/generate", json={"prompt": "x", "quality": "draft", "sandbox": {"scenario": "slow", "seconds": 1}}
    )
    job_id = made.json()["job_id"]
    lazy = socket.create_connection(("127.0.0.1", live.port))
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.sendall(f"GET {ROOT}/jobs/{job_id}/stream HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    job = await ended(live, job_id, within=60)
    assert job["status"] == "completed"
    lazy.close()
