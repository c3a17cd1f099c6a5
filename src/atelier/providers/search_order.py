"""Several search engines in order: the first that works searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from atelier.errors import ProviderError
from atelier.pipelines.sources import Findings, SearchProvider


class SearchOrder:
    """`pipelines.sources.SearchProvider` that asks the next one where one fails, whatever it fails with."""

    def __init__(self, providers: Sequence[SearchProvider]) -> None:
        self.name = providers[0].name
        self._providers = tuple(providers)

    async def search(self, query: str, *, most: int) -> Findings:
        """Return the first one's results that answers; who was passed over and why is among the warnings.

        Where all fail: the first ProviderError after which trying again can help, else the last.
        """
        failures: list[tuple[str, ProviderError]] = []
        for provider in self._providers:
            try:
                found = await provider.search(query, most=most)
            except ProviderError as error:
                failures.append((provider.name, error))
            else:
                passed = (f"{name} was passed over: {error.message}" for name, error in failures)
                return replace(found, warnings=(*passed, *found.warnings))
        raise next((error for _, error in failures if error.retryable), failures[-1][1])

    async def ping(self) -> None:
        """Try every one. Raises the first one's ProviderError."""
        for provider in self._providers:
            await provider.ping()

    async def close(self) -> None:
        """Close every one."""
        for provider in self._providers:
            await provider.close()
