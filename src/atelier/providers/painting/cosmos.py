# ruff: noqa: PLR2004
"""Planets and pure shapes: worlds with rings and weather, and compositions of discs, arcs and bars."""

from math import cos, sin

import numpy as np

from atelier.providers.painting.canvas import Canvas, Frame, Point, Stencil
from atelier.providers.painting.colour import Field, gradient, mix, smooth, turn
from atelier.providers.painting.motif import Motif
from atelier.providers.painting.noise import fractal, moved


def paint_planet(canvas: Canvas, motif: Motif, name: str, *, at: Point, radius: float, ring: bool) -> None:
    """A world lit from one side, with banded or clouded weather, an atmosphere and perhaps a ring."""
    frame = canvas.frame
    reach = radius * (2.35 if ring else 1.45)
    (left, top), (right, bottom) = (frame.pixel((at[0] + side * reach, at[1] + side * reach)) for side in (-1, 1))
    part = np.s_[max(int(top), 0) : max(int(bottom), 0), max(int(left), 0) : max(int(right), 0)]
    piece = canvas.part(*part)
    x = (frame.x[None, part[1]] - np.float32(at[0])) / np.float32(radius)
    y = (frame.y[part[0]] - np.float32(at[1])) / np.float32(radius)
    if not x.size or not y.size:
        return
    tones = _world(motif, name)
    halo = np.exp(-np.maximum(np.hypot(x, y) - 1.0, 0.0) * 12.0) * smooth(0.9, -0.7, x * 0.62 + y * 0.48)
    halo *= smooth(1.42, 1.2, np.hypot(x, y)) * np.float32(0.4)
    piece.shine(halo, mix(tones[-1], motif.palette.sky[-1], 0.4))
    if ring:
        _paint_ring(piece, motif, name, x, y, front=False)
    _paint_globe(piece, motif, tones, _weather(frame, motif, name, x=x, y=y, radius=radius), x, y=y)
    if ring:
        _paint_ring(piece, motif, name, x, y, front=True)


def _paint_globe(piece: Canvas, motif: Motif, tones: tuple[Field, ...], weather: Field, x: Field, *, y: Field) -> None:
    """The ball itself: its ground by day, its rim of air, its night."""
    far = np.hypot(x, y)
    deep = np.sqrt(np.maximum(1.0 - far * far, 0.0))
    facing = x * -0.62 + y * -0.48 + deep * 0.62
    day = smooth(-0.12, 0.95, np.asarray(facing, np.float32))
    lit = gradient(tones, weather) * (0.04 + 1.05 * day)[..., None]
    rim = (1.0 - deep) ** 3 * (0.15 + day)
    lit += rim[..., None] * mix(tones[-1], motif.palette.light, 0.4) * 0.6
    edge = float(abs(x[0, -1] - x[0, 0])) / x.shape[1] * 1.2
    piece.cover(smooth(1.0 + edge, 1.0 - edge, far), np.clip(lit, 0.0, 1.0), depth=0.45)


def _world(motif: Motif, name: str) -> tuple[Field, ...]:
    palette = motif.palette
    turned = motif.between("world" + name, -70, 70)
    base = turn(mix(palette.accent, palette.sky[-1], 0.35), turned)
    return mix(base, palette.near, 0.6), base, mix(base, palette.light, 0.55), mix(turn(base, 40), palette.light, 0.3)


def _weather(frame: Frame, motif: Motif, name: str, *, x: Field, y: Field, radius: float) -> Field:
    rng = motif.stream("weather", name)
    banded = rng.random() < 0.6
    side = max(round(2.4 * radius * frame.unit), 8)
    sheet = fractal(rng, (side, side), (1.0, 1.0), cells=(2.6, 2.6), octaves=6, gain=0.55)
    rows, columns = (np.clip((part / 2.4 + 0.5) * side, 0, side - 1).astype(np.int32) for part in (y, x))
    storm = sheet[rows, columns]
    if not banded:
        return np.asarray(np.clip((storm - 0.15) * 1.4, 0.0, 1.0), np.float32)
    tilt = float(rng.uniform(-0.5, 0.5))
    latitude = y + tilt * x + 0.22 * (storm - 0.5)
    bands = 0.5 + 0.32 * np.sin(latitude * 9.0) + 0.2 * np.sin(latitude * 23.0 + 1.0) + 0.35 * (storm - 0.5)
    return np.asarray(np.clip(bands, 0.0, 1.0), np.float32)


def _paint_ring(canvas: Canvas, motif: Motif, name: str, x: Field, y: Field, *, front: bool) -> None:
    tilt = motif.between("ring" + name, -0.5, 0.5)
    along, across = x * cos(tilt) + y * sin(tilt), (y * cos(tilt) - x * sin(tilt)) / np.float32(0.26)
    far = np.hypot(along, across)
    grooves = np.interp(far, np.linspace(1.3, 2.3, 90), motif.stream("grooves", name).uniform(0.25, 1.0, 90))
    band = smooth(1.3, 1.36, far) * smooth(2.28, 2.2, far) * grooves * np.where((across > 0) == front, 1.0, 0.0)
    colour = mix(motif.palette.light, motif.palette.accent, 0.35)
    canvas.cover(np.asarray(band, np.float32) * np.float32(0.8), colour)


