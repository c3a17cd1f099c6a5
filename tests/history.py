"""A history: every acknowledgement and every event that clients saw while processes died, and what has to be true of it.

`submit` and `watch` go on through everything, as patient clients do: the same key again, the last whole event's id again.
`evidence` asks the service at the end; `violations` judges without it, so that the judge can be tried itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast

import httpx
from PIL import Image
from tests.images import ROOT

SIDE = 16
TERMINAL = frozenset({"completed", "failed", "cancelled"})
PAUSE_SECONDS = 0.05
SILENCE_SECONDS = 1.5
"""A server that says nothing for this long may be stopped: another one is asked, or the same again."""

ANSWER_SECONDS = 60.0
"""Within which the judge is answered."""

Event = tuple[int, dict[str, Any]]
Fetch = Callable[[httpx.AsyncClient, str], Awaitable[bytes | None]]
"""Returns the picture at an address, or None."""


def picture_of(prompt: str, wide: int = 1) -> bytes:
    """Return the picture that only this prompt gives, as the played providers draw it."""
    colour = cast("tuple[int, int, int]", tuple(hashlib.sha256(prompt.encode()).digest()[:3]))
    file = io.BytesIO()
    image = Image.new("RGB", (SIDE * wide, SIDE), colour)
    image.paste((255, 255, 255), (0, 0, SIDE // 2, SIDE // 2))
    image.save(file, "PNG")
    return file.getvalue()


@dataclass
class Watch:
    """What one watcher of a job saw, over all its connections."""

    job_id: str
    events: list[Event] = field(default_factory=list)
    connections: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def cursor(self) -> int:
        return self.events[-1][0] if self.events else 0

    @property
    def ended(self) -> bool:
        return bool(self.events) and self.events[-1][1]["status"] in TERMINAL

    def take(self, text: bytes) -> bytes:
        """Keep the whole events of what was received; the rest, which may be the beginning of another."""
        *blocks, rest = text.split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if line[:1] not in {":", ""})
            if "data" in fields:
                self.events.append((int(fields["id"]), json.loads(fields["data"])))
        return rest


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A job as the service tells it at the end, and its picture's bytes."""

    job: dict[str, Any]
    picture: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything the judge looks at: prompts of acknowledged jobs, what became of them, who saw what, who was paid."""

    acknowledged: Mapping[str, str]
    ended: Mapping[str, Ended]
    listed: Sequence[str]
    watches: Sequence[Watch]
    calls: Sequence[str]
    allowed: Callable[[dict[str, Any]], int]


def no_more_than_attempts(job: dict[str, Any]) -> int:
    return int(job.get("attempt", 0))


class History:
    """Clients of one or more servers on one store. `fetch` gets pictures that the servers do not serve themselves."""

    def __init__(self, *ports: int, fetch: Fetch | None = None) -> None:
        self._fetch = fetch or _fetched
        self.name = uuid.uuid4().hex
        self.acknowledged: dict[str, str] = {}
        self.watches: list[Watch] = []
        self.refusals: list[httpx.Response] = []
        self._client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None))
        self._bases = itertools.cycle([f"http://127.0.0.1:{port}" for port in ports])
        self._numbers = itertools.count(1)
        self._watching: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await self._client.aclose()

    async def submit(
        self, *, watchers: int = 1, within: float = 100, silence: float = SILENCE_SECONDS, **body: Any
    ) -> str:
        """Submit until it is acknowledged; the same key makes it one job. Answers of `silence` seconds are waited for."""
        number = next(self._numbers)
        order = {"prompt": f"Picture {number} of {self.name}", "blog_id": self.name, **body}
        headers = {"Idempotency-Key": f"{self.name}-{number}"}
        async with asyncio.timeout(within):
            while (job_id := await self._attempt(order, headers, silence)) is None:
                await asyncio.sleep(PAUSE_SECONDS)
        self.acknowledged[job_id] = order["prompt"]
        for _ in range(watchers):
            self.watch(job_id)
        return job_id

    async def _attempt(self, order: dict[str, Any], headers: dict[str, str], silence: float) -> str | None:
        try:
            answer = await self._client.post(
                f"{next(self._bases)}{ROOT}/generate", json=order, headers=headers, timeout=silence
            )
        except httpx.TransportError:
            return None
        if answer.status_code == 200:
            return str(answer.json()["job_id"])
        assert answer.status_code == 503, answer.text
        self.refusals.append(answer)
        return None

    def watch(self, job_id: str) -> None:
        """Follow the job until its end, over as many connections as that takes."""
        seen = Watch(job_id)
        self.watches.append(seen)
        self._watching.append(asyncio.create_task(self._follow(seen)))

    async def _follow(self, seen: Watch) -> None:
        while not seen.ended:
            seen.connections += 1
            try:
                await self._read(seen)
            except httpx.TransportError:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self, seen: Watch) -> None:
        headers = {"Last-Event-ID": str(seen.cursor)} if seen.events else {}
        url, rest = f"{next(self._bases)}{ROOT}/jobs/{seen.job_id}/stream", b""
        async with self._client.stream("GET", url, headers=headers, timeout=SILENCE_SECONDS) as response:
            if response.status_code != 200:
                if response.status_code != 503:
                    seen.complaints.append(f"{seen.job_id}: its stream answered {response.status_code}")
                await asyncio.sleep(PAUSE_SECONDS)
                return
            async for chunk in response.aiter_raw():
                rest = seen.take(rest + chunk)

    async def settle(self, *, within: float = 100) -> None:
        """Wait until every watcher has seen the end."""
        async with asyncio.timeout(within):
            await asyncio.gather(*self._watching)

    async def evidence(
        self,
        client: httpx.AsyncClient,
        calls: Sequence[str],
        allowed: Callable[[dict[str, Any]], int] = no_more_than_attempts,
    ) -> Evidence:
        """Ask what became of every job."""
        return Evidence(
            acknowledged=self.acknowledged,
            ended={job_id: await _ended(client, job_id, self._fetch) for job_id in self.acknowledged},
            listed=await _listed(client, self.name),
            watches=self.watches,
            calls=[prompt for prompt in calls if prompt.endswith(self.name)],
            allowed=allowed,
        )

    async def judge(
        self,
        client: httpx.AsyncClient,
        calls: Sequence[str],
        allowed: Callable[[dict[str, Any]], int] = no_more_than_attempts,
    ) -> dict[str, dict[str, Any]]:
        """Wait for the end and fail where anything that was promised does not hold; the jobs by id."""
        await self.settle()
        evidence = await self.evidence(client, calls, allowed)
        found = violations(evidence)
        assert not found, "\n".join(found)
        return {job_id: ended.job for job_id, ended in evidence.ended.items()}


async def _told(client: httpx.AsyncClient, path: str, **query: str) -> Any:
    """Ask until there is an answer: a store may need a moment more than it is given."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while (answer := await client.get(path, params=query)).status_code == 503:
            await asyncio.sleep(PAUSE_SECONDS)
    return answer.json()


