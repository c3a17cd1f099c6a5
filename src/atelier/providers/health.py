"""Providers whose calls are remembered: how they have been lately, as all processes have seen it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Generic

from atelier.errors import AtelierError, ProviderError, ProviderRateLimited, ProviderRefused, StoreUnavailable
from atelier.jobs.models import Json
from atelier.jobs.ports import Clock, Documents
from atelier.pipelines.ordering import Call, OrderDesk
from atelier.pipelines.ports import AskedT, Health, MadeT, OfferT, Provider, State
from atelier.providers.patience import within

KIND = "health"
TOLD_EVERY = timedelta(seconds=30)
"""A process writes down what has not changed no more often than this."""


class HealthBook:
    """How each provider's calls went. The newest of what this process saw and what others wrote down."""

    def __init__(self, documents: Documents, now: Clock, *, kind: str = KIND) -> None:
        self._documents, self._now, self._kind = documents, now, kind
        self._seen: dict[str, Health] = {}
        self._told: dict[str, tuple[State, datetime]] = {}

    async def of(self, provider: str) -> Health:
        """Return how a provider has been. Raises StoreUnavailable."""
        document = await self._documents.document(self._kind, provider)
        told = _health_of(document.body) if document is not None else Health()
        return _newest(self._seen.get(provider, Health()), told)

    async def succeeded(self, provider: str) -> None:
        """Note that a call was answered."""
        seen = self._seen.get(provider, Health())
        await self._note(provider, replace(seen, state="ok", succeeded_at=self._now()))

    async def failed(self, provider: str, state: State, code: str) -> None:
        """Note that a call failed."""
        seen = self._seen.get(provider, Health())
        await self._note(provider, replace(seen, state=state, failed_at=self._now(), failure=code))

    async def _note(self, provider: str, health: Health) -> None:
        """Remember it, and tell other processes where it is news; what cannot be told now is told next time."""
        self._seen[provider] = health
        told = self._told.get(provider)
        if told is not None and told[0] == health.state and self._now() - told[1] < TOLD_EVERY:
            return
        with contextlib.suppress(StoreUnavailable):
            document = await self._documents.document(self._kind, provider)
            rev, before = (document.rev, _health_of(document.body)) if document is not None else (0, Health())
            await self._documents.put(self._kind, provider, _body(_newest(health, before)), if_rev=rev)
            self._told[provider] = (health.state, self._now())


class Observed(Generic[AskedT, MadeT, OfferT]):
    """`pipelines.ordering.Source` that is one provider with at most one key: its calls are announced and remembered.

    Without a `book` they are only announced: how calls with an owner's own key went is nobody else's business.
    """

    def __init__(self, provider: Provider[AskedT, MadeT, OfferT], book: HealthBook | None, *, key: str = "") -> None:
        self.name, self.terms, self.offer = provider.name, provider.terms, provider.offer
        self._provider, self._book = provider, book
        self._call = Call(provider=self.name, key=key, terms=self.terms, offer=self.offer)

    async def generate(self, request: AskedT, desk: OrderDesk) -> MadeT:
        """Let the provider work. One that refuses a request is well; a call that was cancelled says nothing."""
        try:
            async with desk.ordering(self._call):
                made = await within(self._provider, request, desk)
        except AtelierError as error:
            await self._note(error)
            raise
        await self._note(None)
        return made

    async def _note(self, error: AtelierError | None) -> None:
        if self._book is None:
            return
        if error is None or isinstance(error, ProviderRefused):
            await self._book.succeeded(self.name)
        elif isinstance(error, ProviderError):
            limited = isinstance(error, ProviderRateLimited)
            await self._book.failed(self.name, "rate_limited" if limited else "failing", error.code)

    async def ping(self) -> None:
        """Ask the provider. This is no call of its own kind: its health stays what it was."""
        await self._provider.ping()

    async def close(self) -> None:
        """Close the provider."""
        await self._provider.close()


def _newest(one: Health, other: Health) -> Health:
    """Return both as one: the later call says how the provider is."""
    first, last = sorted((one, other), key=lambda health: max(_moments(health), default=""))
    succeeded = max(filter(None, (one.succeeded_at, other.succeeded_at)), default=None)
    failed = max(filter(None, (one.failed_at, other.failed_at)), default=None)
    newer = last if last.failed_at == failed else first
    return Health(state=last.state, succeeded_at=succeeded, failed_at=failed, failure=newer.failure)


def _moments(health: Health) -> list[str]:
    return [moment.isoformat() for moment in (health.succeeded_at, health.failed_at) if moment is not None]


def _body(health: Health) -> Json:
    def text(moment: datetime | None) -> str | None:
        return moment.isoformat() if moment is not None else None

    moments = {"succeeded_at": text(health.succeeded_at), "failed_at": text(health.failed_at)}
    return {"state": health.state, "failure": health.failure, **moments}


def _health_of(body: Json) -> Health:
    def moment(text: str | None) -> datetime | None:
        return datetime.fromisoformat(text) if text is not None else None

    moments = {name: moment(body[name]) for name in ("succeeded_at", "failed_at")}
    return Health(state=body["state"], failure=body["failure"], **moments)
