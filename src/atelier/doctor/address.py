"""The service as callers reach it: does it answer, do events come as they happen, do the clocks agree?"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from atelier.doctor.findings import Verdict, ill, well

SKEW_SECONDS = 20.0
"""How far clocks may differ; signed tokens tolerate little more."""

ANSWER_SECONDS = 5.0
BROWSER = {"Accept": "text/event-stream", "Accept-Encoding": "gzip, deflate"}
"""What a browser says: some proxies compress, and so hold back, only for those who allow it."""

INTERMEDIARIES = ("Via", "Server", "CF-Ray", "X-Amz-Cf-Id", "X-Varnish", "X-Cache", "X-Served-By")
"""Headers by which what stands in between gives itself away."""


async def ready(url: str) -> Verdict:
    """Ask whether the service behind the address is ready."""
    try:
        async with _client() as client:
            answer = await client.get(f"{url.rstrip('/')}/ready")
    except httpx.HTTPError as error:
        return _unreachable(error)
    if answer.is_redirect:
        return ill(f"redirects to {_origin(answer)}. Give that address to --url, and to your callers.")
    checks = _checks(answer)
    if checks is None:
        return ill(
            f"/ready is answered with {answer.status_code} by something that is not atelier. Is the address complete,"
            " and does the proxy pass every path on?"
        )
    wrong = "; ".join(f"{name}: {text}" for name, text in checks.items() if text != "ok")
    return ill(f"the service is not ready. {wrong}") if wrong else well("the service is ready")


async def stream(url: str) -> Verdict:
    """Watch a stream of a few events: they have to come as they are sent, not together at the end."""
    arrivals: list[float] = []
    sent: list[float] = []
    try:
        async with (
            _client() as client,
            client.stream("GET", f"{url.rstrip('/')}/health/stream", headers=BROWSER) as live,
        ):
            if live.status_code == HTTPStatus.FORBIDDEN:
                return ill("the service is not known by this name. Set ATELIER_PUBLIC_URL to this address.")
            if live.status_code != HTTPStatus.OK or "text/event-stream" not in live.headers.get("content-type", ""):
                return ill(f"/health/stream is answered with {live.status_code}, not with a stream of events.")
            async for line in live.aiter_lines():
                if line.startswith("data: "):
                    arrivals.append(time.monotonic())
                    sent.append(_sent_at(line))
            headers = live.headers
    except httpx.HTTPError as error:
        return _unreachable(error) if not arrivals else _cut(len(arrivals))
    return judge(arrivals, sent, headers)


def judge(arrivals: Sequence[float], sent: Sequence[float], headers: Mapping[str, str]) -> Verdict:
    """Compare when events were sent with when they came; both in seconds, each by its own clock."""
    if len(arrivals) < 2:  # noqa: PLR2004 - a distance takes two
        return ill("the stream ended without its events: something between here and the service cuts it.")
    took, spread = sent[-1] - sent[0], arrivals[-1] - arrivals[0]
    if spread > took / 2:
        return well(f"{len(arrivals)} events came as they were sent, over {spread:.1f} seconds")
    return ill(
        f"events are held back: sent over {took:.1f} seconds, they all came within {spread:.1f}. {_cause(headers)}"
    )


def _cause(headers: Mapping[str, str]) -> str:
    """Name what most likely holds events back, by what it did to the headers."""
    found = {name.lower(): value for name, value in headers.items()}
    seen = ", ".join(f"{name}: {found[name.lower()]}" for name in INTERMEDIARIES if name.lower() in found)
    where = f" It shows itself as {seen}." if seen else ""
    if "content-encoding" in found:
        return f"It is compressed (Content-Encoding: {found['content-encoding']}): turn compression off for text/event-stream.{where}"
    if "content-length" in found:
        return f"A proxy collects the whole answer (it has a Content-Length): turn its response buffering off.{where}"
    if "nginx" in found.get("server", "").lower():
        return "nginx buffers: set `proxy_buffering off;`, and do not let it ignore X-Accel-Buffering."
    if "no-transform" not in found.get("cache-control", ""):
        return f"Something rewrites the answer (Cache-Control lost its no-transform): turn off what optimises or caches it.{where}"
    return (
        f"Something on the way buffers answers: turn that off for text/event-stream.{where} The same command with the"
        " service's own address shows whether it is the proxy."
    )


async def clock(addresses: Sequence[str]) -> Verdict:
    """Compare this machine's clock with the date in the first answer that has one."""
    for url in addresses:
        try:
            async with _client() as client:
                answer = await client.head(url)
        except httpx.HTTPError:
            continue  # whoever is not reached has a check of its own
        verdict = _compared(answer)
        if verdict is not None:
            return verdict
    return well("nobody to compare it with; --url compares it with the service's")


def _compared(answer: httpx.Response) -> Verdict | None:
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return None
    ahead = (datetime.now(UTC) - date.astimezone(UTC)).total_seconds()
    host = answer.url.host
    if abs(ahead) <= SKEW_SECONDS:
        return well(f"agrees with that of {host}")
    return ill(
        f"this machine's clock is {abs(ahead):.0f} seconds {'ahead of' if ahead > 0 else 'behind'} that of {host}:"
        " signatures and tokens will be refused. Turn on time synchronisation (chrony, systemd-timesyncd)."
    )


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=ANSWER_SECONDS)


def _checks(answer: httpx.Response) -> dict[str, str] | None:
    """Return what /ready says of each part; None where it was not our service that answered."""
    try:
        checks = answer.json()["checks"]
    except (ValueError, KeyError, TypeError):
        return None
    return {str(name): str(text) for name, text in checks.items()} if isinstance(checks, dict) else None


def _sent_at(line: str) -> float:
    try:
        return float(json.loads(line.removeprefix("data: "))["sent_at"])
    except (ValueError, KeyError, TypeError):
        return 0.0


def _origin(answer: httpx.Response) -> str:
    """Return where a redirect leads, without its query."""
    return str(answer.headers.get("Location", "")).split("?", 1)[0]


def _cut(count: int) -> Verdict:
    return ill(f"the stream was cut after {count} events: something on the way does not let answers last.")


def _unreachable(error: httpx.HTTPError) -> Verdict:
    kinds = {
        httpx.ConnectError: "nobody answers at this address. Is the service up, the port open, the certificate valid?",
        httpx.TimeoutException: f"no answer within {ANSWER_SECONDS:g} seconds.",
    }
    said = next((text for kind, text in kinds.items() if isinstance(error, kind)), None)
    return ill(said or f"the connection broke ({type(error).__name__}).")
