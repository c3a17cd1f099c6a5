"""Providers whose calls are remembered: how they have been lately, as this process has seen it."""

from __future__ import annotations

from dataclasses import replace

from atelier.errors import AtelierError, ProviderRateLimited, ProviderRefused
from atelier.jobs.ports import Clock
from atelier.pipelines.ports import Desk, GeneratedImage, Health, ImageProvider, ImageRequest, State


class Observed:
    """`pipelines.ports.ImageProvider` that is another one, and remembers how its calls went."""

    def __init__(self, provider: ImageProvider, now: Clock) -> None:
        self.name, self.terms, self.offer = provider.name, provider.terms, provider.offer
        self.health = Health()
        self._provider, self._now = provider, now

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:
        """Let the provider draw. One that refuses a request is well; a call that was cancelled says nothing."""
        try:
            image = await self._provider.generate(request, desk)
        except ProviderRefused:
            self._succeeded()
            raise
        except AtelierError as error:
            state: State = "rate_limited" if isinstance(error, ProviderRateLimited) else "failing"
            self.health = replace(self.health, state=state, failed_at=self._now(), failure=error.code)
            raise
        self._succeeded()
        return image

    async def ping(self) -> None:
        """Ask the provider. This is no call of its own kind: its health stays what it was."""
        await self._provider.ping()

    async def close(self) -> None:
        """Close the provider."""
        await self._provider.close()

    def _succeeded(self) -> None:
        self.health = replace(self.health, state="ok", succeeded_at=self._now())
