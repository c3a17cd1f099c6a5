"""The OpenAPI document holds: whatever is sent, the service answers what it documents, in the shape it documents."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import CheckFunction, GenerationMode, checks
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as document_checks
from tests import blogs, stories
from tests.canaries import WATCH
from tests.images import ROOT
from tests.process.servers import Server, running
from tests.sockets import GENERATE

from atelier.api.openapi import SENT

CHECKS = [
    checks.not_a_server_error,
    document_checks.status_code_conformance,
    document_checks.content_type_conformance,
    document_checks.response_headers_conformance,
    document_checks.response_schema_conformance,
]
"""Not asked: that everything the schemas allow is accepted. Control characters, say, no schema of a text forbids."""

Known = dict[str, list[str]]
"""Ids that exist, by what they are called in addresses: they are tried, too."""


UNWRITTEN = {**stories.DRAWN, "sandbox": {"scenario": "noop", "hold_until": 4_000_000_000}}


@contextlib.asynccontextmanager
async def with_history(data: Path) -> AsyncIterator[tuple[Server, Known]]:
    """Serve without a worker on data with jobs of every kind of end: what is queued stays so, nothing is drawn."""
    async with running(data, retry_base_seconds=0.1, story_providers="sandbox") as server:
        scripts: list[dict[str, Any]] = [{"scenario": "noop"}, {"scenario": "refused"}, {"scenario": "stall"}]
        scripts += [{"scenario": "garbage"}, {"scenario": "noop", "hold_until": 4_000_000_000}]
        ids = [await _submitted(server, script) for script in scripts]
        posts = [await _asked_for(server, script) for script in scripts]
        told = [await _told(server, story) for story in (stories.NOOP, stories.REFUSED, stories.STALLED, UNWRITTEN)]
        for root, known in ((ROOT, ids), (blogs.ROOT, posts)):
            await server.client.post(f"{root}/jobs/{known[2]}/cancel")
            for job_id in (known[0], known[1], known[3]):
                await server.client.get(f"{root}/jobs/{job_id}/stream")
        await server.client.post(f"{stories.ROOT}/{told[2]}/cancel/")
        for story_id in told[:3]:
            await server.client.get(f"{stories.ROOT}/{story_id}/images/stream/")
    async with running(data, role="web", blog__sync_wait_seconds=0.05, story_providers="sandbox") as server:
        yield server, {"job_id": ids + posts, "story_id": told}


async def _submitted(server: Server, script: dict[str, Any]) -> str:
    answer = await server.client.post(f"{ROOT}/generate", json={"prompt": "A hill", "sandbox": script})
    return str(answer.json()["job_id"])


async def _asked_for(server: Server, script: dict[str, Any]) -> str:
    body = {**blogs.TOMATOES, "sandbox": script}
    return str((await server.client.post(f"{blogs.ROOT}/generate-enhanced", json=body)).json()["job_id"])


async def _told(server: Server, story: dict[str, Any]) -> str:
    return str((await server.client.post(f"{stories.ROOT}/", json=story)).json()["id"])


def asked(client: httpx.Client, case: schemathesis.Case[Any]) -> httpx.Response:
    """Send a case; of a stream, which without a worker has no end, only the beginning is read."""
    sent = case.as_transport_kwargs(base_url=str(client.base_url))
    names = ("method", "url", "headers", "params", "cookies", "json", "data")
    request = {name: sent[name] for name in names if sent.get(name) is not None}
    if isinstance(request.get("data"), bytes | str):
        request["content"] = request.pop("data")
    with client.stream(**request) as response:
        content = next(response.iter_raw(), b"") if is_stream(response) else response.read()
    WATCH.search(content, f"an answer of {case.path}")
    read = httpx.Response(response.status_code, headers=response.headers, content=content, request=response.request)
    read.elapsed = timedelta()
    return read


def answers_as_documented(address: str, document: dict[str, Any], known: Known, shape: settings) -> int:
    """Try every operation with proper and improper requests; how many were sent."""
    sent = 0

    def tried(client: httpx.Client, operation: Any, mode: GenerationMode) -> None:
        @settings(shape, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode), pick=st.integers(0, 100))
        def holds(case: schemathesis.Case[Any], pick: int) -> None:
            nonlocal sent
            sent += 1
            for name in known.keys() & case.path_parameters.keys():
                existing = [case.path_parameters[name], *known[name]]
                case.path_parameters[name] = existing[pick % len(existing)]
            _without_waiting(case)
            answer = asked(client, case)
            case.validate_response(answer, checks=CHECKS, excluded_checks=_not_for(answer))
            headers_are_documented(case, answer)

        holds()

    with httpx.Client(base_url=address, timeout=60) as client:
        for operation in _operations(document):
            for case in _of_what_exists(operation, known):
                answer = asked(client, case)
                case.validate_response(answer, checks=CHECKS, excluded_checks=_not_for(answer))
                headers_are_documented(case, answer)
            tried(client, operation, GenerationMode.POSITIVE)
            if _can_be_asked_wrongly(operation):
                tried(client, operation, GenerationMode.NEGATIVE)
    return sent


def headers_are_documented(case: schemathesis.Case[Any], answer: httpx.Response) -> None:
    responses = case.operation.definition.raw["responses"]
    told = {name.lower() for name in responses[str(answer.status_code)].get("headers", ())}
    sent = {name.lower() for name in SENT} & set(answer.headers.keys())
    assert sent <= told, (case.method, case.path, answer.status_code, sent - told)


def _operations(document: dict[str, Any]) -> list[Any]:
    """Return all there are; those that remove come last."""
    found = []
    for operation in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(operation, Ok)
        found.append(operation.ok())
    return sorted(found, key=lambda each: ("get", "put", "post", "delete").index(each.method))


def _of_what_exists(operation: Any, known: Known) -> Iterator[schemathesis.Case[Any]]:
    """Yield a plain request for each existing thing, whatever became of it."""
    names = {each.name for each in operation.iter_parameters() if each.location is ParameterLocation.PATH}
    for name in known.keys() & names:
        for one in known[name]:
            yield operation.Case(path_parameters={**dict.fromkeys(names, "1"), name: one})


def _can_be_asked_wrongly(operation: Any) -> bool:
    """Say whether an operation takes more than texts in its address: those are all right, and what is not takes long to seek."""
    taken = operation.iter_parameters()
    return bool(operation.body) or any(
        each.location is not ParameterLocation.PATH or each.definition["schema"]["type"] != "string" for each in taken
    )


def _not_for(answer: httpx.Response) -> list[CheckFunction]:
    """A stream's schema is that of its whole text, of which only the beginning was read; a wait that is over is no fault."""
    if answer.status_code == HTTPStatus.GATEWAY_TIMEOUT:
        return [checks.not_a_server_error]
    return [document_checks.response_schema_conformance] if is_stream(answer) else []


