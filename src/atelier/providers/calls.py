"""Calls of vendors over HTTP: a total deadline, whole answers of a bounded size, no redirects, no key but in a header."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx

from atelier.errors import MaybeCharged, ProviderBadKey, ProviderError, ProviderUnavailable
from atelier.frozen import frozen

LARGEST = 32 * 1024 * 1024
"""Bytes of the largest answer that is read."""

CONNECT_SECONDS = 10.0
WRONG = 400
"""Statuses from here on say what is wrong: nothing was made."""

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
Parts = Mapping[str, tuple[None, str]]
"""A multipart form's plain fields, as httpx takes them."""


@cache
def _certificates() -> ssl.SSLContext:
    """Return whom to trust: read from disk once, before there is a loop to block."""
    return httpx.create_ssl_context(trust_env=False)


def address(base_url: str, path: str) -> str:
    """Return a vendor's address without a slash at its end; one that names no path of its own gets the usual one."""
    base = base_url.rstrip("/")
    return base if urlsplit(base).path else base + path


@frozen
class Answer:
    """A vendor's answer, read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def media_type(self) -> str:
        """What the body says it is, in small letters; empty where it does not."""
        return str(self.headers.get("content-type", "")).split(";")[0].strip().lower()

    @property
    def is_picture(self) -> bool:
        """Whether the body says it is a picture, and is something."""
        return bool(self.body) and self.media_type.startswith("image/")

    def json(self) -> Any:  # noqa: ANN401 - vendors' replies are read as they come
        """Return the body as JSON, whatever it says it is; None where it is not."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class _Arrival:
    """How far a call has come: whether it was sent, and what of the answer is here."""

    def __init__(self) -> None:
        self.sent = False
        self.status: int | None = None
        self.headers = httpx.Headers()
        self.body = bytearray()

    async def trace(self, event: str, _: Mapping[str, Any]) -> None:
        """Take what the transport tells."""
        self.sent = self.sent or event.endswith("send_request_headers.started")

    @property
    def answer(self) -> Answer:
        return Answer(status=self.status or 0, headers=self.headers, body=bytes(self.body))


class _TooLarge(Exception):
    """More came than is read."""


class Line:
    """The connections to one vendor, pooled; made in the loop that calls, closed with the provider, made again if need be.

    Proxies and passwords of the environment are not used: keys go where the settings say, and nowhere else.
    """

    def __init__(self, vendor: str, *, timeout: timedelta, largest: int = LARGEST) -> None:
        self.vendor, self._timeout, self._largest = vendor, timeout, largest
        self._client: httpx.AsyncClient | None = None
        self._certificates = _certificates()

    async def close(self) -> None:
        """Close the connections. Harmless where there are none."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        paid: bool,
        body: object | None = None,
        parts: Parts | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Send JSON (`body`) or a form (`parts`); return the whole answer, whatever its status.

        Raises ProviderUnavailable where nothing was sent or nothing is paid for, else MaybeCharged: the order went out,
        and no whole answer came back in time. An error's status is an answer without its body, too.
        """
        arrival = _Arrival()
        hooks = {"trace": arrival.trace, **(extensions or {})}
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                client = self._opened()
                request = client.build_request(
                    method,
                    url,
                    headers={"accept-encoding": "identity", **headers},
                    json=body,
                    files=parts,
                    extensions=hooks,
                    timeout=httpx.Timeout(self._timeout.total_seconds(), connect=CONNECT_SECONDS),
                )
                await self._receive(client, request, arrival)
        except (UnicodeEncodeError, httpx.LocalProtocolError):
            raise ProviderBadKey(f"The key for {self.vendor} has characters that cannot be sent.") from None
        except (httpx.RequestError, httpx.InvalidURL, TimeoutError, _TooLarge) as error:
            if arrival.status is None or arrival.status < WRONG:
                raise self._lost(error, arrival, paid=paid) from error
        return arrival.answer

    async def _receive(self, client: httpx.AsyncClient, request: httpx.Request, arrival: _Arrival) -> None:
        response = await client.send(request, stream=True)
        try:
            arrival.headers = response.headers
            arrival.status = response.status_code
            async for piece in response.aiter_raw():
                if len(arrival.body) + len(piece) > self._largest:
                    raise _TooLarge
                arrival.body += piece
        finally:
            await response.aclose()

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
            self._client = httpx.AsyncClient(
                verify=self._certificates,
                limits=limits,
                follow_redirects=False,
                trust_env=False,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # none is kept
            )
        return self._client

    def _lost(self, error: Exception, arrival: _Arrival, *, paid: bool) -> ProviderError:
        """Return the error of a call that no whole answer came back to."""
        sent = arrival.sent or not (isinstance(error, (*NEVER_SENT, TimeoutError, httpx.InvalidURL)))
        if not sent:
            return ProviderUnavailable(f"{self.vendor} could not be reached.")
        if isinstance(error, (TimeoutError, httpx.TimeoutException)):
            sentence = f"{self.vendor} did not answer within {self._timeout.total_seconds():g} seconds."
        elif isinstance(error, _TooLarge):
            sentence = f"{self.vendor} sent more than {self._largest // 1024**2} MB."
        else:
            sentence = f"The connection to {self.vendor} broke before its answer was whole."
        return MaybeCharged(f"{sentence} It may be paid for.") if paid else ProviderUnavailable(sentence)