async def _ended(client: httpx.AsyncClient, job_id: str, fetch: Fetch) -> Ended:
    job = await _told(client, f"{ROOT}/jobs/{job_id}")
    if not job.get("result"):
        return Ended(job=job)
    return Ended(job=job, picture=await fetch(client, job["result"]["images"][0]["image_url"]))


async def _fetched(client: httpx.AsyncClient, url: str) -> bytes | None:
    response = await client.get(url)
    return response.content if response.status_code == 200 else None


async def _listed(client: httpx.AsyncClient, name: str) -> list[str]:
    ids: list[str] = []
    query = {"blog_id": name, "limit": "200"}
    while True:
        page = await _told(client, f"{ROOT}/jobs", **query)
        ids += [job["job_id"] for job in page["jobs"]]
        if page["next_cursor"] is None:
            return ids
        query["cursor"] = page["next_cursor"]


def violations(evidence: Evidence) -> list[str]:
    """Return everything that may not be, in sentences; nothing where all promises were kept."""
    found = [complaint for watch in evidence.watches for complaint in watch.complaints]
    if sorted(evidence.listed) != sorted(evidence.acknowledged):
        found.append(f"{len(evidence.listed)} jobs are listed, and not the {len(evidence.acknowledged)} acknowledged")
    for job_id, prompt in evidence.acknowledged.items():
        ended = evidence.ended[job_id]
        found += [f"{job_id}: {what}" for what in (*_wrong_log(ended.job), *_wrong_result(ended, prompt))]
        calls, allowed = evidence.calls.count(prompt), evidence.allowed(ended.job)
        if calls > allowed:
            found.append(f"{job_id}: the provider was called {calls} times, {allowed} allowed")
    for watch in evidence.watches:
        found += [f"{watch.job_id}, watched: {what}" for what in _wrong_watch(watch, evidence.ended[watch.job_id].job)]
    return found


