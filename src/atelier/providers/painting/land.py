# ruff: noqa: PLR2004
"""Land: mountain ranges, hills, dunes and the mist between. The bare numbers are brushwork, judged by eye."""

from dataclasses import dataclass, replace

import numpy as np

from atelier.providers.painting.canvas import Canvas, Frame, Point
from atelier.providers.painting.colour import Field, gradient, mix, paint, smooth
from atelier.providers.painting.motif import Motif
from atelier.providers.painting.noise import fractal, profile

NEAR = 0.4
HIDDEN = 0.3


@dataclass(frozen=True)
class Ridge:
    """One range of hills: where its crest runs and how it takes the light."""

    name: str
    base: float
    rise: float
    cells: float
    depth: float
    sharp: float = 0.5
    relief: float = 0.0
    snow: float = 0.0
    mist: float = 0.5
    peaked: bool = False


def crest(ridge: Ridge, motif: Motif, x: Field) -> Field:
    """The heights of a ridge's crest, in units from the top of the picture."""
    octaves = 7 if ridge.sharp > 0.4 else 3
    line = profile(
        motif.stream("ridge", ridge.name), x, cells=ridge.cells, octaves=octaves, gain=ridge.sharp, peaked=ridge.peaked
    )
    return np.asarray(ridge.base - ridge.rise * (0.5 + 0.5 * line), np.float32)


def paint_ridge(canvas: Canvas, motif: Motif, ridge: Ridge, light: Point) -> None:
    """A range in aerial perspective: hazier with distance, misty at the foot, lit from the light's side."""
    frame = canvas.frame
    line = crest(ridge, motif, frame.x)
    top = frame.row(float(line.min()) - 2 / frame.unit)
    # Nearer land hides whatever a distant range would be this far down.
    bottom = frame.row(ridge.base + HIDDEN) if ridge.depth > NEAR else frame.height
    below = frame.y[top:bottom] - line[None, :]
    alpha = np.clip(below * frame.unit + 0.5, 0.0, 1.0)
    fall = np.clip(below / np.float32(max(ridge.rise * 1.3, 0.1)), 0.0, 1.0)
    colour = gradient(_tones(motif, ridge), fall)
    if ridge.relief > 0:
        _carve(colour, below, motif, ridge, frame=frame, rows=slice(top, bottom), light=light)
    canvas.cover(alpha, colour, top=top, depth=ridge.depth)


def _tones(motif: Motif, ridge: Ridge) -> tuple[Field, Field, Field]:
    palette = motif.palette
    body = mix(palette.near, palette.far, ridge.depth**0.85)
    haze = mix(palette.far, palette.sky[-1], 0.30 + 0.45 * ridge.depth)
    foot = mix(body, haze, ridge.mist)
    return body, mix(body, foot, 0.45), foot


def _carve(colour: Field, below: Field, motif: Motif, ridge: Ridge, *, frame: Frame, rows: slice, light: Point) -> None:
    """Rock faces: every summit has a lit and a shadowed flank, and snow above its line."""
    palette = motif.palette
    cells = (4.5, 4.5) if ridge.peaked else (6.0, 6.0)
    rng = motif.stream("rock", ridge.name)
    rock = fractal(rng, frame.size, frame.extent, cells=cells, octaves=5, gain=0.58)[rows] - np.float32(0.5)
    drop = np.maximum(below, 0.0)
    # Spurs run down from each summit aslant; gullies between them cut finer and steeper.
    spur = np.asarray(frame.x[None] + rock * (0.02 + 0.45 * drop) + 0.30 * drop, np.float32)
    gully = np.asarray(frame.x[None] + rock * (0.02 + 0.6 * drop) - 0.45 * drop, np.float32)
    shade = 0.66 * _flanks(motif, ridge, spur, light) + 0.34 * _flanks(motif, _gullies(ridge), gully, light)
    fade = np.exp(-drop / np.float32(ridge.rise * (1.3 if ridge.peaked else 0.6))) * np.float32(ridge.relief)
    lit = (0.5 - shade + 0.9 * rock) * fade
    if ridge.snow > 0:
        line = np.float32(ridge.rise * ridge.snow) * (1.0 + 3.4 * rock) + 0.09 * (0.5 - shade)
        white = smooth(0.012, -0.012, np.asarray(drop - line, np.float32)) * np.float32(0.95 - 0.35 * ridge.depth)
        bright = mix(palette.light, palette.sky[-2], 0.42 if palette.dark else 0.06)
        dim = mix(mix(palette.sky[1], palette.far, 0.5), bright, 0.12)
        colour += (gradient((bright, bright, dim, dim), 0.5 - lit * 1.2) - colour) * white[..., None]
    colour += (palette.light - colour) * (np.maximum(lit, 0.0) * (0.28 if palette.dark else 0.5))[..., None]
    colour += (mix(palette.near, palette.sky[0], 0.4) - colour) * (np.maximum(-lit, 0.0) * 0.75)[..., None]


def _gullies(ridge: Ridge) -> Ridge:
    return replace(ridge, name=ridge.name + " gullies", cells=ridge.cells * 3.5, rise=ridge.rise * 0.4)


