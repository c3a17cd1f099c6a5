"""Who rests: keys, quotas and providers that are left alone for a while, known to all processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from atelier.frozen import frozen
from atelier.jobs.models import Json
from atelier.jobs.ports import Clock, Document, Documents
from atelier.pipelines.keys import KeyState

KIND = "rest"
PAGE = 1000
FAILURES = 3
"""So many failures in a row, and a provider rests."""

FIRST_REST, LONGEST_REST = timedelta(minutes=1), timedelta(minutes=10)
MOST_DOUBLINGS = 4
"""So many lead beyond the longest rest; days of failures would lead beyond what a duration can be."""

PROBE = timedelta(minutes=3)
"""How long one caller tries whether a provider is back, while the others still leave it alone."""


@frozen
class Rest:
    """Why something rests and until when; `until` None: for good. `failures`: how many came in a row."""

    state: KeyState
    until: datetime | None
    why: str
    failures: int = 0
    rev: int = 0

    def over(self, now: datetime) -> bool:
        """Whether it may be asked again."""
        return self.state == "ok" or (self.until is not None and self.until <= now)


class Rests:
    """The register of what rests, in the store. Two who note at the same time agree in substance: one of the notes stands."""

    def __init__(self, documents: Documents, now: Clock, *, kind: str = KIND) -> None:
        self._documents, self._now, self._kind = documents, now, kind

    async def all(self) -> Mapping[str, Rest]:
        """Return everything that rests or did."""
        return {found.name: _rest_of(found) for found in await self._documents.documents(self._kind, limit=PAGE)}

    async def some(self, names: Collection[str]) -> Mapping[str, Rest]:
        """Return those of these names that rest or did."""
        found = [await self._documents.document(self._kind, name) for name in names]
        return {each.name: _rest_of(each) for each in found if each is not None}

    async def rest(self, name: str, *, state: KeyState, until: datetime | None, why: str) -> None:
        """Let something rest."""
        found = await self._documents.document(self._kind, name)
        await self._put(name, Rest(state=state, until=until, why=why), found.rev if found is not None else 0)

    async def failed(self, name: str, why: str) -> None:
        """Count a failure; after the third in a row it rests for a minute, with each further one for twice as long."""
        found = await self._documents.document(self._kind, name)
        failures = (_rest_of(found).failures if found is not None else 0) + 1
        rests = failures >= FAILURES
        doublings = min(max(failures - FAILURES, 0), MOST_DOUBLINGS)
        until = self._now() + min(FIRST_REST * 2**doublings, LONGEST_REST) if rests else None
        noted = Rest(state="resting" if rests else "ok", until=until, why=why, failures=failures)
        await self._put(name, noted, found.rev if found is not None else 0)

    async def probe(self, name: str, rest: Rest) -> bool:
        """Whether the caller is the one to try if it is back."""
        trying = Rest(state="resting", until=self._now() + PROBE, why=rest.why, failures=rest.failures)
        return await self._put(name, trying, rest.rev)

    async def works(self, name: str) -> None:
        """Forget that it failed."""
        await self._documents.drop(self._kind, name)

    async def _put(self, name: str, rest: Rest, rev: int) -> bool:
        until = rest.until.isoformat() if rest.until is not None else None
        body: Json = {"state": rest.state, "until": until, "why": rest.why, "failures": rest.failures}
        return await self._documents.put(self._kind, name, body, if_rev=rev) is not None


def _rest_of(document: Document) -> Rest:
    body = document.body
    until = datetime.fromisoformat(body["until"]) if body["until"] is not None else None
    return Rest(state=body["state"], until=until, why=body["why"], failures=body["failures"], rev=document.rev)
