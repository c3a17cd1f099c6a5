"""Who can draw, as front door A says it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from atelier.api.images.provider_schemas import (
    CancelTerms,
    KeyView,
    ProviderHealth,
    ProviderLimits,
    ProviderList,
    ProviderView,
)
from atelier.pipelines.keys import KeyReport
from atelier.pipelines.ports import Health, ListedProvider

Report = tuple[ListedProvider, Health, tuple[KeyReport, ...]]
"""A provider, how its calls went, and how its keys are."""


def to_providers(reports: Sequence[Report], slots: int) -> ProviderList:
    """Return who can draw, in the order they are asked."""
    return ProviderList(providers=[_provider(report, slots, n == 0) for n, report in enumerate(reports)])


def _provider(report: Report, slots: int, default: bool) -> ProviderView:  # noqa: FBT001 - private
    provider, health, keys = report
    offer, terms = provider.offer, provider.terms
    return ProviderView.model_validate(
        {
            "name": provider.name,
            "default": default,
            "models": offer.models,
            "styles": offer.styles,
            "aspect_ratios": offer.aspect_ratios,
            "qualities": offer.qualities,
            "output_formats": offer.formats,
            "prices": terms.prices,
            "prices_as_of": terms.prices_as_of,
            "limits": ProviderLimits(
                requests_per_minute=offer.per_minute, concurrent=min(slots, offer.at_once or slots)
            ),
            "cancel": CancelTerms(outcome=terms.abort, billed=terms.abort_billed),
            "health": ProviderHealth.model_validate(health, from_attributes=True),
            "keys": [KeyView.model_validate(key, from_attributes=True) for key in keys],
        }
    )
