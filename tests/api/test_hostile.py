"""What nobody should send, at every address: no 5xx that is not documented, every error a problem, nothing echoed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, ClassVar, get_args

import httpx
import pytest
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from tests.addresses import UNKNOWN, Operation, operations
from tests.images import ROOT
from tests.live import Live, Serve

from atelier.api import errors
from atelier.codes import Code
from atelier.logs import JsonFormatter

SECRET = "sk-canary-4711-in-the-request"
CODES = set(get_args(Code))
MEGABYTE = 1_000_000
WORKER = {"/api/v1/worker", "/api/v1/images/worker", "/api/v1/blog/worker"}

VALUES: dict[str, str] = {
    "lone surrogate": '"\\ud800"',
    "pair the wrong way round": '"\\udc00\\ud800"',
    "NaN": "NaN",
    "infinity": "Infinity",
    "too large a float": "1e999",
    "giant integer": "1" + "0" * 400,
    "giant negative": "-1" + "0" * 400,
    "64 bits and one": str(2**64),
    "negative": "-1",
    "fraction": "1.5",
    "900 levels": "[" * 900 + "]" * 900,
    "900 objects": '{"a":' * 900 + "1" + "}" * 900,
    "20,000 levels": "[" * 20_000 + "]" * 20_000,
    "NUL": '"a\\u0000b"',
    "escape": '"\\u001b[31m red"',
    "C1 control": '"a\\u0085b"',
    "DEL": '"a\\u007fb"',
    "bidi": '"\\u202egnp.exe\\u2066"',
    "separators": '"a\\u2028b\\u2029c"',
    "noncharacter": '"\\uffff"',
    "many characters": json.dumps("x" * 11_000),
    "many bytes": json.dumps("\U0001f600" * 11_000, ensure_ascii=False),
    "CRLF": '"a\\r\\nX-Injected: yes"',
    "blank": '" \\t\\n "',
    "empty": '""',
    "path": '"../../../etc/passwd"',
    "format": '"%s%n{0}{{7*7}}${7*7}"',
    "true": "true",
    "null": "null",
    "list": "[]",
    "object": "{}",
    "long list": "[" + ",".join(["1"] * 10_000) + "]",
    "a secret": json.dumps(SECRET),
    "a secret in a list": json.dumps([SECRET]),
    "a secret as a name": json.dumps({SECRET: SECRET}),
}

NO_JSON = {
    "lone surrogate",
    "pair the wrong way round",
    "NaN",
    "infinity",
    "900 levels",
    "900 objects",
    "20,000 levels",
}
"""Refused wherever they stand, in fields that nobody reads too."""

TEXTS: dict[str, str] = {
    "empty": "",
    "NUL": "%00",
    "CRLF": "a%0d%0aX-Injected:%20yes",
    "no UTF-8": "%ff%fe",
    "surrogate": "%ed%a0%80",
    "bidi": "%e2%80%ae%e2%81%a6",
    "NaN": "NaN",
    "infinity": "-Infinity",
    "giant integer": "9" * 400,
    "beyond int's own limit": "9" * 5_000,
    "negative": "-1",
    "float": "1e309",
    "year 0": "0000-00-00T00:00:00Z",
    "first moment": "0001-01-01T00:00:00%2B14:00",
    "last moment": "9999-12-31T23:59:59-14:00",
    "long": "a" * 5_000,
    "dots": "..%2f..%2f..%2fetc%2fpasswd",
    "dot": ".",
    "SQL": "'%20OR%201=1--",
    "JSON": "%7B%22%24gt%22:%22%22%7D",
    "a secret": SECRET,
}

FIELDS: dict[str, bytes] = {
    "empty": b"",
    "bytes": b"\xff\xfe",
    "tab": b"a\tb",
    "long": b"a" * 5_000,
    "many": b",".join([b"a"] * 2_000),
    "giant integer": b"9" * 5_000,
    "quotes": b'"a\\"; wait=\\',
    "a secret": SECRET.encode(),
}

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "half": b"{",
    "list": b"[]",
    "null": b"null",
    "number": b"1",
    "text": b"hello",
    "form": b"prompt=x&a=b",
    "UTF-16": '{"prompt": "x"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "no UTF-8": b'{"prompt": "\xff"}',
    "20,000 levels": b"[" * 20_000 + b"]" * 20_000,
    "20,000 objects": b'{"a":' * 20_000,
    "twice the same name": b'{"prompt": "a", "prompt": {"a": 1}}',
    "NUL": b"\x00" * 100,
    "a secret": SECRET.encode(),
    "a secret in JSON": json.dumps([SECRET]).encode(),
}

TYPES = (
    b"", b"text/plain", b"application/json; charset=utf-16", b"multipart/form-data", b"multipart/form-data; boundary=\xff",
    b"application/x-www-form-urlencoded", b"\xff", b"a/b/c;;;=", SECRET.encode(),
)  # fmt: skip

HEADERS = (
    "Authorization", "Cookie", "Prefer", "If-None-Match", "If-Modified-Since", "If-Range", "Range", "Idempotency-Key",
    "Last-Event-ID", "Accept", "Accept-Encoding", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded",
    "X-Request-Id", "Referer", "User-Agent", "X-Http-Method-Override", "Content-Encoding", "Origin",
    "Access-Control-Request-Headers",
)  # fmt: skip

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "PROPFIND")


class Hostile:
    """A server whose jobs wait for a worker, and what its answers broke."""

    known: ClassVar[list[Operation]] = []
    """Every operation: read once, for each test serves the same app."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.known.extend(() if self.known else operations(live.app))
        self.operations = tuple(self.known)
        self.asked = 0
        self.broken: list[str] = []

    async def send(self, operation: Operation, what: str, url: str, **request: Any) -> httpx.Response:
        """Send it; of a stream, or an answer that comes when its job has ended, only the head is waited for."""
        content = request.pop("content", None)
        if content is None and operation.body is not None:
            content = json.dumps(operation.body)
        method = request.pop("method", operation.method)
        async with self.live.client.stream(method, url, content=content, **request) as response:
            if "transfer-encoding" not in response.headers:
                await response.aread()
        self.asked += 1
        self.broken += [f"{operation.name}, {what}: {fault}" for fault in faults(operation, response, method)]
        return response


