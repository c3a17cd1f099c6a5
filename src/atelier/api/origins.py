"""Which web pages may talk to the service, and by which names: one rule for CORS, for writing requests and for errors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

LOCAL = r"https?://(localhost|127\.0\.0\.1)(:\d+)?"
"""Outside production: any port of this machine's names."""

PRIVATE_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


@dataclass(frozen=True, kw_only=True)
class Origins:
    """The configured origins (None: LOCAL) and the service's own address, where it is configured."""

    configured: tuple[str, ...] | None
    public_url: str | None
    names: frozenset[str] | None = None
    """The public names under which the service may be read; None: any, for what they read takes a key."""

    def reached_as(self, host: str) -> bool:
        """Whether a Host header is a name of the service, and not one that somebody pointed at it to read what it has."""
        return self.names is None or _known(host, self.names)

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
    """CORS. Who is no page, and most callers are none, passes by."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        page = scope["type"] == "http" and b"origin" in dict(scope["headers"])
        await (super().__call__ if page else self.app)(scope, receive, send)


def _place(url: str) -> str:
    """Return host and port of a URL; empty for what is none."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def names_of(urls: Iterable[object]) -> frozenset[str]:
    """Return the names of the hosts in addresses, as `Origins` wants them."""
    found = (urlsplit(str(url)).hostname for url in urls if url is not None)
    return frozenset(name.rstrip(".") for name in found if name is not None)


@lru_cache(maxsize=1024)
def _known(host: str, names: frozenset[str]) -> bool:
    return _private(host) or _name(host) in names


def _private(place: str) -> bool:
    """Whether nobody else can give themselves this name: an address, or a name that no public server answers for.

    Any public name could be pointed at this service by its owner (DNS rebinding), so it has to be configured.
    """
    name = _name(place)
    number = name.startswith("[") or name.rpartition(".")[2].isdecimal()  # no top-level domain is one
    return number or "." not in name or name.endswith(PRIVATE_NAMES)


def _name(place: str) -> str:
    """Return a place without its port, as names are compared."""
    name = place if place.endswith("]") else place.rpartition(":")[0] or place
    return name.lower().rstrip(".")
