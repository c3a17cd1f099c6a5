"""Skies: gradient, sun and moon, clouds, stars, nebulae. The bare numbers are brushwork, judged by eye."""

import numpy as np

from atelier.providers.painting.canvas import Canvas, Point
from atelier.providers.painting.colour import Field, from_lab, gradient, mix, smooth, to_lab
from atelier.providers.painting.motif import Motif
from atelier.providers.painting.noise import enlarge, fractal, moved


def light_of(motif: Motif, extent: tuple[float, float], horizon: float) -> Point:
    """Where the sun or the moon stands, in units."""
    high = motif.palette.dark or motif.hour in {"day", "spring", "winter", "storm"}
    lift = motif.between("light height", 0.42, 0.66) if high else motif.between("light height", 0.10, 0.3)
    x = motif.between("light across", -0.34, 0.34) * extent[0]
    return x, horizon * (1.0 - lift)


def paint_sky(canvas: Canvas, motif: Motif, horizon: float) -> None:
    """The gradient from the zenith to the horizon, gently uneven."""
    frame = canvas.frame
    waver = fractal(motif.stream("sky"), (24, 48), frame.extent, cells=(1.2, 2.5), octaves=2) - 0.5
    height = frame.y / np.float32(horizon) + 0.10 * enlarge(waver, frame.size)
    places = (0.0, 0.36, 0.72, 1.0)
    canvas.rgb[...] = gradient(motif.palette.sky, height, places)


def paint_light(canvas: Canvas, motif: Motif, light: Point, *, disc: bool = True) -> None:
    """The glow around the sun or the moon, and its face."""
    frame, palette = canvas.frame, motif.palette
    far = frame.distance(light)
    strength = 0.5 if palette.dark else 0.8
    warm = palette.light if palette.dark else mix(palette.light, palette.sky[-1], 0.4)
    canvas.shine(np.exp(-far * 2.6) * np.float32(0.5 * strength), warm)
    canvas.shine(np.exp(-far * 9.0) * np.float32(0.75 * strength), palette.light)
    if disc:
        _paint_face(canvas, motif, light, far)


def _paint_face(canvas: Canvas, motif: Motif, light: Point, far: Field) -> None:
    frame, palette = canvas.frame, motif.palette
    radius = motif.between("light size", 0.045, 0.075) * (1.0 if palette.dark else 1.15)
    edge = 1.2 / frame.unit
    alpha = smooth(radius + edge, radius - edge, far)
    if not palette.dark:
        canvas.cover(alpha, palette.light)
        return
    if motif.chance("crescent", 0.4) and not motif.has("sun"):
        shadow = frame.distance((light[0] + radius * 0.55, light[1] - radius * 0.25))
        alpha = alpha * smooth(radius * 0.9 - edge, radius * 0.9 + 2 * edge, shadow)
    seas = fractal(motif.stream("moon"), frame.size, frame.extent, cells=(14, 14), octaves=3)
    canvas.cover(alpha * (0.99 - 0.2 * smooth(0.5, 0.75, seas)), palette.light)


def paint_stars(canvas: Canvas, motif: Motif, bottom: float, *, many: float = 1.0) -> None:
    """Stars of all magnitudes and the pale band of a galaxy, fading towards the horizon."""
    frame = canvas.frame
    rng = motif.stream("stars")
    if motif.chance("galaxy", 0.65):
        _paint_band(canvas, motif, bottom)
    count = int(420 * many * frame.extent[0] * bottom)
    for x, y, size, tone in rng.random((count, 4)):
        fade = 1.0 - 0.75 * y
        _dot(
            canvas,
            ((x - 0.5) * frame.extent[0], y * bottom),
            0.0011 + 0.0042 * size**9,
            fade * (0.35 + 0.65 * size),
            tone,
        )


def _dot(canvas: Canvas, at: Point, radius: float, strength: float, tone: float) -> None:
    frame = canvas.frame
    x, y = frame.pixel(at)
    reach = max(radius * frame.unit, 0.55)
    # A star smaller than a pixel is dimmer, not larger.
    strength *= min(1.0, (radius * frame.unit / reach) ** 0.7)
    half = int(reach * 2.5) + 1
    left, top = max(int(x) - half, 0), max(int(y) - half, 0)
    patch = canvas.rgb[top : int(y) + half + 1, left : int(x) + half + 1]
    rows = np.arange(top, top + patch.shape[0], dtype=np.float32)[:, None] + 0.5 - np.float32(y)
    columns = np.arange(left, left + patch.shape[1], dtype=np.float32)[None] + 0.5 - np.float32(x)
    light = np.exp(-(rows * rows + columns * columns) / np.float32(reach * reach)) * np.float32(strength)
    colour = np.array((0.82 + 0.18 * tone, 0.9, 1.0 - 0.2 * tone), np.float32)
    patch += (1.0 - np.minimum(patch, 1.0)) * light[..., None] * colour


