"""The sandbox's painter: deterministic pictures composed from a commission without model or network."""

from atelier.providers.painting.commission import Commission, size_of, steps_of
from atelier.providers.painting.painter import paint
from atelier.providers.palette import ASPECT_RATIOS, STYLES

__all__ = ["ASPECT_RATIOS", "STYLES", "Commission", "paint", "size_of", "steps_of"]
