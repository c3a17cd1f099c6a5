"""Which web pages may talk to the service: one rule for CORS, for writing requests and for errors."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import Message, Receive, Scope, Send

LOCAL = r"https?://(localhost|127\.0\.0\.1)(:\d+)?"
"""Outside production: any port of this machine's names."""

PRIVATE_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


@dataclass(frozen=True, kw_only=True)
class Origins:
    """The configured origins (None: LOCAL) and the service's own address, where it is configured."""

    configured: tuple[str, ...] | None
    public_url: str | None

    def allow(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` may write: it is configured, or the service's own (`host`: the Host header)."""
        if self.configured is None and re.fullmatch(LOCAL, origin):
            return True
        if origin in (self.configured or ()):
            return True
        place = _place(origin)
        if self.public_url is not None:
            return bool(place) and place == _place(self.public_url)
        return bool(place) and place == host and _private(place)


class PageRules(CORSMiddleware):
    """CORS. Who is no page, and most callers are none, is only told that a page may be answered otherwise."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or any(name == b"origin" for name, _ in scope["headers"]):
            await super().__call__(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"vary", b"Origin")]
            await send(message)

        await self.app(scope, receive, told)


def _place(url: str) -> str:
    """Return host and port of a URL; empty for what is none."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _private(place: str) -> bool:
    """Whether nobody else can give themselves this name: an address, or a name that no public server answers for.

    Any public name could be pointed at this service by its owner (DNS rebinding), so it has to be configured.
    """
    name = place.rsplit(":", 1)[0] if not place.endswith("]") else place
    try:
        return bool(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return "." not in name or name.endswith(PRIVATE_NAMES)