def _paint_band(canvas: Canvas, motif: Motif, bottom: float) -> None:
    frame = canvas.frame
    tilt = motif.between("band tilt", -0.9, 0.9)
    cloud = fractal(motif.stream("band"), frame.size, frame.extent, cells=(3.0, 3.0), octaves=6, gain=0.6)
    offset = frame.y - np.float32(0.4 * bottom) - np.float32(tilt) * frame.x[None] + 0.3 * (cloud - 0.5)
    band = np.exp(-np.square(offset / 0.17)) * smooth(0.25, 0.85, cloud) * smooth(bottom * 1.05, bottom * 0.4, frame.y)
    canvas.shine(band * np.float32(0.5), mix(motif.palette.light, motif.palette.sky[-1], 0.55))


def paint_clouds(canvas: Canvas, motif: Motif, light: Point, horizon: float) -> None:
    """Clouds that lie flatter towards the horizon, lit from where the light stands."""
    frame, palette = canvas.frame, motif.palette
    stormy = motif.hour == "storm"
    cover = 0.95 if stormy else motif.between("cloudiness", 0.25, 0.7)
    rng = motif.stream("clouds")
    small = (max(frame.width // 2, 8), max(frame.height // 2, 8))
    sheet = fractal(rng, small, frame.extent, cells=(1.5, 3.2), octaves=6, gain=0.52)
    # Reading the sheet's rows ever faster lays the clouds down in perspective.
    height = np.clip(np.linspace(0.0, frame.extent[1], small[1]) / horizon, 0.0, 1.0)
    rows = np.clip((0.15 + 0.45 * height + 0.4 * height**2.5) * (small[1] - 1), 0, small[1] - 1).astype(np.int64)
    sheet = sheet[rows]
    lift = max(round(small[1] * 0.03), 1)
    lean = round(small[0] * 0.015 * (1 if light[0] > 0 else -1))
    lit = np.clip(0.5 + 2.6 * (sheet - moved(sheet, lift, lean)), 0.0, 1.0)
    dense = smooth(0.74 - 0.42 * cover, 1.02 - 0.32 * cover, sheet)
    fade = smooth(1.08, 0.7, np.asarray(height, np.float32))[:, None]
    _lay_clouds(
        canvas, enlarge(dense * fade * (0.9 if not palette.dark else 0.55), frame.size), enlarge(lit, frame.size), motif
    )


def _lay_clouds(canvas: Canvas, alpha: Field, lit: Field, motif: Motif) -> None:
    palette = motif.palette
    shade = mix(palette.sky[1], palette.far, 0.45)
    glow = mix(palette.sky[-1], palette.light, 0.6 if not palette.dark else 0.15)
    if palette.dark:
        shade = mix(palette.sky[0], palette.sky[1], 0.6)
        glow = mix(palette.sky[-2], palette.sky[-1], 0.6)
    canvas.cover(np.clip(alpha, 0.0, 1.0), gradient((shade, mix(shade, glow, 0.55), glow), lit))


def paint_nebula(canvas: Canvas, motif: Motif) -> None:
    """Glowing gas folded over itself, in the sky's and the accent's colours."""
    frame, palette = canvas.frame, motif.palette
    rng = motif.stream("nebula")
    folds = fractal(rng, frame.size, frame.extent, cells=(1.3, 1.3), octaves=6, gain=0.55)
    veins = fractal(rng, frame.size, frame.extent, cells=(2.0, 2.0), octaves=5, creased=True)
    tilt = motif.between("nebula tilt", -0.8, 0.8)
    ridge = frame.y - np.float32(frame.extent[1] * 0.45) - np.float32(tilt) * frame.x[None] + 0.7 * (folds - 0.5)
    gas = np.exp(-np.square(ridge / 0.3)) * smooth(0.2, 0.9, folds)
    canvas.shine(gas * 0.75, _vivid(palette.sky[-2]))
    canvas.shine(gas * smooth(0.45, 0.85, veins) * 0.7, _vivid(palette.accent))
    dust = smooth(0.55, 0.9, fractal(rng, frame.size, frame.extent, cells=(2.2, 2.2), octaves=5))
    canvas.cover(dust * gas * 0.6, palette.sky[0])


def _vivid(colour: Field) -> Field:
    """The colour as bright gas: its hue, a set lightness and a strong saturation."""
    lab = to_lab(colour)
    lab[1:] *= np.float32(0.15 / max(float(np.hypot(lab[1], lab[2])), 0.03))
    lab[0] = 0.68
    return mix(colour, from_lab(lab), 0.6)
