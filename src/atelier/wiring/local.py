"""Who draws on this machine, from the settings alone."""

from __future__ import annotations

from datetime import timedelta

from atelier.errors import StartRefused
from atelier.pipelines.ports import ImageProvider
from atelier.providers.diffusers.provider import MODEL, REFINER, Diffusers, missing
from atelier.settings import PREFIX, Settings


def diffusers(settings: Settings) -> ImageProvider:
    """Make what draws with models of its own. Raises StartRefused where its libraries or its directories are missing."""
    own = settings.providers.diffusers
    model = own.model or MODEL
    refiner = "" if own.refiner == "none" or (own.model and not own.refiner) else own.refiner or REFINER
    lacking = missing(model, refiner)
    if lacking is not None:
        raise StartRefused(f"{PREFIX}IMAGE_PROVIDERS names diffusers. {lacking}")
    timeout = timedelta(seconds=own.timeout_seconds)
    return Diffusers(model=model, refiner=refiner, device=own.device, dtype=own.dtype, steps=own.steps, timeout=timeout)