def faults(operation: Operation, response: httpx.Response, method: str) -> list[str]:
    """Say what is wrong with an answer."""
    code, kind = str(response.status_code), response.headers.get("content-type", "")
    found = []
    if response.status_code >= 500 and code not in operation.documented:
        found.append(f"{code} is not documented")
    if any(SECRET in value for value in response.headers.values()):
        found.append("a header echoes the request")
    if "x-injected" in response.headers:
        found.append("a header was injected")
    if "x-request-id" not in response.headers:
        found.append("no X-Request-Id")
    if response.status_code < 400 or (kind in operation.documented.get(code, ()) and "problem" not in kind):
        return found
    if kind != "application/problem+json":
        return [*found, f"{code} is {kind or 'nothing'}, no problem"]
    if method == "HEAD":
        return found
    if SECRET in response.text:
        found.append("the problem echoes the request")
    return found + misshapen(response)


def misshapen(response: httpx.Response) -> list[str]:
    """Say what a problem lacks."""
    problem = response.json()
    rules = {
        "type": problem["type"] == f"urn:atelier:problem:{problem['code']}",
        "title": bool(problem["title"]),
        "message": bool(problem["detail"]) and problem["message"] == problem["detail"],
        "success": problem["success"] is False,
        "code": problem["code"] in CODES,
        "retryable": isinstance(problem["retryable"], bool),
        "request_id": problem["request_id"] == response.headers["x-request-id"],
        "errors": response.status_code != 422 or bool(problem.get("errors")) or problem["code"] != "validation_error",
        "status": "status" not in problem,
        "length": len(response.content) < 20_000,
    }
    return [f"the problem's {name} is wrong" for name, kept in rules.items() if not kept]


@pytest.fixture
async def hostile(serve: Serve) -> AsyncIterator[Hostile]:
    async with serve(role="web", blog={"sync_wait_seconds": 0.1}) as live:
        found = Hostile(live)
        yield found
        assert not found.broken, "\n".join(found.broken)
        assert found.asked, "it asked"
        assert (await live.client.get("/ready")).status_code == 200


async def test_values_in_every_field_of_every_body(hostile: Hostile) -> None:
    for operation in hostile.operations:
        for name in operation.properties:
            rest = {key: value for key, value in (operation.body or {}).items() if key != name}
            for what, value in VALUES.items():
                body = json.dumps(rest)[:-1] + (", " if rest else "") + f'"{name}": {value}}}'
                answer = await hostile.send(operation, f"{name} = {what}", operation.url(), content=body)
                if what in NO_JSON:
                    assert answer.status_code in {404, 422}, (operation.name, name, what)


