"""Pictures that a vendor names the address of: fetched without any key, and never from this machine's neighbours."""

from __future__ import annotations

from urllib.parse import urlsplit

from atelier.errors import ProviderUnavailable
from atelier.providers import outside
from atelier.providers.calls import Line

OK = 200


class Downloads:
    """Fetches from https addresses of the public internet.

    `allow_private` lets in every address, for servers of tests; http is let in where the vendor itself is called so, on
    this machine.
    """

    def __init__(self, line: Line, base_url: str, *, allow_private: bool) -> None:
        self._line, self._allow_private = line, allow_private
        base = urlsplit(base_url)
        plain = base.scheme == outside.PLAIN and base.hostname in {"localhost", "127.0.0.1", "::1"}
        self._schemes = {outside.SECURE, outside.PLAIN} if plain else {outside.SECURE}

    async def fetch(self, address: str) -> bytes:
        """Return the bytes at an address. Raises ProviderUnavailable: they are not there, or must not be asked for."""
        place = await self._located(address)
        answer = await self._line.call("GET", place.url, headers=place.headers, paid=False, extensions=place.extensions)
        if answer.status != OK or not answer.body:
            raise ProviderUnavailable(f"The picture was not where {self._line.vendor} said (status {answer.status}).")
        return answer.body

    async def _located(self, address: str) -> outside.Place:
        vendor = self._line.vendor
        try:
            return await outside.located(outside.parsed(address, self._schemes), allow_private=self._allow_private)
        except outside.Forbidden as error:
            raise ProviderUnavailable(f"{vendor} named an address that pictures are not fetched from.") from error
        except outside.Unknown as error:
            raise ProviderUnavailable(f"The host of {vendor}'s picture is not known.") from error
