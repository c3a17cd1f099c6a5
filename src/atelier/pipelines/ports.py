"""What pipelines ask of the world: providers that make pictures, storage that keeps them, a spool that saves money."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from datetime import date, datetime, timedelta
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from atelier.frozen import frozen
from atelier.jobs.models import Billed, Json, Outcome
from atelier.media import Content, Format
from atelier.pipelines.keys import KeyReport

Scenario = Literal[
    "ok",
    "noop",
    "slow",
    "rate_limited_then_ok",
    "provider_down_then_ok",
    "refused",
    "garbage",
    "stall",
    "worker_lost",
]


class Script(BaseModel):
    """Scripted trouble for the sandbox: what happens, and for `slow` how many seconds it lasts."""

    model_config = ConfigDict(frozen=True)

    scenario: Scenario = "ok"
    seconds: float = 5.0


@frozen
class Reference:
    """A picture whose style the new one shall have."""

    data: bytes
    media_type: str


@frozen
class Asked:
    """What every order says, whatever is ordered. `attempt` counts from 1.

    `order_id` names an order that an earlier attempt placed, with the provider and key of these names: it is waited for,
    and nothing is ordered. Only providers whose terms say `reattaches` are given one. `avoid` names providers whose
    products were useless. `owner` is on whose behalf it is made: it decides whose key is used, and no vendor is told. `until`
    is when it must be there; `patience` bounds a single provider's time, None: it has its own.
    """

    script: Script
    attempt: int
    owner: str = ""
    order_id: str | None = None
    placed_with: str = ""
    placed_key: str = ""
    avoid: frozenset[str] = frozenset()
    until: datetime | None = None
    patience: timedelta | None = None


@frozen
class Made:
    """What every product says of itself. Cost in US dollars.

    `provider` made it: in a chain the one that did. `warnings` are sentences for the caller: what was mapped to something
    near it, who was passed over.
    """

    provider: str
    model: str
    cost: float
    warnings: tuple[str, ...] = ()


@frozen
class ImageRequest(Asked):
    """A picture to make. `seed` None lets the provider choose. `again`: the picture before this was useless.

    `refine`: a second model shall finish it, where the provider has one (its offer says).
    """

    prompt: str
    negative_prompt: str
    style: str | None
    aspect_ratio: str
    quality: str
    seed: int | None
    output_format: Format
    again: bool = False
    refine: bool = False
    reference: Reference | None = None


BASE_MODEL, REFINER_MODEL = "base_model", "refiner_model"
"""Who takes turns at a picture that is refined."""


@frozen
class StepReport:
    """A provider's step: its number of how many, and a small JPEG of the picture so far where there is one.

    Where models take turns at a picture, `part` names the one at work, with the step's number of how many of its own.
    """

    step: int
    total: int
    preview: bytes | None
    part: str = ""
    part_step: int = 0
    part_total: int = 0


class Desk(Protocol):
    """Where a provider says how its call is getting on."""

    def step(self, step: StepReport) -> None:
        """Take a step as it happens. Never waits."""

    def queued(self, position: int | None, wait: timedelta | None) -> None:
        """Take the order's place in the provider's own queue and the wait, as far as they are told. Never waits."""

    async def placed(self, order_id: str) -> None:
        """Keep the provider's name of the order; it is durable when this returns. Called before waiting for the picture."""


@frozen
class GeneratedImage(Made):
    """A picture as a provider sent it: its bytes, not decoded.

    `shared`: the same bytes for everybody, stored once. `seed` None: the provider does not tell.
    """

    data: bytes
    seed: int | None
    shared: bool = False


@frozen
class Terms:
    """What is true of a provider when a call is cancelled: what then happens, and whether calls cost money.

    `prices` are its list prices by quality, in US dollars a picture, as they were on `prices_as_of`; every quality it
    draws is named. `reattaches`: an order placed by an earlier attempt can be waited for again.
    """

    abort: Outcome
    abort_billed: Billed
    billed: Billed
    prices: Mapping[str, float]
    prices_as_of: date | None = None
    reattaches: bool = False


@frozen
class Offered:
    """What every provider offers: its models, and how often they may be asked. `per_minute` None: as often as you like."""

    models: tuple[str, ...]
    per_minute: int | None = None


