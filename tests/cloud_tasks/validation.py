"""What Cloud Tasks refuses about a task, in sentences of our own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from google.cloud.tasks_v2 import HttpMethod, Task

LARGEST_BYTES = 100 * 1024
LONGEST_URL = 2083
MOST_HEADER_BYTES = 80 * 1024
DEADLINES = (timedelta(seconds=15), timedelta(minutes=30))
FARTHEST = timedelta(days=30)
WITH_BODY = {HttpMethod.HTTP_METHOD_UNSPECIFIED, HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH}


def wrong(task: Task, queue: str) -> str | None:
    """Return the first thing that is wrong with a task for a queue."""
    return next((sentence for sentence, holds in _rules(task, queue) if not holds), None)


def _rules(task: Task, queue: str) -> Iterator[tuple[str, bool]]:
    request, name = task.http_request, task.name
    yield (
        "a task's name is its queue's, /tasks/ and 1 to 500 of [A-Za-z0-9_-]",
        not name or bool(re.fullmatch(re.escape(queue) + r"/tasks/[A-Za-z0-9_-]{1,500}", name)),
    )
    yield "a task is an HTTP request", "http_request" in task
    yield "the URL is http or https", bool(re.match(r"https?://[^/]", request.url))
    yield "the URL is at most 2083 characters", len(request.url) <= LONGEST_URL
    yield "only POST, PUT and PATCH have a body", not request.body or request.http_method in WITH_BODY
    yield "headers are at most 80 KB", sum(len(k) + len(v) for k, v in request.headers.items()) <= MOST_HEADER_BYTES
    yield (
        "X-CloudTasks headers and Host are not for the sender",
        not any(header.lower() == "host" or header.lower().startswith("x-cloudtasks-") for header in request.headers),
    )
    if "oidc_token" in request:
        yield "a token is of a service account", "@" in request.oidc_token.service_account_email
    if "dispatch_deadline" in task:
        least, most = DEADLINES
        yield "the dispatch deadline is 15 seconds to 30 minutes", least <= task.dispatch_deadline <= most
    if "schedule_time" in task:
        yield "the schedule time is at most 30 days ahead", task.schedule_time <= datetime.now(UTC) + FARTHEST
    yield "a task is at most 100 KB", len(Task.serialize(task)) <= LARGEST_BYTES
