"""A glimpse of a picture that is being made: a small JPEG straight from the latents, without the decoder."""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np
from PIL import Image

from atelier import media

STEPS_BETWEEN: Final = 5
"""Previews are at least so many steps apart, so that they never cost as much as the steps."""

SIDE: Final = 256
COLOURS: Final = np.array([(60, -60, 25, -70), (60, -5, 15, -50), (60, 10, -5, -35)], dtype=np.float32)
GREY: Final = np.array((150, 140, 130), dtype=np.float32)
"""What the four channels of SDXL's latents roughly are in red, green and blue; published in the library's documentation."""

SCALED: Final = 2.0
"""Schedulers that begin with more noise than this keep the latents scaled by it."""


class Previews:
    """Makes a preview where one is due; `seconds`: how far apart they come at least."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        glimpse(np.zeros((len(COLOURS[0]), 1, 1), dtype=np.float32))  # the first takes long, and belongs to no step
        self._steps, self._at = 0, time.monotonic()

    def after(self, pipeline: Any, latents: Any) -> bytes:  # noqa: ANN401 - the library is an optional part
        """Return a preview of what a step left, or nothing."""
        self._steps += 1
        if self._steps < STEPS_BETWEEN or time.monotonic() - self._at < self._seconds:
            return b""
        self._steps, self._at = 0, time.monotonic()
        return glimpse(latents[0].float().cpu().numpy() / _noise(pipeline.scheduler))


def glimpse(latents: np.ndarray[Any, np.dtype[np.float32]]) -> bytes:
    """Return latents, unscaled, as a JPEG of at most 256 pixels a side."""
    colours = np.einsum("chw,rc->hwr", latents, COLOURS) + GREY
    picture = Image.fromarray(np.nan_to_num(colours).clip(0, 255).astype(np.uint8))
    grow = SIDE / max(picture.size)
    size = (max(round(picture.width * grow), 1), max(round(picture.height * grow), 1))
    return media.encode(picture.resize(size, Image.Resampling.BICUBIC), "jpeg", quality=70)


def _noise(scheduler: Any) -> float:  # noqa: ANN401 - the same
    """Return by how much the latents are scaled at the scheduler's present step."""
    if float(scheduler.init_noise_sigma) <= SCALED:
        return 1.0
    sigma = float(scheduler.sigmas[scheduler.step_index])
    return float((sigma**2 + 1) ** 0.5)
