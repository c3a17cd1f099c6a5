"""Who can draw, as front door A says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from atelier.api.images.schemas import ProviderHealth, ProviderLimits, ProviderList, ProviderView
from atelier.pipelines.ports import ObservedProvider


def to_providers(providers: Mapping[str, ObservedProvider], slots: int) -> ProviderList:
    """Return who can draw, the first as the default."""
    return ProviderList(providers=[_provider(each, slots, n == 0) for n, each in enumerate(providers.values())])


def _provider(provider: ObservedProvider, slots: int, default: bool) -> ProviderView:  # noqa: FBT001 - private
    offer = provider.offer
    return ProviderView.model_validate(
        {
            "name": provider.name,
            "default": default,
            "models": offer.models,
            "styles": offer.styles,
            "aspect_ratios": offer.aspect_ratios,
            "qualities": offer.qualities,
            "output_formats": offer.formats,
            "prices": provider.terms.prices,
            "prices_as_of": provider.terms.prices_as_of,
            "limits": ProviderLimits(requests_per_minute=offer.per_minute, concurrent=slots),
            "health": ProviderHealth.model_validate(provider.health, from_attributes=True),
        }
    )
