# ruff: noqa: PLR2004
"""What people built: skylines with lit windows, castles, lighthouses, houses. The bare numbers are brushwork."""

import numpy as np

from atelier.providers.painting.canvas import Canvas, Point, Stencil
from atelier.providers.painting.colour import gradient, mix
from atelier.providers.painting.motif import Motif

GLASS = 255


def _tower(stencil: Stencil, walls: tuple[float, float, float, float], kind: int) -> None:
    left, right, roof, ground = walls
    stencil.box(left, roof, right, ground)
    wide, middle = right - left, (left + right) / 2
    if kind == 0:
        stencil.line([(middle, roof), (middle, roof - wide * 0.9)], wide * 0.05)
    elif kind == 1:
        stencil.polygon([(left, roof), (right, roof), (right, roof - wide * 0.55)])
    elif kind == 2:
        stencil.box(left + wide * 0.2, roof - wide * 0.3, right - wide * 0.2, roof)
        stencil.box(left + wide * 0.38, roof - wide * 0.55, right - wide * 0.38, roof)
    elif kind == 3:
        stencil.disc((middle, roof), wide / 2)


def _windows(lamps: Stencil, tower: tuple[float, float, float, float], share: float, rng: np.random.Generator) -> None:
    left, right, roof, ground = tower
    pitch = 0.0135
    columns, rows = int((right - left) / pitch * 1.25), int((ground - roof) / pitch)
    if columns < 1 or rows < 1:
        return
    step = (right - left) / columns
    for column, row in zip(*np.nonzero(rng.random((columns, rows)) < share), strict=True):
        x, y = left + step * (float(column) + 0.25), roof + pitch * (float(row) + 0.35)
        lamps.box(x, y, x + step * 0.5, y + pitch * 0.48, int(rng.integers(110, GLASS)))


def paint_skyline(
    canvas: Canvas, motif: Motif, name: str, *, ground: float, tall: float, depth: float, lit: float
) -> None:
    """One rank of towers, their windows lit towards the evening."""
    frame, palette = canvas.frame, motif.palette
    rng = motif.stream("skyline", name)
    walls, lamps = Stencil(frame, 0.0, ground), Stencil(frame, 0.0, ground)
    centre = motif.between("downtown", -0.3, 0.3)
    x = -1.25
    while x < 1.25:
        wide = float(rng.uniform(0.045, 0.12))
        bulk = 0.35 + 0.75 * np.exp(-(((x - centre) / 0.42) ** 2))
        roof = ground - tall * bulk * float(rng.uniform(0.35, 1.0))
        kind = int(rng.integers(7))
        windows = motif.stream("windows", name, f"{x:.3f}")
        if abs(x) < frame.extent[0] / 2 + 0.15:
            _tower(walls, (x, x + wide, roof, ground), kind)
            _windows(
                lamps,
                (x + 0.005, x + wide - 0.005, roof + 0.01, ground),
                lit * float(windows.uniform(0.3, 1.1)),
                windows,
            )
        x += wide + float(rng.choice((0.0, 0.004, 0.03)))
    rows = np.linspace(0.0, 1.0, walls.rows, dtype=np.float32)[:, None]
    body = mix(palette.near, mix(palette.far, palette.sky[-2], 0.4), depth)
    foot = mix(body, palette.sky[-1], 0.12 + 0.5 * depth)
    colour = gradient((body, body, foot), np.broadcast_to(rows, (walls.rows, frame.width)))
    canvas.cover(walls.mask, colour, top=walls.top, depth=depth)
    glow = mix(palette.accent, palette.light, 0.55) if lit > 0.2 else mix(body, palette.sky[1], 0.4)
    canvas.cover(lamps.mask * np.float32(0.92 - 0.5 * depth), glow, top=lamps.top)


# Where a castle's towers stand, how tall and how wide they are, in castle sizes.
TOWERS = ((-0.46, 0.62, 0.17), (-0.2, 0.85, 0.15), (0.05, 1.12, 0.2), (0.28, 0.75, 0.14), (0.47, 0.55, 0.17))


def paint_castle(canvas: Canvas, motif: Motif, foot: Point, size: float) -> None:
    """A castle of many towers with pointed roofs and a few lit windows."""
    x, y = foot
    rng, palette = motif.stream("castle"), motif.palette
    walls, roofs, lamps = (Stencil(canvas.frame, y - size * 1.6, y + size * 0.3, 3) for _ in range(3))
    slope = ((-0.75, 0.28), (-0.5, -0.1), (0.5, -0.1), (0.8, 0.28))
    walls.polygon([(x + size * across, y + size * down) for across, down in slope])
    walls.box(x - size * 0.5, y - size * 0.35, x + size * 0.5, y)
    for notch in range(12):
        left = x - size * 0.5 + notch * size * 0.0835
        walls.box(left, y - size * 0.4, left + size * 0.045, y - size * 0.3)
    for place, tall, wide in TOWERS:
        high, middle, half = tall * float(rng.uniform(0.88, 1.1)) * size, x + place * size, wide * size / 2
        walls.box(middle - half, y - high, middle + half, y)
        eaves = half * 1.32
        roofs.polygon([(middle - eaves, y - high), (middle + eaves, y - high), (middle, y - high - half * 3.2)])
        for row in range(1, int(high / size / 0.2)):
            sill = y - high + row * size * 0.17
            lamps.box(middle - size * 0.014, sill, middle + size * 0.014, sill + size * 0.05)
    canvas.cover(walls.mask, mix(palette.near, palette.far, 0.2), top=walls.top, depth=0.4)
    canvas.cover(roofs.mask, mix(palette.near, palette.accent, 0.3), top=roofs.top, depth=0.4)
    canvas.cover(lamps.mask, mix(palette.accent, palette.light, 0.6), top=lamps.top)


