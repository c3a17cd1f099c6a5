"""Front door A's wire for who can draw."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, Field

from atelier.api.images.schemas import Provider


class ProviderLimits(BaseModel):
    """How much a provider lets through."""

    requests_per_minute: int | None = Field(description="Null: as much as you like.")
    concurrent: int = Field(description="Pictures that are drawn at once by this service.")


class ProviderHealth(BaseModel):
    """How a provider has been lately."""

    state: Literal["idle", "ok", "rate_limited", "failing"] = Field(description="How the last call went.")
    succeeded_at: datetime | None
    failed_at: datetime | None
    failure: str | None = Field(description="The last failure's code.")


class KeyView(BaseModel):
    """How a provider's key is, by its alias. Until when it rests; null: it is well, or of no use until it is replaced."""

    alias: str
    bucket: str | None = Field(description="The quota it shares with other keys of this bucket; null: it has its own.")
    state: Literal["ok", "resting", "bad", "no_credit"]
    until: datetime | None
    why: str | None


class CancelTerms(BaseModel):
    """What a cancel achieves while this provider draws, as the receipt then says."""

    outcome: Literal[
        "dequeued", "aborted_before_send", "confirmed_by_provider", "provider_cannot_cancel", "too_late", "unknown"
    ]
    billed: Literal["no", "yes", "unknown"]


class ProviderView(BaseModel):
    """A provider that is configured here, and what may be asked of it."""

    name: Provider
    default: bool = Field(description="Whether it is asked first where no provider is named.")
    models: list[str]
    styles: list[str]
    aspect_ratios: list[str]
    qualities: list[str]
    output_formats: list[str]
    prices: dict[str, float] = Field(description="US dollars a picture, by quality.")
    prices_as_of: date | None = Field(description="The day of the price list; null: it costs nothing.")
    limits: ProviderLimits
    cancel: CancelTerms
    health: ProviderHealth
    keys: list[KeyView]


class ProviderList(BaseModel):
    """The configured providers, in the order they are tried."""

    providers: list[ProviderView]