def _wrong_log(job: dict[str, Any]) -> list[str]:
    log = job.get("progress_updates", [])
    found = []
    if job.get("status") not in TERMINAL:
        found.append(f"it has not ended: {job.get('status')}")
    if [record["seq"] for record in log] != list(range(1, len(log) + 1)):
        found.append("its records are not numbered 1, 2, 3 …")
    if job.get("seq") != len(log):
        found.append("its sequence number is not its last record's")
    runs = _runs(log)
    if len(runs) != job.get("run"):
        found.append(f"it has {len(runs)} runs, not {job.get('run')}")
    for run in runs:
        ends = [record["status"] in TERMINAL for record in run]
        if ends.count(True) != 1 or not ends[-1]:
            found.append(f"a run has {ends.count(True)} ends, or one that is not last")
        if not _rises([record["progress_percentage"] for record in run]):
            found.append("its progress falls")
    if not _rises([record["timestamp"] for record in log]):
        found.append("its time runs backwards")
    return found


def _runs(log: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    runs: list[list[dict[str, Any]]] = []
    for record in log:
        if record["stage"] == "queued" or not runs:
            runs.append([])
        runs[-1].append(record)
    return runs


def _rises(values: Sequence[Any]) -> bool:
    return all(earlier <= later for earlier, later in itertools.pairwise(values))


def _wrong_result(ended: Ended, prompt: str) -> list[str]:
    if ended.job.get("status") != "completed":
        return ["it has a result and is not completed"] if ended.job.get("result") else []
    if ended.picture is None:
        return ["it is completed and its picture is not there"]
    return [] if ended.picture == picture_of(prompt) else ["its picture is not the one that was asked for"]


def _wrong_watch(watch: Watch, job: dict[str, Any]) -> list[str]:
    """Between records the present state is told, under the number of the last record; the rest is the log, exactly."""
    found = []
    told = [_line(number, event) for number, event in watch.events if "max_attempts" not in event]
    log = [_line(record["seq"], record) for record in job.get("progress_updates", [])]
    if told != log:
        found.append(f"saw {_short(told)}, but the log is {_short(log)}")
    if not _rises([number for number, _ in watch.events]):
        found.append("its numbers go back")
    if not _rises([event["progress"] for _, event in watch.events]):
        found.append("its progress falls")
    if any(event["status"] in TERMINAL for _, event in watch.events[:-1]):
        found.append("something came behind the end")
    return found


def _line(number: int, event: dict[str, Any]) -> tuple[Any, ...]:
    return (number, event["stage"], event["status"], event["message"], event["timestamp"])


def _short(lines: Sequence[tuple[Any, ...]]) -> str:
    return " ".join(f"{line[0]}:{line[1]}" for line in lines)
