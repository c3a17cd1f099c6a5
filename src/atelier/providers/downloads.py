"""Pictures that a vendor names the address of: fetched without any key, and never from this machine's neighbours."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

import httpx

from atelier.errors import ProviderUnavailable
from atelier.providers.calls import Line

OK = 200
SECURE, PLAIN = "https", "http"
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses in IPv6's clothes: what is behind them may be anything, and they count as global."""


class Downloads:
    """Fetches from https addresses of the public internet.

    `allow_private` lets in every address, for servers of tests; http is let in where the vendor itself is called so, on
    this machine.
    """

    def __init__(self, line: Line, base_url: str, *, allow_private: bool) -> None:
        self._line, self._allow_private = line, allow_private
        base = urlsplit(base_url)
        plain = base.scheme == PLAIN and base.hostname in {"localhost", "127.0.0.1", "::1"}
        self._schemes = {SECURE, PLAIN} if plain else {SECURE}

    async def fetch(self, address: str) -> bytes:
        """Return the bytes at an address. Raises ProviderUnavailable: they are not there, or must not be asked for."""
        url = self._checked(address)
        host = url.host
        place = await self._resolved(host, url.port or (443 if url.scheme == SECURE else 80))
        answer = await self._line.call(
            "GET",
            str(url.copy_with(host=place)),
            headers={"host": url.netloc.decode("ascii"), "connection": "close"},  # the next picture may be elsewhere
            paid=False,
            extensions={"sni_hostname": host},
        )
        if answer.status != OK or not answer.body:
            raise ProviderUnavailable(f"The picture was not where {self._line.vendor} said (status {answer.status}).")
        return answer.body

    def _checked(self, address: str) -> httpx.URL:
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL as error:
            raise self._refused() from error
        if url.scheme not in self._schemes or not url.host or url.userinfo:
            raise self._refused()
        return url

    async def _resolved(self, host: str, port: int) -> str:
        """Return one address of the host, every one of which is public: the one that is then connected to."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ProviderUnavailable(f"The host of {self._line.vendor}'s picture is not known.") from error
        places = [str(address[0]) for *_, address in found]
        if not places or not (self._allow_private or all(is_public(place) for place in places)):
            raise self._refused()
        return places[0]

    def _refused(self) -> ProviderUnavailable:
        return ProviderUnavailable(f"{self._line.vendor} named an address that pictures are not fetched from.")


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
