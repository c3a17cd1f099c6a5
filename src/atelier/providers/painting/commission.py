"""What is asked of the painter: the commission, its size, its steps and its private randomness."""

import hashlib
import json
from math import sqrt
from typing import Final

import numpy as np

from atelier.frozen import frozen
from atelier.providers.palette import ASPECT_RATIOS, STEPS, STYLES

PIXELS: Final = {"draft": 300_000, "standard": 1_050_000, "high": 1_800_000, "ultra": 3_000_000}
GRID: Final = 8
LARGEST_SEED: Final = 4_294_967_294


@frozen
class Commission:
    """One picture to paint: equal commissions give equal pixels."""

    prompt: str
    negative_prompt: str = ""
    style: str | None = None
    aspect_ratio: str = "1:1"
    quality: str = "standard"
    seed: int = 0

    def __post_init__(self) -> None:
        _known("style", self.style, (None, *STYLES))
        _known("aspect ratio", self.aspect_ratio, ASPECT_RATIOS)
        _known("quality", self.quality, tuple(PIXELS))
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ValueError(f"seed must lie between 0 and {LARGEST_SEED}")

    def stream(self, *names: str) -> np.random.Generator:
        """A fresh generator for one part of the picture, the same at every quality, ratio and style."""
        fields = json.dumps((self.prompt, self.negative_prompt, self.seed, *names))
        digest = hashlib.blake2b(fields.encode(), digest_size=16).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest)))


def _known(what: str, value: str | None, allowed: tuple[str | None, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"unknown {what}: {value!r}")


def ratio_of(commission: Commission) -> tuple[int, int]:
    """The two numbers of the aspect ratio, width first."""
    across, down = commission.aspect_ratio.split(":")
    return int(across), int(down)


def size_of(commission: Commission) -> tuple[int, int]:
    """Width and height in pixels: multiples of eight, true to the ratio within one per cent."""
    across, down = ratio_of(commission)
    ideal = sqrt(PIXELS[commission.quality] * down / across)
    middle = round(ideal / GRID)
    heights = [GRID * (middle + offset) for offset in (0, -1, 1, -2, 2, -3, 3, -4, 4)]
    sizes = [(GRID * round(height * across / down / GRID), height) for height in heights]
    return min(sizes, key=lambda size: _unfaithfulness(size, across / down, ideal))


def _unfaithfulness(size: tuple[int, int], ratio: float, height: float) -> float:
    # Straying from the ratio counts far more than straying from the area.
    return 4.0 * abs(size[0] / size[1] / ratio - 1.0) + 0.1 * abs(size[1] / height - 1.0)


def steps_of(commission: Commission) -> int:
    """How many canvases painting this commission yields."""
    return STEPS[commission.quality]