def paint_ground(canvas: Canvas, motif: Motif) -> None:
    """A wall of light for shapes to hang on: a soft diagonal wash with the tooth of plaster."""
    frame, palette = canvas.frame, motif.palette
    tooth = fractal(motif.stream("plaster"), frame.size, frame.extent, cells=(5.0, 5.0), octaves=5, gain=0.65) - 0.5
    place = (
        0.5
        + 0.35 * frame.x[None] / np.float32(frame.extent[0])
        + 0.5 * (frame.y / np.float32(frame.extent[1]) - 0.5)
        + 0.10 * tooth
    )
    pale = mix(palette.sky[-1], palette.light, 0.5)
    canvas.rgb[...] = gradient((pale, mix(pale, palette.sky[-2], 0.35), mix(pale, palette.sky[-2], 0.8)), place)


def _hues(motif: Motif) -> list[Field]:
    palette = motif.palette
    hues = [
        palette.accent,
        palette.near,
        palette.sky[0],
        palette.sky[1],
        turn(palette.accent, 60),
        mix(palette.far, palette.accent, 0.3),
        turn(palette.sky[1], -40),
    ]
    return [hues[i] for i in motif.stream("hues").permutation(len(hues))]


def paint_discs(canvas: Canvas, motif: Motif) -> None:
    """Two or three great discs, shaded as if cut from card."""
    rng, frame, hues = motif.stream("discs"), canvas.frame, _hues(motif)
    for index in range(int(rng.integers(2, 4))):
        at = (rng.uniform(-0.3, 0.3) * frame.extent[0], rng.uniform(0.25, 0.7) * frame.extent[1])
        radius = (0.36, 0.22, 0.13)[index] * rng.uniform(0.8, 1.15)
        _cut(canvas, frame.distance(at) - np.float32(radius), hues[index], depth=0.8 - 0.15 * index)


def _cut(canvas: Canvas, outside: Field, colour: Field, *, depth: float) -> None:
    """Lay a shape down with a soft shadow; `outside` is the distance past its edge in units."""
    frame = canvas.frame
    near = outside < 0.1  # as far as the shadow reaches
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    if not rows.size:
        return
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    outside, strip, far = outside[part], canvas.rgb[part], canvas.depth[part]
    shift = max(round(frame.unit * 0.012), 1)
    shadow = moved(np.exp(-np.maximum(outside, 0.0) * 38.0), shift, shift) * np.float32(0.32)
    strip += (colour * 0.2 - strip) * shadow[..., None]
    shade = 1.14 - 0.2 * (frame.y[part[0]] / np.float32(frame.extent[1])) - 0.1 * frame.x[None, part[1]]
    alpha = np.clip(0.5 - outside * frame.unit, 0.0, 1.0)
    strip += (np.minimum(colour * shade[..., None], 1.0) - strip) * alpha[..., None]
    far += (np.float32(depth) - far) * alpha


def paint_arcs(canvas: Canvas, motif: Motif) -> None:
    """Rainbows of concentric arcs standing on a line."""
    rng, frame, hues = motif.stream("arcs"), canvas.frame, _hues(motif)
    at = (rng.uniform(-0.28, 0.28) * frame.extent[0], rng.uniform(0.6, 0.85) * frame.extent[1])
    far, under = frame.distance(at), frame.y - np.float32(at[1])
    width = rng.uniform(0.035, 0.06)
    for index in range(int(rng.integers(4, 6))):
        radius = 0.34 - index * width * 1.05
        ring = np.abs(far - np.float32(radius)) - np.float32(width * 0.46)
        _cut(canvas, np.maximum(ring, under), hues[(index + 2) % len(hues)], depth=0.5 - 0.02 * index)


def paint_bars(canvas: Canvas, motif: Motif) -> None:
    """A table's edge, leaning bars and a few small balls."""
    rng, frame, hues = motif.stream("bars"), canvas.frame, _hues(motif)
    ground = float(rng.uniform(0.74, 0.86)) * frame.extent[1]
    _cut(canvas, ground - frame.y + 0.0 * frame.x[None], mix(hues[3], motif.palette.near, 0.35), depth=0.35)
    for index in range(3):
        angle, across = rng.uniform(-0.9, 0.9), rng.uniform(-0.42, 0.42) * frame.extent[0]
        x, y = frame.x[None] - np.float32(across), frame.y - np.float32(ground - 0.17)
        along, side = x * sin(angle) + y * cos(angle), x * cos(angle) - y * sin(angle)
        bar = np.maximum(
            np.abs(along) - np.float32(rng.uniform(0.12, 0.3)), np.abs(side) - np.float32(rng.uniform(0.008, 0.02))
        )
        _cut(canvas, np.asarray(bar, np.float32), hues[(index + 5) % len(hues)], depth=0.25)
    for _ in range(5):
        radius = rng.uniform(0.018, 0.05)
        at = (rng.uniform(-0.45, 0.45) * frame.extent[0], ground - radius * rng.choice((1.0, 1.0, 4.0)))
        _cut(canvas, frame.distance(at) - np.float32(radius), hues[int(rng.integers(len(hues)))], depth=0.15)


def paint_threads(canvas: Canvas, motif: Motif) -> None:
    """Fine lines and a dotted grid that tie the shapes together."""
    rng, frame = motif.stream("threads"), canvas.frame
    stencil = Stencil(frame, finer=2)
    for _ in range(3):
        start = (rng.uniform(-0.5, 0.5) * frame.extent[0], rng.uniform(0, 0.4) * frame.extent[1])
        end = (rng.uniform(-0.5, 0.5) * frame.extent[0], rng.uniform(0.6, 1.0) * frame.extent[1])
        stencil.line([start, end], 0.0025)
    left, top = rng.uniform(-0.45, 0.2) * frame.extent[0], rng.uniform(0.06, 0.5) * frame.extent[1]
    for row in range(6):
        for column in range(6):
            stencil.disc((left + column * 0.028, top + row * 0.028), 0.0042)
    canvas.cover(stencil.mask * np.float32(0.85), motif.palette.near)
