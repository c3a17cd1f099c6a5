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
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses in IPv6's clothes, on networks that have no IPv4: each is what it is underneath."""

UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given out: everything else is of this machine, of its network, or of nobody."""

SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
"""What of the rest is for protocols and documentation, and tunnels (Teredo, 6to4): what is behind them may be anything.

From IANA's registries of special-purpose addresses; the library's list depends on Python's version.
"""


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
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in TRANSLATED else ip.ipv4_mapped
        if ip.scope_id is not None or (inner is None and ip not in UNICAST):
            return False
        ip = inner or ip
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in SPECIAL)