def _flanks(motif: Motif, ridge: Ridge, place: Field, light: Point) -> Field:
    """Nought where a flank faces the light, one where it turns away, by the slope of the crest above."""
    spots = np.linspace(-1.4, 1.4, 600, dtype=np.float32)
    line = crest(ridge, motif, spots)
    broad = np.convolve(line, np.full(11, 1 / 11), mode="same")
    slope = np.gradient(broad) * (600 / 2.8) * (-1.0 if light[0] > 0 else 1.0)
    turned = np.clip(0.5 + 2.2 * slope, 0.0, 1.0).astype(np.float32)
    at = np.clip((place + 1.4) / 2.8 * 599, 0, 599).astype(np.int32)
    return np.asarray(turned[at], np.float32)


def paint_mist(canvas: Canvas, motif: Motif, name: str, *, y: float, thick: float, strength: float) -> None:
    """A bank of mist lying across the picture."""
    frame = canvas.frame
    top, bottom = frame.row(y - 3 * thick), frame.row(y + 3 * thick)
    if bottom - top < 2:
        return
    drift = fractal(motif.stream("mist", name), frame.size, frame.extent, cells=(1.6, 5.0), octaves=4)[top:bottom]
    rows = (frame.y[top:bottom] - np.float32(y)) / np.float32(thick)
    bank = np.exp(-np.square(rows + 1.6 * (drift - 0.5))) * (0.35 + 0.9 * drift) * np.float32(strength)
    canvas.cover(np.clip(bank, 0.0, 1.0), mix(motif.palette.sky[-1], motif.palette.far, 0.3), top=top)


def paint_hill(canvas: Canvas, motif: Motif, ridge: Ridge, tones: tuple[Field, ...], furrow: float = 0.0) -> None:
    """A soft hill of meadow or ploughland, lighter along its crest, textured towards the viewer."""
    frame = canvas.frame
    line = crest(ridge, motif, frame.x)
    top = frame.row(float(line.min()) - 2 / frame.unit)
    below = frame.y[top:] - line[None, :]
    alpha = np.clip(below * frame.unit + 0.5, 0.0, 1.0)
    grain = fractal(motif.stream("grass", ridge.name), frame.size, frame.extent, cells=(7.0, 26.0), octaves=4)[top:]
    place = below / np.float32(0.45) + (grain - 0.5) * np.float32(0.35)
    if furrow > 0:
        lean = motif.between("furrow" + ridge.name, -1.5, 1.5)
        rows = np.sin((frame.x[None] * (1.0 + 1.5 * below) + lean * below) * np.float32(furrow))
        place = place + 0.09 * rows * smooth(0.0, 0.12, below)
    canvas.cover(alpha, gradient(tones, place), top=top, depth=ridge.depth)


def paint_dune(canvas: Canvas, motif: Motif, ridge: Ridge, light: Point) -> None:
    """A dune whose crest winds down towards the viewer, its lee in shadow, rippled by the wind."""
    frame, palette = canvas.frame, motif.palette
    line = crest(ridge, motif, frame.x)
    top = frame.row(float(line.min()) - 2 / frame.unit)
    below = frame.y[top:] - line[None, :]
    alpha = np.clip(below * frame.unit + 0.5, 0.0, 1.0)
    sway = (
        fractal(motif.stream("flank", ridge.name), frame.size, frame.extent, cells=(1.5, 2.2), octaves=3, gain=0.35)[
            top:
        ]
        - 0.5
    )
    drop = np.maximum(below, 0.0)
    lee = smooth(0.45, 0.55, _flanks(motif, ridge, frame.x[None] + 0.5 * drop + 0.55 * sway * drop**0.5, light))
    lee = lee * smooth(ridge.rise * 2.6, ridge.rise * 0.4, drop + 0.1 * sway)
    ripple = np.sin((drop * 0.8 + 0.16 * sway + 0.12 * frame.x[None] * drop) * np.float32(330.0 * (1.35 - ridge.depth)))
    sand, dark = _sands(motif, ridge)
    tone = 0.12 + 0.66 * lee + 0.5 * np.clip(drop, 0.0, 0.6) - 0.5 * sway * smooth(0.0, 0.2, drop)
    tone += 0.03 * ripple * smooth(0.015, 0.2, drop) * (1.0 - lee)
    rim = np.exp(-drop * 55.0) * 0.12 * (1.0 - lee)
    canvas.cover(alpha, gradient((mix(sand, palette.light, 0.4), sand, dark), tone - rim), top=top, depth=ridge.depth)


def _sands(motif: Motif, ridge: Ridge) -> tuple[Field, Field]:
    """The lit and the shadowed colour of sand at a dune's distance."""
    palette = motif.palette
    gold = mix(paint("e9b572"), mix(palette.sky[-1], palette.accent, 0.35), 0.4)
    sand = mix(gold, palette.far, 0.5 * ridge.depth)
    dark = mix(mix(mix(palette.near, paint("9a5a34"), 0.55), gold, 0.15), palette.far, 0.55 * ridge.depth)
    if palette.dark:
        return mix(sand, palette.sky[2], 0.45), mix(dark, palette.near, 0.55)
    return sand, dark
