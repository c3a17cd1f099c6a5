"""The least that does the same job: Starlette, uvicorn, SQLite with full durability and group commit. Nothing else.

No validation, no leases, no retries, no idempotency. It writes what atelier writes, as often, in as many rows, laid out as
thriftily: create, claim, the stages with the end; each write is the job's present state and a line of its log for each stage,
and beside them what was asked for and what came of it, without which nothing could be listed or taken up again after a
restart. It answers from memory. It is the limit that ratios refer to, not a product.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import sys
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

STAGES = ("queued", "claimed", "processing", "generating", "uploading", "completed")
RUN = ((("claimed",), None), (("processing", "generating", "uploading", "completed"), "result"))
"""What a run writes: the stages it has come to, and what it keeps beside them."""

EACH = tuple(((stage,), "result" if stage == "completed" else None) for stage in STAGES[1:])
"""The same where nobody gathers stages: a write for each."""

RUNS = {"bare": RUN, "stagewise": EACH}

PROGRESS = dict(zip(STAGES, (0, 0, 5, 15, 90, 100), strict=True))
CLAIMED = STAGES.index("claimed")
"""Changes the state alone: who watches is not told."""

SLOTS = 8
NUMBERS = itertools.count(1)
BATCH = 256

STATE = "INSERT INTO jobs VALUES (?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET stage = excluded.stage, state = excluded.state"

Row = tuple[int, int, str]
Run = tuple[tuple[tuple[str, ...], str | None], ...]


class Change(NamedTuple):
    """What one write says of a job: its state, the lines of its log, and a part that is kept beside them."""

    state: tuple[int, str, int, str]
    lines: list[Row]
    part: tuple[int, str, str] | None


class Writer(threading.Thread):
    """One connection, many writes per commit; callers are answered after it."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(daemon=True)
        self._path, self._loop = path, loop
        self._inbox: SimpleQueue[tuple[Change, asyncio.Future[None]]] = SimpleQueue()

    def write(self, change: Change) -> asyncio.Future[None]:
        done: asyncio.Future[None] = self._loop.create_future()
        self._inbox.put((change, done))
        return done

    def run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(
            "CREATE TABLE records (job INTEGER, seq INTEGER, body TEXT, PRIMARY KEY (job, seq)) WITHOUT ROWID"
        )
        connection.execute(
            "CREATE TABLE parts (job INTEGER, key TEXT, body TEXT, PRIMARY KEY (job, key)) WITHOUT ROWID"
        )
        connection.execute("CREATE TABLE jobs (number INTEGER PRIMARY KEY, id TEXT UNIQUE, stage INTEGER, state TEXT)")
        connection.execute("CREATE INDEX jobs_stage ON jobs (stage)")
        while True:
            batch = [self._inbox.get()]
            try:
                while len(batch) < BATCH:
                    batch.append(self._inbox.get_nowait())
            except Empty:
                pass
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO records VALUES (?, ?, ?)", [row for made, _ in batch for row in made.lines]
            )
            connection.executemany("INSERT INTO parts VALUES (?, ?, ?)", [made.part for made, _ in batch if made.part])
            connection.executemany(STATE, [made.state for made, _ in batch])
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(settle, [done for _, done in batch])


def settle(waiting: list[asyncio.Future[None]]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)


class Job:
    """A job's events, and who waits for the next."""

    def __init__(self, hold_until: float) -> None:
        self.id, self.hold_until = uuid4().hex, hold_until
        self.number = next(NUMBERS)
        self.events: list[bytes] = []
        self.stage = ""
        self.changed = asyncio.Event()

    def event(self, stage: str) -> str:
        event = {
            "stage": stage,
            "progress": PROGRESS[stage],
            "job_id": self.id,
            "status": "completed" if stage == "completed" else "processing",
            "data": {"result": {"images": [{}]}} if stage == "completed" else {},
            "timestamp": datetime.now(UTC).isoformat(),
        }
        return json.dumps(event, separators=(",", ":"))

    async def reach(self, stages: tuple[str, ...], part: tuple[str, str] | None, writer: Writer) -> None:
        rows = [(self.number, STAGES.index(stage), self.event(stage)) for stage in stages]
        lines = [row for row in rows if row[1] != CLAIMED]
        number, stage, body = rows[-1]
        await writer.write(Change((number, self.id, stage, body), lines, (number, *part) if part is not None else None))
        self.stage = stages[-1]
        for _, _, body in lines:
            self.events.append(f"id: {len(self.events) + 1}\ndata: {body}\n\n".encode())
        self.changed.set()
        self.changed = asyncio.Event()

    async def follow(self) -> AsyncIterator[bytes]:
        seen = 0
        while True:
            changed = self.changed
            while seen < len(self.events):
                yield self.events[seen]
                seen += 1
            if self.stage == "completed":
                return
            await changed.wait()


