"""Pages of the public web: fetched without keys and cookies, never from this machine's neighbours, read in a process apart."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import zlib
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import httpx

from atelier.errors import PageUnreadable, ProviderError
from atelier.jobs.ports import Clock
from atelier.pipelines.sources import Heading, Page
from atelier.providers import outside
from atelier.providers.calls import Answer, Line

SECONDS: Final = 10.0
"""For the whole of a page: its hops, its bytes, its text."""

HOPS: Final = 5
LARGEST: Final = 2 * 1024 * 1024
"""Bytes of a page, as it is sent and unpacked."""

FEWEST_WORDS: Final = 20
AT_ONCE: Final = 2
"""How many pages are taken apart at the same time: each has a process."""

TYPES: Final = frozenset(["text/html", "application/xhtml+xml", "text/plain"])
MOVED: Final = frozenset([301, 302, 303, 307, 308])
GONE: Final = frozenset([HTTPStatus.NOT_FOUND, HTTPStatus.GONE])
CLOSED: Final = frozenset(
    [
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.PAYMENT_REQUIRED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS,
    ]
)


class Pages:
    """`pipelines.sources.Reader` over HTTP. `contact` is an address at which whoever runs the service is found.

    `allow_private` lets in every address and every port, for servers of tests.
    """

    def __init__(
        self, *, contact: str, allow_private: bool, now: Clock, patience: timedelta = timedelta(seconds=SECONDS)
    ) -> None:
        self._allow_private, self._now, self._patience = allow_private, now, patience
        self._line = Line("the site", timeout=patience, largest=LARGEST)
        self._named = {
            "user-agent": f"atelier/0.1 (+{contact})" if contact else "atelier/0.1",
            "accept": "text/html,application/xhtml+xml,text/plain;q=0.8",
            "accept-language": "en,*;q=0.5",
        }
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def close(self) -> None:
        """Let go of connections."""
        await self._line.close()

    async def read(self, url: str) -> Page:
        """Return the page. Raises PageUnreadable: it is not there, too large, no text, or must not be asked for."""
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                where, answer = await self._fetched(url)
                found = await self._taken_apart(answer)
        except TimeoutError:
            raise PageUnreadable(f"The page was not read within {self._patience.total_seconds():g} seconds.") from None
        if found["words"] < FEWEST_WORDS:
            raise PageUnreadable("The page has no text to read; perhaps a script writes it.")
        return Page(
            url=where,
            title=found["title"],
            text=found["text"],
            headings=tuple(Heading(level=level, text=text) for level, text in found["headings"]),
            words=found["words"],
            fetched_at=self._now(),
            suspicious=tuple(found["suspicious"]),
        )

    async def _fetched(self, address: str) -> tuple[str, Answer]:
        """Return the page's answer and where it was in the end; each hop is checked as the first one is."""
        for _ in range(HOPS + 1):
            url = _allowed(address, any_port=self._allow_private)
            answer = await self._asked(url)
            if answer.status not in MOVED:
                _there(answer)
                return str(url), answer
            address = _next(url, answer)
        raise PageUnreadable(f"The page leads on more than {HOPS} times.")

    async def _asked(self, url: httpx.URL) -> Answer:
        try:
            place = await outside.located(url, allow_private=self._allow_private)
            return await self._line.call(
                "GET", place.url, headers={**self._named, **place.headers}, paid=False, extensions=place.extensions
            )
        except outside.Forbidden as error:
            raise _refused() from error
        except outside.Unknown as error:
            raise PageUnreadable("The page's host is not known.") from error
        except ProviderError as error:
            raise PageUnreadable(error.message[:1].upper() + error.message[1:]) from error

    async def _taken_apart(self, answer: Answer) -> dict[str, Any]:
        async with self._turns:
            body = await asyncio.to_thread(_unpacked, answer)
            charset = answer.headers.get("content-type", "").lower().partition("charset=")[2].split(";")[0].strip()[:40]
            return await _in_a_process(body, answer.media_type, charset)


def _allowed(address: str, *, any_port: bool) -> httpx.URL:
    """Return an address that may be asked, without its fragment. Raises PageUnreadable."""
    try:
        url = outside.parsed(address, outside.PORTS)
    except outside.Forbidden as error:
        raise _refused() from error
    if not any_port and url.port not in {None, *outside.PORTS.values()}:
        raise _refused()
    return url.copy_with(fragment=None)


def _refused() -> PageUnreadable:
    return PageUnreadable(
        "The page is at an address that is not asked: only public ones are, over http and https at their usual ports."
    )


def _next(url: httpx.URL, answer: Answer) -> str:
    try:
        return str(url.join(answer.headers.get("location", "")))
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _refused() from error


def _there(answer: Answer) -> None:
    """Raise PageUnreadable where the answer is no page of text."""
    if answer.status in GONE:
        raise PageUnreadable("The page is not there.")
    if answer.status in CLOSED:
        raise PageUnreadable(f"The site does not let everybody read the page (status {answer.status}).")
    if answer.status != HTTPStatus.OK:
        raise PageUnreadable(f"The site did not send the page (status {answer.status}).")
    if answer.media_type not in TYPES:
        raise PageUnreadable("The page is no text: only HTML and plain text are read.")


_WINDOWS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "deflate": zlib.decompressobj,
}


def _unpacked(answer: Answer) -> bytes:
    """Return the page's bytes; those of a site that packs them unasked are unpacked as far as a page may be large."""
    packing = answer.headers.get("content-encoding", "identity").strip().lower()
    if packing in {"identity", ""}:
        return answer.body
    if packing not in _WINDOWS:
        raise PageUnreadable("The page is packed in a way that was not asked for.")
    unpacking = _WINDOWS[packing]()
    try:
        body = bytes(unpacking.decompress(answer.body, LARGEST))
    except zlib.error as error:
        raise PageUnreadable("The page is packed, and damaged.") from error
    if unpacking.unconsumed_tail:
        raise PageUnreadable(f"The page is larger than {LARGEST // 1024**2} MB, unpacked.")
    return body


async def _in_a_process(body: bytes, media_type: str, charset: str) -> dict[str, Any]:
    """Return what is in a page. The process ends with this call, however the call ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "atelier.providers.page_text",
        media_type,
        charset,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # a terminal's Ctrl-C is for the service, which then ends this
    )
    try:
        out, _ = await process.communicate(body)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
    if process.returncode:
        raise PageUnreadable("The page cannot be taken apart within bounds.")
    found: dict[str, Any] = json.loads(out)
    return found