async def test_fields_nobody_knows(hostile: Hostile) -> None:
    for operation in hostile.operations:
        if operation.body is None:
            continue
        usual = (await hostile.send(operation, "nothing unknown", operation.url())).status_code
        for what, value in VALUES.items():
            body = json.dumps(operation.body)[:-1] + (", " if operation.body else "") + f'"{SECRET}": {value}}}'
            answer = await hostile.send(operation, f"an unknown field = {what}", operation.url(), content=body)
            if operation.properties:
                refused = what in NO_JSON
                assert answer.status_code == (422 if refused else usual), (operation.name, what)


async def test_bodies_that_are_none(hostile: Hostile) -> None:
    for operation in hostile.operations:
        for what, content in BODIES.items():
            if operation.method in {"GET", "HEAD"} and what != "a secret in JSON":
                continue
            answer = await hostile.send(operation, what, operation.url(), content=content)
            if operation.properties and {"prompt", "topic"} & set(operation.properties):
                assert answer.status_code == 422, (operation.name, what)


async def test_bodies_beyond_the_limit(hostile: Hostile) -> None:
    async def chunked(piece: bytes, count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield piece

    for operation in hostile.operations:
        whole = b'{"prompt": "' + b"x" * (MEGABYTE + 1000) + b'"}'
        for what, content in {"with length": whole, "in chunks": chunked(whole[:100_000], 12)}.items():
            answer = await hostile.send(operation, f"a large body {what}", operation.url(), content=content)
            assert answer.status_code in ({413} if operation.properties else {200, 204, 400, 401, 404, 405, 413})


async def test_types_of_body_that_do_not_fit(hostile: Hostile) -> None:
    """Bodies are JSON whatever their type says; so the type changes nothing."""
    for operation in hostile.operations:
        if operation.body is None:
            continue
        usual = (await hostile.send(operation, "no type", operation.url())).status_code
        for kind in TYPES:
            answer = await hostile.send(operation, f"type {kind!r}", operation.url(), headers={"Content-Type": kind})
            assert answer.status_code == usual, (operation.name, kind)


async def test_values_in_every_part_of_every_address(hostile: Hostile) -> None:
    for operation in hostile.operations:
        for what, value in TEXTS.items():
            if "{" in operation.path:
                everywhere = dict.fromkeys(_names(operation), value)
                await hostile.send(operation, f"id = {what}", operation.url(**everywhere))
            for name in operation.of("query"):
                await hostile.send(operation, f"{name} = {what}", f"{operation.url()}?{name}={value}")
        await hostile.send(operation, "unknown query", f"{operation.url()}?{SECRET}={SECRET}&{SECRET}[]=1&=&&%00")


async def test_values_in_every_header(hostile: Hostile) -> None:
    for operation in hostile.operations:
        for name in dict.fromkeys((*operation.of("header"), *HEADERS)):
            for what, value in FIELDS.items():
                if what == "a secret" or name in operation.of("header"):
                    headers = {name.encode(): value}
                    await hostile.send(operation, f"{name}: {what}", operation.url(), headers=headers)


async def test_methods_nobody_documented(hostile: Hostile) -> None:
    for path in {operation.path: operation for operation in hostile.operations}.values():
        for method in METHODS:
            await hostile.send(path, method, path.url(), method=method)


async def test_files_are_sent_in_ranges_or_not_at_all(hostile: Hostile) -> None:
    file = Operation(method="GET", path="/studio/app.js")
    ranges = ["bytes=x", "bytes=5-2", "bytes=-", "lines=1-2", f"bytes=0-{'9' * 5_000}", "bytes=" + "0-1," * 5_000]
    for asked in ranges:
        answer = await hostile.send(file, asked[:20], file.url(), headers={"Range": asked})
        assert answer.status_code in {200, 206, 400}
    beyond = await hostile.send(file, "beyond", file.url(), headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"].startswith("bytes */")
    assert beyond.json()["detail"] == "There is nothing in this range."


async def test_every_unknown_id_is_the_same_404(hostile: Hostile) -> None:
    """Whatever looks like an id and is none: the same words everywhere, so that nobody learns what exists."""
    for operation in hostile.operations:
        if "{job_id}" not in operation.path:
            continue
        said = set()
        for unknown in (UNKNOWN, "f" * 32, "0" * 32, "a-b-c", "local", "%00", SECRET, "..%2f" + "f" * 32):
            answer = await hostile.send(operation, unknown, operation.url(job_id=unknown))
            assert answer.status_code == 404, (operation.name, unknown)
            said.add(json.dumps({**answer.json(), "request_id": ""}))
        assert len(said) <= 2, (operation.name, said)  # no such job; no such address, for an id with a slash in it


async def test_foreign_pages_read_nothing_and_write_nothing(hostile: Hostile) -> None:
    for operation in hostile.operations:
        for origin in ("https://evil.example", "null", "http://localhost.evil.example", "file://", SECRET):
            answer = await hostile.send(operation, origin, operation.url(), headers={"Origin": origin})
            shared = answer.headers.get("access-control-allow-origin")
            assert shared is None or operation.path.startswith("/pictures/"), (operation.name, origin)
            assert "access-control-allow-credentials" not in answer.headers
            if operation.method not in {"GET", "HEAD"}:
                assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused"), operation.name
        asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": operation.method}
        refused = await hostile.send(operation, "preflight", operation.url(), method="OPTIONS", headers=asking)
        assert (refused.status_code, refused.json()["code"]) == (400, "origin_refused")
        assert "access-control-allow-origin" not in refused.headers
    for root in ("/api/v1/images", "/api/v1/blog"):
        assert (await hostile.live.client.get(f"{root}/jobs")).json()["jobs"] == []


async def test_the_workers_routes_are_there_and_not_in_the_document(hostile: Hostile) -> None:
    found = {operation.path for operation in hostile.operations if "worker" in operation.path}
    assert found == WORKER
    for operation in hostile.operations:
        if operation.path in WORKER:
            assert not operation.documented
            for token in ("", "Bearer x", f"Bearer {SECRET}", "Basic eDp5", "Bearer eyJhbGciOiJub25lIn0.e30."):
                answer = await hostile.send(operation, token, operation.url(), headers={"Authorization": token})
                assert answer.status_code == 401


async def test_a_host_that_is_none_is_refused(hostile: Hostile) -> None:
    for operation in hostile.operations:
        for host in ("a b", "a/b", "<script>", "a" * 300, "a:b", "", f"a@{SECRET}", "[::1", "a:999999", "a,b"):
            answer = await hostile.send(operation, f"Host: {host}", operation.url(), headers={"Host": host})
            assert answer.status_code == 400, (operation.name, host)
        for host in ("localhost", "studio.local:8000", "[::1]:8000", "10.0.0.1", "a_b.internal"):
            answer = await hostile.send(operation, f"Host: {host}", operation.url(), headers={"Host": host})
            assert answer.status_code != 400


async def test_nothing_is_told_under_a_name_that_anybody_may_have_pointed_here(hostile: Hostile) -> None:
    for operation in hostile.operations:
        for host in ("evil.example", "evil.example:23000", "127.0.0.1.evil.example", "localhost.evil.example:80"):
            answer = await hostile.send(operation, f"Host: {host}", operation.url(), headers={"Host": host})
            if operation.path in {"/health", "/ready"}:
                assert answer.status_code == 200, "monitors ask by any name"
            else:
                code = "origin_refused" if operation.method == "HEAD" else answer.json()["code"]
                assert (answer.status_code, code) == (403, "origin_refused"), operation.name


async def test_of_many_wrong_values_the_first_are_told() -> None:
    wrong = {"type": "missing", "loc": ("body", "images", 0), "msg": "Field required", "input": SECRET}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(_refusing([wrong] * 100_000))) as client:
        answer = await client.post("http://a/")
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 50
    assert SECRET not in answer.text


def _refusing(wrong: list[dict[str, Any]]) -> FastAPI:
    app = FastAPI()
    errors.install(app)

    @app.post("/")
    async def refuse() -> None:
        raise RequestValidationError(wrong)

    return app


async def test_a_declared_length_beyond_the_limit_is_refused_unread(live: Live) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
    writer.write(
        f"POST {ROOT}/generate HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n".encode()
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    writer.close()
    assert head.startswith(b"HTTP/1.1 413"), "without asking for the body first"


async def test_a_secret_in_a_query_is_in_no_line_of_the_log(hostile: Hostile, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="atelier")
    for operation in hostile.operations:
        await hostile.send(operation, "a ticket", f"{operation.url()}?ticket={SECRET}", headers={"Cookie": SECRET})
    async with asyncio.timeout(60):
        while caplog.messages.count("request") < len(hostile.operations):  # the last is logged behind its answer
            await asyncio.sleep(0.05)
    lines = [JsonFormatter().format(each) for each in caplog.records if each.name in {"atelier", "uvicorn.error"}]
    assert not [line for line in lines if SECRET in line]


def _names(operation: Operation) -> list[str]:
    return [part.strip("{}").split(":")[0] for part in operation.path.split("/") if part.startswith("{")]
