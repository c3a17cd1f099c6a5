"""Vendors as tests play them: a provider for each key, which does what the test says and remembers who was called."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from tests.desks import Noted
from tests.jobs import Clock

from atelier.errors import AtelierError
from atelier.pipelines.ordering import Call
from atelier.pipelines.ports import Desk as VendorDesk
from atelier.pipelines.ports import GeneratedImage, ImageRequest, Offer, Script, Terms
from atelier.providers.budgets import Budgets
from atelier.providers.health import HealthBook, Observed
from atelier.providers.pool import Key, KeyPool, Member, fingerprint
from atelier.providers.rests import Rests
from atelier.providers.rings import Allowance
from atelier.stores.sqlite import SqliteStore

PAID = Terms(abort="provider_cannot_cancel", abort_billed="unknown", billed="yes", prices={"standard": 0.04})
OFFER = Offer(models=("m",), styles=(), aspect_ratios=("1:1",), qualities=("standard",), formats=("png",))

Trouble = Callable[[], AtelierError | None]
"""What happens at a call; None: a picture comes."""


def image_request(**fields: object) -> ImageRequest:
    values: dict[str, object] = {
        "prompt": "A hill",
        "negative_prompt": "",
        "style": None,
        "aspect_ratio": "1:1",
        "quality": "standard",
        "seed": None,
        "output_format": "png",
        "script": Script(),
        "attempt": 1,
        **fields,
    }
    return ImageRequest(**values)  # type: ignore[arg-type]


class Vendor:
    """`pipelines.ports.ImageProvider` with one key."""

    offer = OFFER

    def __init__(self, name: str, key: str, called: list[str], trouble: Trouble = lambda: None) -> None:
        self.terms = PAID
        self.name, self._key, self._called, self.trouble = name, key, called, trouble
        self.requests: list[ImageRequest] = []
        self.paint: Callable[[], bytes] = bytes

    async def generate(self, request: ImageRequest, desk: VendorDesk) -> GeneratedImage:  # noqa: ARG002
        self._called.append(self._key)
        self.requests.append(request)
        error = self.trouble()
        if error is not None:
            raise error
        seed = request.seed if request.seed is not None else 1
        return GeneratedImage(data=self.paint(), provider=self.name, model="m", seed=seed, cost=0.04)

    async def ping(self) -> None:
        """It is there."""

    async def close(self) -> None:
        """Nothing to let go of."""


class Desk(Noted):
    """`pipelines.ordering.OrderDesk` for a call without a job."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    @asynccontextmanager
    async def ordering(self, call: Call) -> AsyncIterator[None]:
        self.calls.append(call)
        yield


class Shop:
    """Pools on one store, as one process has them; time is the test's."""

    def __init__(self, store: SqliteStore, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self.rests, self.book = Rests(store, clock), HealthBook(store, clock)
        self.budgets = Budgets(store, clock, pause=self.pause)

    async def pause(self, duration: timedelta) -> None:
        self.clock.moment += duration

    def pool(
        self, *vendors: Vendor, buckets: tuple[str, ...] = (), rpm: int | None = 9
    ) -> KeyPool[ImageRequest, GeneratedImage, Offer]:
        """Return a pool of the vendors' keys, each in the bucket of its place or in its own; `a-new` is another key of alias `a`."""
        members = []
        for number, vendor in enumerate(vendors):
            bucket = buckets[number] if buckets else None
            quota = bucket or vendor._key
            key = Key(
                alias=f"alias-{vendor._key.partition('-')[0]}",
                fingerprint=fingerprint(vendor._key),
                bucket=bucket,
                quota=quota,
                allowance=Allowance(bucket=quota, starts=rpm) if rpm is not None else None,
                provider=vendor,
            )
            members.append(Member(key=key, source=Observed(vendor, self.book, key=key.alias)))
        return KeyPool(members=members, budgets=self.budgets, rests=self.rests, now=self.clock, pause=self.pause)
