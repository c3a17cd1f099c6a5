# ruff: noqa: PLR2004
"""The scene as a model on a table: heights and colours of a square of land, for the sculpted styles."""

import numpy as np

from atelier.providers.painting.colour import Field, gradient, mix, paint, smooth
from atelier.providers.painting.motif import Motif
from atelier.providers.painting.noise import fractal

SEA_LEVEL = 0.16


def _ground(motif: Motif, count: int, cells: float, *, creased: bool = False, octaves: int = 5) -> Field:
    sheet = fractal(
        motif.stream("terrain"), (count, count), (1.0, 1.0), cells=(cells, cells), octaves=octaves, creased=creased
    )
    return np.clip(sheet, 0.0, 1.0)


def _grid(count: int) -> tuple[Field, Field]:
    line: Field = np.asarray((np.arange(count) + 0.5) / count * 2 - 1, np.float32)
    return line[None, :], line[:, None]


def _mountains(motif: Motif, count: int) -> Field:
    x, y = _grid(count)
    at = motif.stream("summit").uniform(-0.3, 0.1, 2)
    dome = np.exp(-(np.square(x - np.float32(at[0])) + np.square(y - np.float32(at[1]))) * 3.4)
    return np.asarray(0.06 + dome * (0.5 + 0.72 * _ground(motif, count, 2.2, creased=True)), np.float32)


def _sea(motif: Motif, count: int) -> Field:
    x, y = _grid(count)
    at = motif.stream("isle").uniform(-0.3, 0.2, 2)
    dome = np.exp(-(np.square(x - np.float32(at[0])) + np.square(y - np.float32(at[1]))) * 5.5)
    return np.asarray(dome * (0.28 + 0.5 * _ground(motif, count, 2.4)), np.float32)


def _city(motif: Motif, count: int) -> Field:
    blocks = 9
    rng = motif.stream("blocks")
    x = np.linspace(-1, 1, blocks)
    bulk = np.exp(-(x[None] ** 2 + x[:, None] ** 2) * 1.1)
    roofs = 0.16 + bulk * rng.uniform(0.08, 0.85, (blocks, blocks))
    roofs[rng.random((blocks, blocks)) < 0.14] = 0.17
    at = (np.arange(count) + 0.5) / count * blocks
    inside = np.abs(at - np.floor(at) - 0.5) < 0.36
    tall = roofs[np.floor(at).astype(int)[:, None], np.floor(at).astype(int)[None]]
    return np.where(inside[:, None] & inside[None], tall, 0.17).astype(np.float32)


def _desert(motif: Motif, count: int) -> Field:
    x, y = _grid(count)
    sway = _ground(motif, count, 1.6, octaves=2)
    wave = (x * 0.6 + y + 1.3 * sway) * 2.3
    saw = wave - np.floor(wave)
    dune = np.where(saw < 0.72, saw / 0.72, (1 - saw) / 0.28)
    return np.asarray(0.2 + 0.26 * dune * (0.4 + 0.8 * sway), np.float32)


def _space(motif: Motif, count: int) -> Field:
    x, y = _grid(count)
    height = 0.3 + 0.14 * (_ground(motif, count, 3.0) - 0.5)
    for cx, cy, size in motif.stream("craters").random((16, 3)):
        radius = 0.07 + 0.26 * size**2.5
        far = np.hypot(x - np.float32(cx * 2 - 1), y - np.float32(cy * 2 - 1)) / np.float32(radius)
        height = (
            height
            + np.where(far < 1, (far**2 - 1) * 0.4, 0.0) * radius
            + 0.22 * radius * np.exp(-np.square((far - 1) / 0.22))
        )
    return np.asarray(height, np.float32)


def _rolling(motif: Motif, count: int) -> Field:
    return np.asarray(0.12 + 0.34 * _ground(motif, count, 1.7, octaves=3), np.float32)


def _steps(motif: Motif, count: int) -> Field:
    x, y = _grid(count)
    height = np.full((count, count), 0.18, np.float32)
    for cx, cy, size, tall, kind in motif.stream("solids").random((9, 5)):
        u, v = x - np.float32(cx * 1.5 - 0.75), y - np.float32(cy * 1.5 - 0.75)
        radius = 0.12 + 0.26 * size
        round_, square = np.hypot(u, v) / radius, np.maximum(np.abs(u), np.abs(v)) / radius
        solid = (
            np.sqrt(np.maximum(1 - round_**2, 0)) * radius * 1.1,
            (square < 0.8) * (0.1 + 0.5 * tall),
            np.maximum(1 - round_, 0) * 0.65,
            (round_ < 0.9) * (0.1 + 0.4 * tall),
        )
        height = np.maximum(height, 0.18 + solid[int(kind * 4)] * (solid[int(kind * 4)] > 0))
    return np.asarray(height, np.float32)


SHAPES = {"mountains": _mountains, "sea": _sea, "city": _city, "desert": _desert, "space": _space, "shapes": _steps}


def heights(motif: Motif, count: int) -> Field:
    """How high a square of the motif's land stands, between nought and about one."""
    return np.asarray(np.clip(SHAPES.get(motif.family, _rolling)(motif, count), 0.0, 1.1), np.float32)


def wet(motif: Motif) -> bool:
    """Whether the land lies in water."""
    return motif.family in {"mountains", "sea", "forest", "meadow"}


def spots(motif: Motif, land: Field) -> list[tuple[float, float, float]]:
    """Where trees stand: places between nought and one, and a size."""
    many = {"forest": 170, "meadow": 34, "mountains": 60, "sea": 16}.get(motif.family, 0)
    rng = motif.stream("trees of the model")
    count = land.shape[0]
    found: list[tuple[float, float, float]] = []
    for x, y, size in rng.uniform(0.04, 0.96, (many * 2, 3)):
        here = float(land[int(y * count), int(x * count)])
        if SEA_LEVEL + 0.02 < here < 0.45 and len(found) < many:
            found.append((float(x), float(y), float(size)))
    return found


def colours(motif: Motif, land: Field) -> Field:
    """The colour of each height in the motif's palette."""
    palette = motif.palette
    pale = mix(palette.light, palette.sky[-1], 0.2)
    if motif.family == "city":
        return gradient(
            (mix(palette.near, palette.sky[1], 0.3), mix(palette.sky[1], palette.far, 0.4), palette.accent, pale),
            smooth(0.17, 1.0, land),
        )
    if motif.family in {"desert", "space"}:
        sand = mix(palette.accent, palette.sky[-1], 0.5 if motif.family == "desert" else 0.25)
        return gradient((mix(sand, palette.near, 0.55), sand, mix(sand, pale, 0.6)), (land - 0.1) * 2.4)
    if motif.family == "shapes":
        return gradient((pale, palette.sky[1], palette.accent, palette.near, palette.sky[2]), (land - 0.18) * 1.9)
    grass = mix(
        mix(paint("6fae4e"), palette.accent, 0.55 if motif.hour in {"autumn", "spring"} else 0.1), palette.near, 0.22
    )
    rock = mix(palette.far, palette.near, 0.35)
    stops = (
        mix(pale, palette.accent, 0.25),
        grass,
        mix(grass, palette.near, 0.3),
        rock,
        mix(pale, np.ones(3, np.float32), 0.5),
    )
    return gradient(stops, (land - SEA_LEVEL) / 0.72, (0.0, 0.12, 0.45, 0.62, 0.95))
