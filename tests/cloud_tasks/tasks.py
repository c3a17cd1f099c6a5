"""One queue of the test server: its tasks, each carried by a coroutine until it is answered well or given up."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
from google.cloud.tasks_v2 import HttpMethod, Queue, Task
from tests.cloud_tasks.issuer import Issuer
from tests.loopback import TRUSTS_NOBODY

TIMED_OUT = 504
UNREACHED = 503
TOMBSTONE_SECONDS = 24 * 3600.0


@dataclass
class Faults:
    """What goes wrong next. Numbers count down; a flag stays until it is taken away."""

    unavailable: bool = False
    hangs: bool = False
    creates_fail_before: int = 0
    says: str = "UNAVAILABLE"
    creates_fail_after: int = 0
    duplicates: int = 0
    """How often each success is delivered once more."""
    lose_acks: int = 0
    jitter_seconds: float = 0.0
    random: random.Random = field(default_factory=lambda: random.Random(7))


@dataclass
class Held:
    """A task and what became of it so far."""

    task: Task
    due: float
    attempts: int = 0
    answered: int = 0
    previous: int | None = None
    first_at: float = 0.0
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    carrier: asyncio.Task[None] | None = None


class TaskQueue:
    """`speed` divides the queue's own durations: backoff, Retry-After, dispatch deadline, tombstones. Schedules are true."""

    def __init__(self, config: Queue, *, issuer: Issuer, faults: Faults, speed: float) -> None:
        self.config, self.held = config, dict[str, Held]()
        self.given_up: list[str] = []
        self.deliveries: list[tuple[str, int]] = []
        """Every attempt's task and answer, in order of the answers."""
        self._issuer, self._faults, self._speed = issuer, faults, speed
        self._tombstones: dict[str, float] = {}
        self._going = asyncio.Event()
        self._going.set()
        self._slots = asyncio.Semaphore(config.rate_limits.max_concurrent_dispatches or 1000)
        self._starts: deque[float] = deque(maxlen=max(1, int(config.rate_limits.max_dispatches_per_second or 500)))
        self._attempts: set[asyncio.Task[httpx.Response | None]] = set()
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),  # each goes to whom it is sent now
            headers={"User-Agent": "Google-Cloud-Tasks"},
            verify=TRUSTS_NOBODY,
        )

    def known(self, name: str) -> bool:
        """Whether a name is taken, by a task or by the memory of one."""
        return name in self.held or self._tombstones.get(name, 0) > time.monotonic()

    def remembered(self, name: str) -> bool:
        return name in self._tombstones

    def add(self, task: Task) -> None:
        due = task.schedule_time.timestamp() if "schedule_time" in task else time.time()
        held = self.held[task.name] = Held(task=task, due=due)
        held.carrier = asyncio.create_task(self._carry(held), name=f"carry {task.name}")

    def remove(self, name: str) -> None:
        """Forget a task; an attempt that is under way goes on."""
        held = self.held.pop(name)
        self._tombstones[name] = time.monotonic() + TOMBSTONE_SECONDS / self._speed
        if held.carrier is not None and held.carrier is not asyncio.current_task():
            held.carrier.cancel()

    def purge(self) -> None:
        for name in list(self.held):
            self.remove(name)

    def pause(self) -> None:
        self.config.state = Queue.State(Queue.State.PAUSED)
        self._going.clear()

    def resume(self) -> None:
        self.config.state = Queue.State(Queue.State.RUNNING)
        self._going.set()

    async def close(self) -> None:
        ending = [held.carrier for held in self.held.values() if held.carrier is not None]
        for task in [*ending, *self._attempts]:
            task.cancel()
        await asyncio.gather(*ending, *self._attempts, return_exceptions=True)
        await self._client.aclose()

    async def _carry(self, held: Held) -> None:
        while True:
            await self._sleep(held, held.due - time.time())
            await self._going.wait()
            async with self._slots:
                await self._within_rate()
                answer = await self._attempt(held)
            if await self._done(held, answer):
                self.remove(held.task.name)
                return
            held.due = time.time() + self._pause(held, answer) / self._speed

    async def _done(self, held: Held, answer: httpx.Response | None) -> bool:
        if answer is not None and answer.is_success:
            if self._faults.lose_acks > 0:
                self._faults.lose_acks -= 1
                held.previous = TIMED_OUT
                return False
            for _ in range(self._faults.duplicates):
                await self._attempt(held)
            return True
        if self._exhausted(held):
            self.given_up.append(held.task.name)
            return True
        return False

    async def _attempt(self, held: Held) -> httpx.Response | None:
        """Deliver once; None where no answer came in time. The worker may go on all the same."""
        await asyncio.sleep(self._faults.random.uniform(0, self._faults.jitter_seconds))
        held.first_at = held.first_at or time.time()
        attempt = asyncio.create_task(self._post(held))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)
        answer = await asyncio.shield(attempt)
        held.attempts += 1
        held.previous = TIMED_OUT if answer is None else answer.status_code
        held.answered += answer is not None and answer.status_code < 500
        self.deliveries.append((held.task.name, held.previous))
        return answer

    async def _post(self, held: Held) -> httpx.Response | None:
        request = held.task.http_request
        deadline = held.task.dispatch_deadline.total_seconds() if "dispatch_deadline" in held.task else 600.0
        method = HttpMethod(request.http_method or HttpMethod.POST).name
        try:
            async with asyncio.timeout(deadline / self._speed):
                return await self._client.request(
                    method, request.url, content=request.body, headers=self._headers(held), timeout=None
                )
        except TimeoutError:
            return None
        except httpx.HTTPError:
            return httpx.Response(UNREACHED)

    def _headers(self, held: Held) -> dict[str, str]:
        request, again = held.task.http_request, held.attempts > 0
        told = (
            {"X-CloudTasks-TaskPreviousResponse": str(held.previous), "X-CloudTasks-TaskRetryReason": ""}
            if again
            else {}
        )
        return {
            **dict(request.headers),
            "X-CloudTasks-QueueName": self.config.name.rpartition("/")[2],
            "X-CloudTasks-TaskName": held.task.name.rpartition("/")[2],
            "X-CloudTasks-TaskRetryCount": str(held.attempts),
            "X-CloudTasks-TaskExecutionCount": str(held.answered),
            "X-CloudTasks-TaskETA": f"{held.due:.6f}",
            **told,
            **self._authorization(held.task),
        }

    def _authorization(self, task: Task) -> dict[str, str]:
        if "oidc_token" not in task.http_request:
            return {}
        wanted = task.http_request.oidc_token
        token = self._issuer.token(wanted.audience or task.http_request.url, email=wanted.service_account_email)
        return {"Authorization": f"Bearer {token}"}

    def _exhausted(self, held: Held) -> bool:
        """Both limits have to be passed, where both are set."""
        retry = self.config.retry_config
        most, longest = retry.max_attempts or 100, retry.max_retry_duration.total_seconds()
        lasted = (time.time() - held.first_at) * self._speed >= longest
        return 0 < most <= held.attempts and lasted

    def _pause(self, held: Held, answer: httpx.Response | None) -> float:
        """Return the seconds before the next attempt: doubling, then growing evenly; no less than was asked for."""
        retry, again = self.config.retry_config, held.attempts - 1
        least: float = retry.min_backoff.total_seconds() or 0.1
        doublings = min(again, retry.max_doublings or 16)
        asked = answer.headers.get("Retry-After", "") if answer is not None else ""
        most: float = retry.max_backoff.total_seconds() or 3600.0
        pause: float = min(least * 2**doublings * (again - doublings + 1), most)
        return max(pause, float(asked) if asked.isdigit() else 0.0)

    async def _within_rate(self) -> None:
        if len(self._starts) == self._starts.maxlen:
            await asyncio.sleep(max(0.0, self._starts[0] + 1.0 - time.monotonic()))
        self._starts.append(time.monotonic())

    async def _sleep(self, held: Held, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await held.hurry.wait()
        except TimeoutError:
            return
        finally:
            held.hurry.clear()


def utc(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)
