"""What one connection may cost: a head that never ends, bytes that trickle, answers nobody takes, too many at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.images import ROOT
from tests.process.impatient_server import BODY_SECONDS, HEAD_SECONDS, KEEP_ALIVE_SECONDS, MOST, SEND_SECONDS
from tests.process.servers import Server, running

from atelier.api import connections
from atelier.api.connections import PIPELINED

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMPATIENT = Path(__file__).parent / "impatient_server.py"
HEALTH = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
POST = f"POST {ROOT}/generate HTTP/1.1\r\nHost: a\r\n".encode()
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
LATE = 25
"""Seconds after which a limit has certainly not held; the machine may be busy."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running(tmp_path_factory.mktemp("connections") / "data", script=IMPATIENT) as found:
        found.client.headers["Connection"] = "close"  # kept connections end sooner than a busy client may use them
        yield found


async def room_again(server: Server) -> None:
    """Wait until there is room again for the test's own client."""
    async with asyncio.timeout(LATE):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await server.client.get("/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


def port_of(server: Server) -> int:
    port = server.client.base_url.port
    assert port is not None
    return port


@contextlib.asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def let_in(server: Server) -> socket.socket:
    """Return a socket with little room whose first request was answered: earlier connections may take the places for a moment."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(LATE):
        while True:
            client = socket.socket()
            client.settimeout(0)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with contextlib.suppress(ConnectionError):
                await loop.sock_connect(client, ("127.0.0.1", port_of(server)))
                await loop.sock_sendall(client, HEALTH)
                if b" 200 " in await loop.sock_recv(client, 1000):
                    return client
            client.close()
            await asyncio.sleep(0.05)


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Read until the server ends the connection; it has to."""
    found = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(LATE):
            while piece := await reader.read(65_536):
                found += piece
    return found


async def answered(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read one answer with a Content-Length."""
    async with asyncio.timeout(LATE):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:-2])
        return int(lines[0].split()[1]), headers, await reader.readexactly(int(headers.get("content-length", 0)))


async def asked(server: Server, request: bytes) -> bytes:
    async with connected(server) as (reader, writer):
        with contextlib.suppress(ConnectionError):
            writer.write(request)
            await writer.drain()
        return await rest(reader)


def refusal(answer: bytes) -> tuple[int, str]:
    """Return the status and code of a refusal: a problem, the last answer of its connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    problem = json.loads(body)
    assert problem["success"] is False
    return int(head.split()[1]), problem["code"]


async def pushed(writer: asyncio.StreamWriter, piece: bytes, most: int = 20_000_000) -> int:
    """Send the same piece again and again until the server has had enough; how many bytes it took."""
    taken = 0
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(LATE):
            while taken < most:
                writer.write(piece)
                await writer.drain()
                taken += len(piece)
    return taken


async def trickled(streams: Streams, piece: bytes, pause: float = 0.1) -> bytes:
    """Send one piece after another, slowly; what the server said when it had enough."""
    reader, writer = streams
    ending = asyncio.create_task(rest(reader))
    while not ending.done():
        with contextlib.suppress(ConnectionError):
            writer.write(piece)
            await writer.drain()
        await asyncio.sleep(pause)
    return await ending


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"X-Many: abcdefghij\r\n" * 4_000 + b"\r\n",
        b"GET /health?" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        POST + b"Cookie: " + b"a" * 70_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
        POST + H2C + b"Cookie: " + b"a" * 70_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["one", "many", "url", "body", "upgrade"],
)
async def test_a_head_that_is_too_large_is_refused(server: Server, head: bytes) -> None:
    assert refusal(await asked(server, head)) == (431, "body_too_large")


async def test_a_large_head_is_not_too_large(server: Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 60_000 + b"\r\n\r\n")
        assert (await answered(reader))[0] == 200
        writer.write(HEALTH)
        assert (await answered(reader))[0] == 200, "and the connection goes on"


@pytest.mark.parametrize(
    "start",
    [
        b"GET /health HTTP/1.1\r\nHost: a\r\nX-Long: ",
        b"GET /health?",
        CHUNKED + b"2\r\n{}\r\n0\r\nX-Trailer: ",
        CHUNKED + b"2;extension=",
        POST + H2C + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Trailer: ",
    ],
    ids=["header", "url", "trailer", "extension", "upgrade"],
)
async def test_what_never_ends_is_not_read_to_its_end(server: Server, start: bytes) -> None:
    async with connected(server) as (_, writer):
        writer.write(start)
        assert await pushed(writer, b"a" * 65_536) < 15_000_000


async def test_a_head_has_to_come_in_time(server: Server) -> None:
    async with connected(server) as streams:
        streams[1].write(b"GET /health HTTP/1.1\r\nHost: a\r\n")
        began = time.monotonic()
        assert refusal(await trickled(streams, b"X: a\r\n")) == (408, "timeout")
        assert time.monotonic() - began > HEAD_SECONDS * 0.9


async def test_silence_is_ended_without_a_word(server: Server) -> None:
    async with connected(server) as (reader, _):
        assert await rest(reader) == b"", "a browser's spare connection is no error"


async def test_a_later_request_has_to_come_in_time_too(server: Server) -> None:
    async with connected(server) as (reader, writer):
        for _ in range(4):
            writer.write(HEALTH)
            assert (await answered(reader))[0] == 200
            await asyncio.sleep(HEAD_SECONDS / 3)
        writer.write(HEALTH[:20])
        assert refusal(await rest(reader)) == (408, "timeout")


@pytest.mark.parametrize(
    "declared",
    [b"Content-Length: 5000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n", H2C + b"Content-Length: 5000\r\n\r\n"],
)
async def test_a_body_that_trickles_is_refused(server: Server, declared: bytes) -> None:
    async with connected(server) as streams:
        streams[1].write(POST + declared)
        began = time.monotonic()
        assert refusal(await trickled(streams, b"1\r\nx\r\n")) == (408, "timeout")
        assert time.monotonic() - began > BODY_SECONDS * 0.9
    assert "Traceback" not in server.log.read_text()


async def test_a_body_on_a_slow_line_gets_its_time(server: Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(POST + b"Content-Length: 60000\r\n\r\n")
        for _ in range(30):
            writer.write(b"x" * 2000)
            await asyncio.sleep(BODY_SECONDS / 12)
        assert (await answered(reader))[0] == 422, "read to its end: it is no JSON"


@pytest.mark.parametrize(
    ("head", "status"),
    [(CHUNKED, 413), (POST + b"Origin: https://evil.example\r\nTransfer-Encoding: chunked\r\n\r\n", 403)],
)
async def test_a_body_that_goes_on_behind_its_answer_is_cut(server: Server, head: bytes, status: int) -> None:
    async with connected(server) as (reader, writer):
        writer.write(head)
        pushing = asyncio.create_task(pushed(writer, b"10000\r\n" + b"x" * 65_536 + b"\r\n", most=10**11))
        assert (await answered(reader))[0] == status
        await rest(reader)
        await pushing


async def test_an_idle_connection_is_closed(server: Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(HEALTH)
        assert (await answered(reader))[0] == 200
        assert await rest(reader) == b""
    async with connected(server) as (reader, writer):
        began = time.monotonic()
        writer.write(POST + b"Origin: https://evil.example\r\nContent-Length: 4\r\n\r\n{")
        assert (await answered(reader))[0] == 403, "answered before the body was here"
        writer.write(b"   ")
        assert await rest(reader) == b""
        assert time.monotonic() - began > KEEP_ALIVE_SECONDS * 0.9


UPGRADE = (
    b"GET /ws/image-generation/nope HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


WRONG = b'{"prompt": 5}'
"""A body that was read where the answer is that its prompt is none."""

H2C_HEALTH = HEALTH[:-2] + H2C + b"\r\n"
SOCKET = UPGRADE.partition(b"Host: a\r\n")[2][:-2]
LENGTH = b"Content-Length: %d\r\n\r\n" % len(WRONG)
IGNORED: dict[str, tuple[bytes, int]] = {
    "h2c": (H2C_HEALTH, 200),
    "h2c with a body": (POST + H2C + LENGTH + WRONG, 422),
    "h2c with chunks": (POST + H2C + b"Transfer-Encoding: chunked\r\n\r\nd\r\n" + WRONG + b"\r\n0\r\n\r\n", 422),
    "a WebSocket's upgrade of a POST": (POST + SOCKET + b"Content-Length: 0\r\n\r\n", 422),
    "a WebSocket's upgrade of a POST with a body": (POST + SOCKET + LENGTH + WRONG, 422),
    "a WebSocket's upgrade with a body": (UPGRADE[:-2] + LENGTH + WRONG, 404),
    "a WebSocket's upgrade with chunks": (UPGRADE[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 404),
    "a WebSocket's upgrade of nothing": (HEALTH[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n", 200),
}


@pytest.mark.parametrize("name", IGNORED)
async def test_a_request_for_another_protocol_is_a_request(server: Server, name: str) -> None:
    """Its body belongs to it, what stands behind it is the next request, and the connection goes on."""
    request, status = IGNORED[name]
    async with connected(server) as (reader, writer):
        writer.write(request + HEALTH)
        found, _, body = await answered(reader)
        assert found == status
        assert (b'["body","prompt"]' in body) is (WRONG in request and status == 422)
        assert (await answered(reader))[0] == 200
        await _body_later(writer, request)
        assert (await answered(reader))[0] == status


async def _body_later(writer: asyncio.StreamWriter, request: bytes) -> None:
    """Send a request's head, and a moment later what follows it."""
    head, end, body = request.partition(b"\r\n\r\n")
    writer.write(head + end)
    await asyncio.sleep(0.1)
    writer.write(body)


async def test_what_is_announced_as_a_body_is_never_a_request(server: Server) -> None:
    async with connected(server) as (reader, writer):
        await _body_later(writer, POST + H2C + b"Content-Length: %d\r\n\r\n" % len(HEALTH) + HEALTH)
        assert (await answered(reader))[0] == 422
        assert await rest(reader) == b""


async def test_who_asks_for_another_protocol_is_asked_for_its_body(server: Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(POST + H2C + b"Expect: 100-continue\r\n" + LENGTH)
        assert (await answered(reader))[0] == 100
        writer.write(WRONG)
        assert (await answered(reader))[0] == 422


@pytest.mark.parametrize(
    "request_",
    [
        POST + H2C.replace(b"Upgrade, ", b"close, Upgrade, ") + LENGTH + WRONG + HEALTH,
        POST.replace(b"1.1", b"1.0") + SOCKET + LENGTH + WRONG + HEALTH,
    ],
    ids=["close", "HTTP/1.0"],
)
async def test_the_last_request_stays_the_last(server: Server, request_: bytes) -> None:
    assert refusal(await asked(server, request_)) == (422, "validation_error")
    async with connected(server) as (reader, writer):
        await _body_later(writer, request_)
        assert refusal(await rest(reader)) == (422, "validation_error")


@pytest.mark.parametrize("pause", [0, 0.2])
async def test_no_socket_opens_before_every_answer_is_out(server: Server, pause: float) -> None:
    body = json.dumps({"prompt": "x", "sandbox": {"scenario": "stall"}}).encode()
    async with connected(server) as (reader, writer):
        writer.write(POST + b"Prefer: wait=1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await asyncio.sleep(pause)
        writer.write(UPGRADE)
        status, _, accepted = await answered(reader)
        assert (status, json.loads(accepted)["status"]) == (200, "processing")
        assert (await answered(reader))[0] == 404, "in its turn, as a request that does not ask for it"
        writer.write(UPGRADE)
        assert (await answered(reader))[0] == 101
        await server.client.post(f"{ROOT}/jobs/{json.loads(accepted)['job_id']}/cancel")


async def test_no_socket_opens_for_who_does_not_wait_for_it(server: Server) -> None:
    assert b"HTTP/1.1 404" in await asked(server, UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0")), "nor in HTTP/1.0"
    assert b" 101 " not in await asked(server, UPGRADE + b"\x81\x82abcdab")


@pytest.mark.parametrize(
    ("request_", "served"),
    [(f"GET {ROOT}/jobs/nope/stream HTTP/1.1\r\nHost: a\r\n\r\n".encode(), 404), (UPGRADE, 101)],
    ids=["HTTP", "WebSocket"],
)
async def test_too_many_connections_are_told_so_and_the_others_served(
    server: Server, request_: bytes, served: int
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        held = []
        for _ in range(MOST + 10):
            reader, writer = await stack.enter_async_context(connected(server))
            writer.write(request_)
            status, headers, body = await answered(reader)
            held.append(status)
            if status == 503:
                assert (headers["retry-after"], headers["connection"]) == ("2", "close")
                assert json.loads(body)["code"] == "too_many_connections"
        assert held[: MOST // 2] == [served] * (MOST // 2), "room for these at least: the client of the test holds some"
        assert held[-5:] == [503] * 5
    await room_again(server)


async def test_a_flood_of_connections_ends(server: Server) -> None:
    """More at once than may be told that they are too many: the rest is dropped, the service goes on."""
    async with contextlib.AsyncExitStack() as stack:
        flood = [await stack.enter_async_context(connected(server)) for _ in range(500)]
        await asyncio.gather(*(rest(reader) for reader, _ in flood))
    await room_again(server)


async def test_a_client_that_takes_nothing_is_let_go(server: Server) -> None:
    """Answers pile up until the kernel takes no more; then it has SEND_SECONDS."""
    await room_again(server)
    made = await server.client.post(f"{ROOT}/generate", json={"prompt": "A hill"}, headers={"Prefer": "wait=20"})
    path = httpx.URL(made.json()["result"]["images"][0]["image_url"]).path
    assert len((await server.client.get(path)).content) * PIPELINED > 8_000_000, "more than a kernel takes"
    with contextlib.closing(await let_in(server)) as client:
        began, gone = time.monotonic(), False
        client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * PIPELINED)
        while not gone and time.monotonic() - began < LATE:
            try:
                client.send(b"\r\n")  # which may stand before a request
            except ConnectionError:
                gone = True
            await asyncio.sleep(0.02)
    assert gone
    assert time.monotonic() - began > SEND_SECONDS


async def test_requests_in_a_row_are_answered_in_order(server: Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(HEALTH * 10)
        for _ in range(10):
            assert (await answered(reader))[0] == 200
    for many in (HEALTH, H2C_HEALTH):
        assert (await asked(server, many * 1000)).count(b"HTTP/1.1 200") < 100, "nobody sends that many at once"
    assert (await server.client.get("/health")).status_code == 200


async def test_who_asks_many_times_and_leaves_is_no_error_of_ours(server: Server) -> None:
    await room_again(server)
    before = server.log.read_text()
    for _ in range(20):
        async with connected(server) as (_, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * PIPELINED)
            await asyncio.sleep(0.02)
            writer.transport.abort()
    await asyncio.sleep(0.5)
    assert '"level": "error"' not in server.log.read_text().removeprefix(before)
    assert 'status="500"' not in (await server.client.get("/metrics")).text


async def test_a_stream_outlives_every_limit_and_is_not_spoilt(server: Server) -> None:
    body = json.dumps({"prompt": "x", "sandbox": {"scenario": "stall"}}).encode()
    head = f"POST {ROOT}/generate/stream HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with connected(server) as (reader, writer), connected(server) as (spoilt, spoiler):
        writer.write(head + body)
        spoiler.write(head + body)
        job_id = await _job_of(reader)
        spoilt_id = await _job_of(spoilt)
        await asyncio.sleep(max(HEAD_SECONDS, BODY_SECONDS, SEND_SECONDS, KEEP_ALIVE_SECONDS) * 1.5)
        spoiler.write(b"no HTTP at all\r\n\r\n")
        assert b"HTTP/1.1" not in await rest(spoilt), "no second answer inside the first"
        for each in (job_id, spoilt_id):
            await server.client.post(f"{ROOT}/jobs/{each}/cancel")
        assert b'"status":"cancelled"' in await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), LATE)


async def _job_of(reader: asyncio.StreamReader) -> str:
    lines = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LATE)).decode().lower().split("\r\n")
    return next(line.removeprefix("x-job-id: ") for line in lines if line.startswith("x-job-id: "))


BROKEN: dict[str, bytes] = {
    "garbage": b"\x00\x01\x02 nonsense\r\n\r\n",
    "a TLS greeting": bytes.fromhex("16030100c8010000c40303") + b"a" * 100,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT to a path": b"CONNECT /health HTTP/1.1\r\nHost: a\r\n" + H2C + b"\r\n" + HEALTH,
    "no slash": b"GET ?x HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks after another coding": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n{}",
    "negative length": POST + b"Content-Length: -1\r\n\r\n",
    "giant length": POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "giant chunk": CHUNKED + b"fffffffffffffffffffff\r\n",
    "NUL in a header": b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "CR in a header": b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "a folded header": b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
    "no host in it": b"GET /health HTTP/1.1\r\nHost: a b<>\r\nConnection: close\r\n\r\n",
    "an endless host": b"GET /health HTTP/1.1\r\nHost: " + b"a" * 300 + b"\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_no_http_is_a_problem(server: Server, name: str) -> None:
    assert refusal(await asked(server, BROKEN[name])) == (400, "validation_error")


async def test_half_requests_do_not_hold_up_the_end(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as server, contextlib.AsyncExitStack() as stack:
        for start in (b"", HEALTH[:20], POST + b"Content-Length: 10\r\n\r\n{"):
            _, writer = await stack.enter_async_context(connected(server))
            writer.write(start)
        await asyncio.sleep(0.3)
        assert await server.signal(signal.SIGTERM, within=8) in {0, -signal.SIGTERM}


async def test_the_limits_leave_room_for_five_thousand_streams() -> None:
    assert connections.MOST_CONNECTIONS >= 5_000 * 2
    found: Any = connections.most_connections()
    assert 64 <= found <= connections.MOST_CONNECTIONS
