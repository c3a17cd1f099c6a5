"""What the service counts and times, under the names that docs/operations.md lists.

Instruments belong to the process, not to an app. Every label has a closed list of values: none names an owner, a job, a
prompt or a key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from functools import cache

import prometheus_client
from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from atelier.errors import AtelierError
from atelier.instruments import Counter, Histogram, Series

REGISTRY = CollectorRegistry()
"""Ours alone: what a library adds to the client's own registry does not appear by itself."""

disable_created_metrics()  # type: ignore[no-untyped-call]
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds that machines notice."""

LONG = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
"""Seconds that people notice."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(name, meaning, labels, REGISTRY)


def _gauge(name: str, meaning: str, *labels: str) -> Gauge:
    return Gauge(name, meaning, labels, registry=REGISTRY)


def _histogram(name: str, meaning: str, bounds: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(name, meaning, labels, REGISTRY, bounds)


def _series(name: str, meaning: str, bounds: tuple[float, ...]) -> Series:
    return _histogram(name, meaning, bounds).labels()


ACCEPTED = _counter("atelier_jobs_accepted", "Jobs accepted, replays not counted.", "kind")
JOBS = _counter("atelier_jobs", "Runs that ended.", "kind", "outcome")
FAILURES = _counter("atelier_failures", "Runs that failed, by error code.", "kind", "code")
REQUEUES = _counter("atelier_requeues", "Attempts that ended with the job queued again.", "kind", "reason")
QUEUE_DEPTH = _gauge("atelier_queue_depth", "Jobs in the store that are due and not started.", "kind")
QUEUE_WAIT = _series("atelier_queue_wait_seconds", "From being due to being claimed.", LONG)
RUNNING = _gauge("atelier_running_jobs", "Jobs that this process runs.")
RUN_SECONDS = _histogram("atelier_run_seconds", "From a run's first claim to its end.", LONG, "kind", "outcome")
STAGE_SECONDS = _histogram("atelier_stage_seconds", "Stages that were finished.", LONG, "kind", "stage")
PROVIDER_CALLS = _counter("atelier_provider_calls", "Calls of providers, by what came of them.", "provider", "outcome")
PROVIDER_SECONDS = _histogram("atelier_provider_call_seconds", "How long calls of providers take.", LONG, "provider")
PROVIDER_COST = _counter(
    "atelier_provider_cost_dollars", "What providers say that pictures and texts cost.", "provider"
)
OPEN_STREAMS = _gauge("atelier_open_streams", "Streams of events that are open.")
FOLLOWED = _gauge("atelier_followed_jobs", "Jobs that this process reads for its streams and waiters.")
STREAM_LAG = _series("atelier_stream_lag_seconds", "From a record's commit to its being handed to a stream.", QUICK)
COMMIT_SECONDS = _series("atelier_store_commit_seconds", "One transaction of the store's writer.", QUICK)
BATCH = _series("atelier_store_batch_operations", "Operations in one commit.", (1, 2, 4, 8, 16, 32, 64, 128, 256))
STORE_ERRORS = prometheus_client.Counter("atelier_store_errors", "Failures of the store.", ["error"], registry=REGISTRY)
"""Its threads count, too: this one is the library's."""

LOOP_LAG = _series("atelier_loop_lag_seconds", "How much too late a timer of the event loop is.", QUICK)
REQUESTS = _counter("atelier_http_requests", "Requests answered.", "method", "route", "status")
FINDINGS = _counter("atelier_sweeper_findings", "Jobs that the sweeper ended, handed over or forgot.", "finding")
LAST_SWEEP = _gauge("atelier_last_sweep_timestamp_seconds", "When the sweeper last got to its end, in Unix time.")
DISK_FREE = _gauge("atelier_disk_free_bytes", "Room left on the disk of the data directory.")

requeued = cache(REQUEUES.labels)
"""Children are looked up once and remembered: the client's own look-up takes longer than counting."""

ended = cache(JOBS.labels)
ran = cache(RUN_SECONDS.labels)
failed = cache(FAILURES.labels)
accepted = cache(ACCEPTED.labels)
stage = cache(STAGE_SECONDS.labels)
found = cache(FINDINGS.labels)
store_error = cache(STORE_ERRORS.labels)
_called = cache(PROVIDER_CALLS.labels)
_called_for = cache(PROVIDER_SECONDS.labels)
_requested = cache(REQUESTS.labels)

for _error in ("full", "unavailable", "timeout"):
    store_error(_error)


def providers(names: Iterable[str]) -> None:
    """Let providers show before their first call."""
    for name in names:
        _called(name, "ok")
        _called_for(name)
        PROVIDER_COST.labels(name)


class ProviderCall:
    """Counts and times a call that begins now: `ok`, the error's code, `cancelled`, or `internal`."""

    def __init__(self, provider: str) -> None:
        self._provider, self._began = provider, time.perf_counter()

    def end(self, error: BaseException | None) -> None:
        """Count it."""
        _called(self._provider, _outcome(error)).inc()
        _called_for(self._provider).observe(time.perf_counter() - self._began)


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "ok"
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return error.code if isinstance(error, AtelierError) else "internal"


def spent(provider: str, dollars: float) -> None:
    """Add what a picture or a text cost."""
    if dollars > 0:
        PROVIDER_COST.labels(provider).inc(dollars)


def requested(method: str, route: str, status: int) -> None:
    """Count a request by its route's template; status 0: nothing was answered."""
    shown = f"{status // 100}xx" if status else "none"
    _requested(method if method in METHODS else "other", route, shown).inc()


async def watch_loop(seconds: float = 0.5) -> None:
    """Sleep again and again and observe by how much each sleep is too long."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(seconds)
        LOOP_LAG.observe(max(0.0, time.perf_counter() - began - seconds))


def text() -> bytes:
    """Return everything in Prometheus' text format. Reads files of /proc: call it in a thread."""
    return generate_latest(REGISTRY)