class Service:
    """Jobs by id and the workers that move them."""

    def __init__(self, path: Path, run: Run) -> None:
        self._path, self._run = path, run
        self.jobs: dict[str, Job] = {}
        self.tasks: defaultdict[str, asyncio.Future[Job]] = defaultdict(
            lambda: asyncio.get_running_loop().create_future()
        )
        self._queue: asyncio.Queue[Job] = asyncio.Queue()

    @asynccontextmanager
    async def life(self, _: Starlette) -> AsyncIterator[None]:
        self._writer = Writer(self._path, asyncio.get_running_loop())
        self._writer.start()
        workers = [asyncio.create_task(self._work()) for _ in range(SLOTS)]
        yield
        for worker in workers:
            worker.cancel()

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            for stages, key in self._run:
                part = (key, json.dumps({"stages": stages, "images": [{}]})) if key is not None else None
                await job.reach(stages, part, self._writer)

    async def submit(self, request: Request) -> Job:
        asked = await request.body()
        body: dict[str, Any] = json.loads(asked)
        job = Job(body.get("sandbox", {}).get("hold_until", 0))
        self.jobs[job.id] = job
        await job.reach(("queued",), ("params", asked.decode()), self._writer)
        delay = job.hold_until - time.time()
        asyncio.get_running_loop().call_later(max(0.0, delay), self._queue.put_nowait, job)
        return job

    async def generate(self, request: Request) -> Response:
        return JSONResponse({"job_id": (await self.submit(request)).id, "status": "queued"})

    async def generate_stream(self, request: Request) -> Response:
        return StreamingResponse((await self.submit(request)).follow(), media_type="text/event-stream")

    async def read(self, request: Request) -> Response:
        job = self.jobs[request.path_params["job"]]
        status = "completed" if job.stage == "completed" else "processing"
        return JSONResponse({"job_id": job.id, "status": status, "current_stage": job.stage})

    async def generate_task(self, request: Request) -> Response:
        job = await self.submit(request)
        self.tasks[json.loads(await request.body())["task_id"]].set_result(job)
        return StreamingResponse(job.follow(), media_type="application/json")

    async def watch_task(self, socket: WebSocket) -> None:
        task = socket.path_params["task"]
        await socket.accept()
        await socket.send_json({"type": "progress", "task_id": task, "status": "pending"})
        async for event in (await asyncio.shield(self.tasks[task])).follow():
            await socket.send_text(event.decode())
        await socket.close()

    async def stream(self, request: Request) -> Response:
        return StreamingResponse(self.jobs[request.path_params["job"]].follow(), media_type="text/event-stream")


def main(port: int, folder: Path, run: Run) -> None:
    service = Service(folder / "bare.db", run)
    root = "/api/v1/images"
    routes = [
        Route(f"{root}/generate", service.generate, methods=["POST"]),
        Route(f"{root}/generate/stream", service.generate_stream, methods=["POST"]),
        Route(f"{root}/jobs/{{job}}", service.read),
        Route(f"{root}/jobs/{{job}}/stream", service.stream),
        Route("/api/media/generate", service.generate_task, methods=["POST"]),
        WebSocketRoute("/ws/image-generation/{task}", service.watch_task),
    ]
    app = Starlette(routes=routes, lifespan=service.life)
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", log_level="warning", access_log=False, backlog=4096)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), RUNS[sys.argv[3]])