@frozen
class Offer(Offered):
    """What a provider draws: what may be asked of its models.

    `steps`: in how many it draws, by quality, where it tells of each. `refines`: it has a second model that finishes pictures.
    `at_once`: how many pictures it draws at a time; None: as many as it is asked for. `references`: it takes one for the style.
    """

    styles: tuple[str, ...]
    aspect_ratios: tuple[str, ...]
    qualities: tuple[str, ...]
    formats: tuple[Format, ...]
    references: bool = False
    steps: Mapping[str, int] = field(default_factory=dict)
    refines: bool = False
    at_once: int | None = None


AskedT = TypeVar("AskedT", bound=Asked)
AskedT_contra = TypeVar("AskedT_contra", bound=Asked, contravariant=True)
MadeT = TypeVar("MadeT", bound=Made)
MadeT_co = TypeVar("MadeT_co", bound=Made, covariant=True)
OfferT = TypeVar("OfferT", bound=Offered)


State = Literal["idle", "ok", "rate_limited", "failing"]


@frozen
class Health:
    """How the last call went (`idle`: there was none), and when calls last succeeded and failed."""

    state: State = "idle"
    succeeded_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str | None = None
    """The last failure's code."""


class Provider(Protocol[AskedT_contra, MadeT_co, OfferT]):
    """Makes what is asked. Errors are ProviderError and its kin; cancelling the call aborts it."""

    name: str
    terms: Terms
    offer: OfferT

    async def generate(self, request: AskedT_contra, desk: Desk) -> MadeT_co:
        """Return what was made as the provider sent it, not yet checked. Raises ProviderRefused where it will not make this."""

    async def ping(self) -> None:
        """Answer if something could be ordered now, with these credentials; nothing is. Raises ProviderError."""

    async def close(self) -> None:
        """Let go of connections and processes."""


ImageProvider = Provider[ImageRequest, GeneratedImage, Offer]
"""Makes pictures: their bytes as they came, not decoded."""


class ListedProvider(Protocol):
    """A configured provider as callers are told of it."""

    name: str
    terms: Terms
    offer: Offer

    async def health(self) -> Health:
        """Return how its calls went lately, in all processes."""

    async def keys(self) -> tuple[KeyReport, ...]:
        """Return how its keys are; none where it needs none."""


@frozen
class Stored:
    """Where a picture and its thumbnail are: an absolute URL, or a path below the service's own address."""

    location: str
    thumbnail: str


class Storage(Protocol):
    """Keeps pictures for good under unguessable names. Raises StorageError; saving the same bytes twice is harmless."""

    async def save(self, job_id: str, number: int, content: Content, *, alt: str, shared: bool) -> Stored:
        """Keep a job's picture and make its thumbnail. `alt` describes it, where the storage keeps descriptions."""

    async def save_preview(self, job_id: str, step: int, data: bytes) -> str | None:
        """Keep a small JPEG for as long as the job runs; its location, None where the storage keeps no previews."""

    async def drop_previews(self, job_id: str) -> None:
        """Forget a job's previews."""

    async def remove(self, job_id: str) -> None:
        """Remove a job's pictures and previews. Harmless where there are none."""

    async def expire(self, before: datetime) -> int:
        """Remove pictures saved before a moment, some of them if there are very many; how many files that were."""

    async def expire_previews(self, before: datetime) -> int:
        """Remove previews saved before a moment; how many that were."""

    async def ping(self) -> None:
        """Answer if pictures can be saved now."""


class Spool(Protocol):
    """Holds bytes that were made until they are stored, so that nothing is made twice. Raises StorageError."""

    async def keep(self, job_id: str, number: int, data: bytes, note: Json) -> None:
        """Keep bytes and what is known of them, over older ones of that number; they survive a crash of the process."""

    async def read(self, job_id: str, number: int) -> tuple[bytes, Json] | None:
        """Return the bytes and their note; None where this machine does not have them."""

    async def drop(self, job_id: str, number: int) -> None:
        """Forget the bytes."""

    async def ping(self) -> None:
        """Keep, read and forget a few bytes."""

    async def expire(self, before: datetime, over: Callable[[str], Awaitable[bool]]) -> int:
        """Forget bytes kept before a moment, of jobs that are `over`; how many pictures' that were."""
