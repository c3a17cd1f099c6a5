"""Several keys of one provider as one: who has room is used, who is used up rests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic

from atelier import logs
from atelier.errors import ProviderBadKey, ProviderError, ProviderNoCredit, ProviderRateLimited, ProviderWaits
from atelier.frozen import frozen
from atelier.jobs.background import going_on
from atelier.jobs.ports import Clock
from atelier.pipelines.keys import KeyReport
from atelier.pipelines.ordering import OrderDesk, Source
from atelier.pipelines.ports import AskedT, GeneratedImage, ImageRequest, MadeT, Offer, OfferT, Provider
from atelier.pipelines.texts import GeneratedText, TextOffer, TextRequest
from atelier.providers.budgets import Budgets, Pause, Slot, sleep
from atelier.providers.rests import Rest, Rests
from atelier.providers.rings import Allowance

LATE = timedelta(milliseconds=500)
"""A start that is later than its slot by more than this is reserved anew."""

EARLY = timedelta(seconds=1)
"""Whoever waits for a turn comes back this much before it, and waits for the rest where it is."""

RATE_REST, CREDIT_REST = timedelta(minutes=1), timedelta(hours=1)
"""How long a quota rests where the provider names no time, and a key whose account is empty."""


@frozen
class Key(Generic[AskedT, MadeT, OfferT]):
    """A configured key, and the provider made with it; its text is not here.

    It is shown as `alias` and known by `fingerprint`. `quota` is what it shares with other keys of one `bucket`; `allowance`
    None: as many calls as you like.
    """

    alias: str
    fingerprint: str
    bucket: str | None
    quota: str
    allowance: Allowance | None
    provider: Provider[AskedT, MadeT, OfferT]


@frozen
class Member(Generic[AskedT, MadeT, OfferT]):
    """A key of a pool, and what works with it."""

    key: Key[AskedT, MadeT, OfferT]
    source: Source[AskedT, MadeT, OfferT]

    @property
    def own(self) -> str:
        """The register's name of the key: another key under the same alias is another one."""
        return f"key-{self.source.name}-{self.key.fingerprint}"

    @property
    def quota(self) -> str:
        """The register's name of the quota."""
        return f"quota-{self.key.quota}"


AnyMember = Member[Any, Any, Any]
ImageKey = Key[ImageRequest, GeneratedImage, Offer]
TextKey = Key[TextRequest, GeneratedText, TextOffer]