def paint_lighthouse(canvas: Canvas, motif: Motif, foot: Point, size: float) -> None:
    """A banded lighthouse on its rock, with a beam when the light is low."""
    x, y = foot
    palette = motif.palette
    rock, tower, bands, lamp = (Stencil(canvas.frame, y - size * 1.5, y + size * 0.5, 3) for _ in range(4))
    rng = motif.stream("rock of the lighthouse")
    edge = [
        (
            x - size * 0.9 + 0.15 * size * i,
            y + size * 0.3 - size * 0.33 * np.sin(np.pi * i / 12) * rng.uniform(0.75, 1.05),
        )
        for i in range(13)
    ]
    rock.polygon([(x - size * 1.1, y + size * 0.42), *edge, (x + size * 1.2, y + size * 0.42)])
    tower.polygon(
        [(x - size * 0.13, y), (x - size * 0.08, y - size), (x + size * 0.08, y - size), (x + size * 0.13, y)]
    )
    for band in (0.12, 0.44, 0.76):
        low, high = 0.13 - 0.05 * band, 0.13 - 0.05 * (band + 0.16)
        bands.polygon(
            [
                (x - size * low, y - size * band),
                (x - size * high, y - size * (band + 0.16)),
                (x + size * high, y - size * (band + 0.16)),
                (x + size * low, y - size * band),
            ]
        )
    bands.box(x - size * 0.11, y - size * 1.03, x + size * 0.11, y - size * 0.99)
    bands.polygon([(x - size * 0.085, y - size * 1.17), (x + size * 0.085, y - size * 1.17), (x, y - size * 1.3)])
    lamp.box(x - size * 0.055, y - size * 1.17, x + size * 0.055, y - size * 1.03)
    canvas.cover(rock.mask, mix(palette.near, palette.far, 0.12), top=rock.top, depth=0.35)
    canvas.cover(tower.mask, mix(palette.light, palette.near, 0.5 if palette.dark else 0.12), top=tower.top, depth=0.35)
    canvas.cover(bands.mask, mix(palette.accent, palette.near, 0.35), top=bands.top, depth=0.35)
    canvas.cover(lamp.mask, palette.light, top=lamp.top)
    if palette.dark or motif.hour in {"sunset", "storm"}:
        _beam(canvas, motif, (x, y - size * 1.1))


def _beam(canvas: Canvas, motif: Motif, lamp: Point) -> None:
    frame = canvas.frame
    side = -1.0 if lamp[0] > 0 else 1.0
    across = (frame.x[None] - np.float32(lamp[0])) * np.float32(side)
    spread = np.abs(frame.y - np.float32(lamp[1]) + 0.08 * across) / (0.006 + 0.16 * np.maximum(across, 0.0))
    cone = np.exp(-spread * spread) * np.exp(-np.maximum(across, 0.0) * 1.6) * (across > 0)
    canvas.shine(np.asarray(cone, np.float32) * np.float32(0.6), motif.palette.light)
    canvas.shine(np.exp(-frame.distance(lamp) * 22.0), motif.palette.light)


def paint_house(canvas: Canvas, motif: Motif, foot: Point, size: float) -> None:
    """A small house with a chimney and lit windows."""
    x, y = foot
    palette = motif.palette
    walls, roof, lamps = (Stencil(canvas.frame, y - size * 1.2, y + size * 0.1, 3) for _ in range(3))
    walls.box(x - size * 0.5, y - size * 0.5, x + size * 0.5, y + size * 0.06)
    roof.polygon(
        [
            (x - size * 0.62, y - size * 0.47),
            (x - size * 0.4, y - size * 0.92),
            (x + size * 0.4, y - size * 0.92),
            (x + size * 0.62, y - size * 0.47),
        ]
    )
    roof.box(x + size * 0.18, y - size * 1.1, x + size * 0.3, y - size * 0.8)
    for left in (-0.36, -0.06, 0.24):
        lamps.box(x + size * left, y - size * 0.34, x + size * (left + 0.14), y - size * 0.14)
    canvas.cover(walls.mask, mix(palette.light, palette.near, 0.6 if palette.dark else 0.2), top=walls.top, depth=0.35)
    canvas.cover(roof.mask, mix(palette.accent, palette.near, 0.5), top=roof.top, depth=0.35)
    canvas.cover(lamps.mask, mix(palette.accent, palette.light, 0.7), top=lamps.top)


def paint_pyramids(canvas: Canvas, motif: Motif, ground: float, light: Point) -> None:
    """Three pyramids, a lit and a shadowed face each."""
    palette = motif.palette
    middle = motif.between("pyramids", -0.2, 0.2)
    sand = mix(palette.accent, palette.sky[-1], 0.45)
    for offset, size, depth in ((-0.3, 0.16, 0.7), (0.26, 0.21, 0.62), (0.0, 0.3, 0.55)):
        x = middle + offset
        whole, shade = (Stencil(canvas.frame, ground - size * 1.2, ground + 0.02, 3) for _ in range(2))
        peak, fold = (x, ground - size), x + size * (-0.25 if light[0] > x else 0.25)
        edges = (x - size * 0.85, x + size * 0.85)
        whole.polygon([(edges[0], ground), peak, (edges[1], ground)])
        shade.polygon([(edges[0] if light[0] > x else edges[1], ground), peak, (fold, ground)])
        canvas.cover(whole.mask, mix(sand, palette.far, 0.35), top=whole.top, depth=depth)
        canvas.cover(shade.mask, mix(palette.near, palette.far, depth), top=shade.top)