def is_stream(answer: httpx.Response) -> bool:
    return str(answer.headers.get("content-type", "")).startswith("text/event-stream")


def _without_waiting(case: schemathesis.Case[Any]) -> None:
    """Ask for no wait: without a worker it would be waited out each time."""
    if case.path == GENERATE and case.headers is not None:
        case.headers["prefer"] = "wait=0"
    if case.query and str(case.query.get("wait", "")).isdigit():
        case.query["wait"] = 0
    if "prefer" in {name.lower() for name in case.headers or ()}:
        case.headers["prefer"] = "wait=0"


async def every_answer_is_documented(data: Path, shape: settings) -> None:
    async with with_history(data) as (server, known):
        document = (await server.client.get("/openapi.json")).json()
        sent = await asyncio.to_thread(answers_as_documented, str(server.client.base_url), document, known, shape)
        assert sent >= len(document["paths"])
        assert '"level": "error"' not in server.log.read_text()


async def test_every_answer_is_a_documented_one(tmp_path: Path) -> None:
    """The same requests in every run."""
    await every_answer_is_documented(tmp_path / "data", settings(max_examples=8, derandomize=True, database=None))


@pytest.mark.soak
async def test_every_answer_is_a_documented_one_at_length(tmp_path: Path) -> None:
    await every_answer_is_documented(tmp_path / "data", settings(max_examples=400, database=None))
