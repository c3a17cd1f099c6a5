"""Noise drawn on a fixed lattice and resampled, so that a draft and a final show the same clouds."""

from math import ceil

import numpy as np
from PIL import Image

from atelier.providers.painting.colour import Field

Size = tuple[int, int]
BASE = 320
SAMPLES = 4096
REACH = 1.3
SUMMITS = 2


def enlarge(field: Field, size: Size, box: tuple[float, float, float, float] | None = None) -> Field:
    """The field resampled smoothly to a size given as width and height."""
    image = Image.fromarray(np.ascontiguousarray(field, np.float32))
    return np.array(image.resize(size, Image.Resampling.BICUBIC, box=box), np.float32)


def fractal(
    rng: np.random.Generator,
    size: Size,
    extent: tuple[float, float],
    *,
    cells: tuple[float, float] = (3.0, 3.0),
    octaves: int = 5,
    gain: float = 0.5,
    creased: bool = False,
) -> Field:
    """Fractal noise about one half, a quarter its usual swing; creased noise has sharp ridges."""
    fine = min(BASE, max(size[0] / extent[0], size[1] / extent[1]) * 0.42)
    middle = (max(round(fine * extent[0]), 2), max(round(fine * extent[1]), 2))
    total = np.zeros((middle[1], middle[0]), np.float32)
    weight, power = 1.0, 0.0
    for octave in range(octaves):
        spread = (cells[0] * extent[0] * 2**octave, cells[1] * extent[1] * 2**octave)
        layer = _layer(rng, middle, spread)
        if octave and spread[0] > middle[0] and spread[1] > middle[1]:
            break
        if creased:
            layer = np.asarray(0.5 - 2.0 * np.abs(layer), np.float32)
        total += layer * weight
        power += weight * weight
        weight *= gain
    total *= 0.9 / np.sqrt(power)
    return enlarge(total + 0.5, size)


def _layer(rng: np.random.Generator, size: Size, spread: tuple[float, float]) -> Field:
    columns, rows = ceil(spread[0]) + 4, ceil(spread[1]) + 4
    lattice = rng.random((rows, columns), np.float32) - np.float32(0.5)
    return enlarge(lattice, size, (1.5, 1.5, 1.5 + spread[0], 1.5 + spread[1]))


def profile(
    rng: np.random.Generator, x: Field, *, cells: float, octaves: int = 6, gain: float = 0.5, peaked: bool = False
) -> Field:
    """A one-dimensional skyline between roughly minus one and one; a peaked one has sharp summits."""
    places = np.linspace(-REACH, REACH, SAMPLES)
    total = np.zeros(SAMPLES)
    weight = 1.0
    for octave in range(octaves):
        count = ceil(2 * REACH * cells * 2**octave) + 2
        spot = (places + REACH) * cells * 2**octave
        low = spot.astype(np.int64)
        ease = spot - low
        ease = ease * ease * (3.0 - 2.0 * ease) if octave < SUMMITS and not peaked else ease
        knots = rng.random(count + 1) * 2.0 - 1.0
        wave = knots[low] * (1.0 - ease) + knots[low + 1] * ease
        total += weight * (0.7 - 1.9 * np.abs(wave) if peaked and octave < SUMMITS else wave * (0.6 if peaked else 1.0))
        weight *= gain
    return np.interp(x, places, total).astype(np.float32)


def moved(field: Field, down: int, right: int) -> Field:
    """The field shifted by whole pixels, its edge repeated."""
    rows = np.clip(np.arange(field.shape[0]) - down, 0, field.shape[0] - 1)
    columns = np.clip(np.arange(field.shape[1]) - right, 0, field.shape[1] - 1)
    return field[rows][:, columns]