def fingerprint(key: str) -> str:
    """Return what a key is known by where it must not be shown."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


class KeyPool(Generic[AskedT, MadeT, OfferT]):
    """`pipelines.ordering.Source` that is one provider with several keys.

    `alone`: its rests stand among those of very many others, of which only its own are asked for.
    """

    def __init__(
        self,
        *,
        members: Sequence[Member[AskedT, MadeT, OfferT]],
        budgets: Budgets,
        rests: Rests,
        now: Clock,
        pause: Pause = sleep,
        alone: bool = False,
    ) -> None:
        first = members[0].source
        self.name, self.terms, self.offer = first.name, first.terms, first.offer
        self._members, self._budgets, self._rests, self._now, self._pause = members, budgets, rests, now, pause
        self._names = {name for each in members for name in (each.own, each.quota)} if alone else None

    async def generate(self, request: AskedT, desk: OrderDesk) -> MadeT:
        """Ask with the first key that may start; one that cannot rests, and where nothing was paid the next is tried at once.

        Raises ProviderWaits where the wait is more than a moment; then nothing was ordered.
        """
        if request.order_id is not None:
            return await self._holder(request.placed_key).source.generate(request, desk)
        tried: list[Member[AskedT, MadeT, OfferT]] = []
        failure: ProviderError | None = None
        while True:
            member = await self._next(tried, failure)
            try:
                return await member.source.generate(request, desk)
            except (ProviderRateLimited, ProviderBadKey, ProviderNoCredit) as error:
                await self._let_rest(member, error)
                tried.append(member)
                failure = error

    async def ping(self) -> None:
        """Try every key. Raises the first one's ProviderError."""
        for member in self._members:
            await member.source.ping()

    async def close(self) -> None:
        """Close every key's provider."""
        for member in self._members:
            await member.source.close()

    @property
    def per_minute(self) -> float | None:
        """Calls that may start in a minute with all keys together; None: as many as you like."""
        if any(member.key.allowance is None for member in self._members):
            return None
        return sum(each.per_minute for each in _allowances(self._members))

    async def keys(self) -> tuple[KeyReport, ...]:
        """Return how the keys are, by their aliases."""
        rests = await self._resting()
        return tuple(self._report(member, rests) for member in self._members)

    async def _resting(self) -> Mapping[str, Rest]:
        return await (self._rests.all() if self._names is None else self._rests.some(self._names))

    def _holder(self, alias: str) -> Member[AskedT, MadeT, OfferT]:
        return next((member for member in self._members if member.key.alias == alias), self._members[0])

    async def _next(
        self, tried: Sequence[Member[AskedT, MadeT, OfferT]], failure: ProviderError | None
    ) -> Member[AskedT, MadeT, OfferT]:
        """Return who may start now, after waiting a moment for its slot."""
        slot: Slot | None = None
        while True:
            rests = await self._resting()
            awake = self._awake(rests, tried)
            if not awake:
                raise self._all_rest(rests, failure)
            free = next((member for member in awake if member.key.allowance is None), None)
            if free is not None:
                return free
            slot = await self._budgets.reserve(_allowances(awake), instead_of=slot)
            if not slot.reserved:
                raise ProviderWaits(f"{self.name} takes no more calls for the moment.", until=slot.at - EARLY)
            await self._pause(max(slot.at - self._now(), timedelta()))
            if self._now() <= slot.at + LATE:
                return next(member for member in awake if member.key.quota == slot.bucket)

    def _awake(
        self, rests: Mapping[str, Rest], tried: Sequence[Member[AskedT, MadeT, OfferT]]
    ) -> list[Member[AskedT, MadeT, OfferT]]:
        now = self._now()
        return [member for member in self._members if member not in tried and _rest(member, rests).over(now)]

    async def _let_rest(self, member: AnyMember, error: ProviderError) -> None:
        """Note that a key rests; where that fails, the next is asked all the same."""
        logs.warning("key_rests", provider=self.name, key=member.key.alias, code=error.code)
        with going_on("rest_not_noted"):
            await self._note(member, error)

    async def _note(self, member: AnyMember, error: ProviderError) -> None:
        now, why = self._now(), error.message
        match error:
            case ProviderBadKey():
                await self._rests.rest(member.own, state="bad", until=None, why=why)
            case ProviderNoCredit():
                await self._rests.rest(member.own, state="no_credit", until=now + CREDIT_REST, why=why)
            case _:
                until = now + (error.retry_after or RATE_REST)
                await self._rests.rest(member.quota, state="resting", until=until, why=why)

    def _all_rest(self, rests: Mapping[str, Rest], failure: ProviderError | None) -> ProviderError:
        """Say what all keys being at rest means: none of them will do, or some are back at a moment."""
        found = [_rest(member, rests) for member in self._members]
        back = [rest.until for rest in found if rest.until is not None]
        if not back:
            bad = ProviderBadKey(f"No key of {self.name} is valid.")
            return bad if all(rest.state == "bad" for rest in found) else failure or bad  # a rest may not be noted
        until = max(min(back), self._now() + EARLY)
        empty = all(rest.state in {"no_credit", "bad"} for rest in found)
        waits = ProviderWaits(f"All keys of {self.name} rest until {_moment(until)}.", until=until, for_key=True)
        waits.__cause__ = ProviderNoCredit(f"The account of {self.name} has no credit left.") if empty else failure
        return waits

    def _report(self, member: AnyMember, rests: Mapping[str, Rest]) -> KeyReport:
        rest = _rest(member, rests)
        rest = AWAKE if rest.over(self._now()) else rest
        allowed = member.key.allowance
        return KeyReport(
            alias=member.key.alias,
            bucket=member.key.bucket,
            state=rest.state,
            until=rest.until,
            why=rest.why or None,
            per_minute=allowed.per_minute if allowed is not None else None,
        )


AWAKE = Rest(state="ok", until=None, why="")


def _rest(member: AnyMember, rests: Mapping[str, Rest]) -> Rest:
    """Return what keeps a key from being used for longest: its own state, or its quota's."""
    own, quota = rests.get(member.own, AWAKE), rests.get(member.quota, AWAKE)
    if own.state == "ok" or (own.until is not None and quota.until is not None and quota.until > own.until):
        return quota
    return own


def _allowances(members: Sequence[AnyMember]) -> list[Allowance]:
    found = (member.key.allowance for member in members)
    return list({each.bucket: each for each in found if each is not None}.values())


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
