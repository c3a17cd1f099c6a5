"""Colour arithmetic: hexadecimal stops, gradients mixed in OKLab, grading of whole pictures."""

from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

# Finer than a screen tells apart, so that nobody sees the steps.
SHADES = 2048

_TO_LMS = np.array(
    ((0.4122, 0.5363, 0.0514), (0.2119, 0.6807, 0.1074), (0.0883, 0.2817, 0.63)),
    np.float64,
)
_TO_LAB = np.array(
    ((0.2105, 0.7936, -0.0041), (1.978, -2.4286, 0.4506), (0.0259, 0.7828, -0.8087)),
    np.float64,
)
_FROM_LMS = np.linalg.inv(_TO_LMS)
_FROM_LAB = np.linalg.inv(_TO_LAB)
_LUMA = np.array((0.299, 0.587, 0.114), np.float32)


def paint(code: str) -> Field:
    """The colour written as six hexadecimal digits."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)], np.float32)


def to_lab(rgb: Field) -> Field:
    """Display colours as OKLab, where mixing two colours stays clean."""
    linear = np.power(np.clip(rgb, 0.0, 1.0).astype(np.float64), 2.2)
    lab = np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T
    return np.asarray(lab, np.float32)


def from_lab(lab: Field) -> Field:
    """OKLab back to display colours, clipped to what a screen shows."""
    lms = (lab.astype(np.float64) @ _FROM_LAB.T) ** 3
    linear = np.clip(lms @ _FROM_LMS.T, 0.0, 1.0)
    return np.asarray(np.power(linear, 1 / 2.2), np.float32)


def mix(one: Field, other: Field, share: float) -> Field:
    """Two colours mixed in OKLab."""
    return from_lab(to_lab(one) * (1.0 - share) + to_lab(other) * share)


def turn(rgb: Field, degrees: float) -> Field:
    """The colours with their hue turned and their lightness kept."""
    lab = to_lab(rgb)
    angle = np.radians(degrees)
    a, b = lab[..., 1].copy(), lab[..., 2].copy()
    lab[..., 1] = a * np.cos(angle) - b * np.sin(angle)
    lab[..., 2] = a * np.sin(angle) + b * np.cos(angle)
    return from_lab(lab)


def gradient(stops: Sequence[Field], at: Field, places: Sequence[float] | None = None) -> Field:
    """The colour at each position of `at` along the stops, which are spread evenly unless placed."""
    lab = to_lab(np.stack(stops))
    where = np.linspace(0.0, 1.0, len(stops)) if places is None else places
    ramp = np.linspace(0.0, 1.0, SHADES)
    table = from_lab(np.stack([np.interp(ramp, where, lab[:, i]) for i in range(3)], axis=-1).astype(np.float32))
    spot = np.clip(at * np.float32(SHADES - 1) + np.float32(0.5), 0, SHADES - 1).astype(np.int32)
    return np.asarray(table.take(spot, axis=0), np.float32)


def luma(rgb: Field) -> Field:
    """Perceived brightness of each pixel."""
    return np.asarray(rgb @ _LUMA, np.float32)


def saturate(rgb: Field, amount: float) -> Field:
    """The picture with its colourfulness multiplied."""
    vivid = rgb * np.float32(amount)
    vivid += (luma(rgb) * np.float32(1.0 - amount))[..., None]
    return vivid


def curve(rgb: Field, strength: float) -> Field:
    """An S-curve: deeper shadows and brighter lights around the middle."""
    level = np.clip(rgb, 0.0, 1.0)
    bent = level * np.float32(-2.0 * strength)
    bent += np.float32(3.0 * strength)
    bent *= level
    bent += np.float32(1.0 - strength)
    bent *= level
    return bent


def exposed(values: Field, target: float) -> Field:
    """A dark picture lifted until its mean brightness nears the target; a bright one as it was."""
    mean = min(max(float(values[::4, ::4].mean()), 0.02), 0.98)
    gamma = min(max(log(target) / log(mean), 0.45), 1.0)
    lifted = np.maximum(values, np.float32(0.0))
    return np.power(lifted, np.float32(gamma), out=lifted)


def smooth(edge: float, other: float, value: Field) -> Field:
    """A soft step from nought at `edge` to one at `other`."""
    t = np.asarray(value - np.float32(edge), np.float32)
    t *= np.float32(1.0 / (other - edge))
    np.clip(t, 0.0, 1.0, out=t)
    ease = t * np.float32(-2.0)
    ease += np.float32(3.0)
    ease *= t
    ease *= t
    return ease


def split_tone(rgb: Field, shadows: str, lights: str, amount: float) -> Field:
    """The picture leaning towards one colour in its shadows and another in its lights."""
    level = np.clip(luma(rgb), 0.0, 1.0)[..., None]
    lean = paint(shadows) * (1.0 - level) + paint(lights) * level
    return np.asarray(rgb + (lean - 0.5) * amount, np.float32)
