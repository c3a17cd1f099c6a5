"""Addresses that others name: which of them may be asked, and where exactly. The one rule for pictures and for pages."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Mapping
from typing import Any, Final

import httpx

from atelier.frozen import frozen

SECURE, PLAIN = "https", "http"
PORTS: Final[Mapping[str, int]] = {SECURE: 443, PLAIN: 80}
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses in IPv6's clothes: what is behind them may be anything, and they count as global."""


class Forbidden(Exception):
    """The address must not be asked: another scheme or port, a password in it, or not of the public internet."""


class Unknown(Exception):
    """Nobody knows the host."""


@frozen
class Place:
    """Where to connect to, checked: an address with the host's number in it, and what makes the host known there."""

    url: str
    headers: Mapping[str, str]
    extensions: Mapping[str, Any]


def parsed(address: str, schemes: Collection[str]) -> httpx.URL:
    """Return an address that may be looked up. Raises Forbidden."""
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise Forbidden from error
    if url.scheme not in schemes or not url.host or url.userinfo:
        raise Forbidden
    return url


async def located(url: httpx.URL, *, allow_private: bool) -> Place:
    """Return one place of a host, every one of which is public: the one that is then connected to.

    It is named by its number, so that nobody who is asked a second time can name another one. Raises Forbidden, Unknown.
    """
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(url.host, url.port or PORTS[url.scheme], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unknown from error
    places = [str(address[0]) for *_, address in found]
    if not places or not (allow_private or all(is_public(place) for place in places)):
        raise Forbidden
    return Place(
        url=str(url.copy_with(host=places[0])),
        headers={"host": url.netloc.decode("ascii"), "connection": "close"},  # the next one may be elsewhere
        extensions={"sni_hostname": url.host},
    )


def is_public(place: str) -> bool:
    """Whether an IP address is one of the public internet, however it is written."""
    try:
        ip = ipaddress.ip_address(place)
    except ValueError:
        return False  # one with a scope is of the local network
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip.sixtofour is not None or ip.teredo is not None or ip in TRANSLATED:
            return False
    return ip.is_global and not ip.is_multicast
