"""What grows and flies: pines, broad trees, flowers, cacti, birds. The bare numbers are brushwork."""

import numpy as np

from atelier.providers.painting.canvas import Canvas, Point, Stencil
from atelier.providers.painting.colour import Field, gradient, mix, paint, smooth
from atelier.providers.painting.land import Ridge, crest
from atelier.providers.painting.motif import Motif
from atelier.providers.painting.noise import fractal


def _pine(stencil: Stencil, foot: Point, tall: float, rng: np.random.Generator) -> None:
    x, y = foot
    tiers = 9
    wide = tall * float(rng.uniform(0.17, 0.23))
    left: list[Point] = []
    right: list[Point] = []
    jags = rng.uniform(0.75, 1.15, (tiers, 2))
    for tier in range(tiers):
        share = (tier + 1) / tiers
        down = y - tall * (1.0 - share * 0.93)
        inner = wide * share * 0.42
        left += [(x - wide * share * jags[tier, 0], down), (x - inner, down - tall * 0.035)]
        right += [(x + wide * share * jags[tier, 1], down + tall * 0.01), (x + inner, down - tall * 0.025)]
    stencil.polygon([(x, y - tall), *left, (x, y - tall * 0.06), *reversed(right)])
    stencil.box(x - tall * 0.014, y - tall * 0.1, x + tall * 0.014, y + tall * 0.05)


def paint_pines(canvas: Canvas, motif: Motif, ridge: Ridge, *, tall: float, many: int, foot: float = 0.0) -> None:
    """A row of pines standing on a ridge, their feet in mist."""
    frame, palette = canvas.frame, motif.palette
    rng = motif.stream("pines", ridge.name)
    places = np.sort(rng.uniform(-1.25, 1.25, many * 2)).astype(np.float32)
    heights = tall * rng.uniform(0.45, 1.0, places.size) * (0.7 + 0.5 * np.sin(places * 5 + rng.uniform(0, 6)) ** 2)
    ground = crest(ridge, motif, places)
    top, bottom = float(ground.min()) - tall * 1.3, float(ground.max()) + tall * 0.25
    stencil = Stencil(frame, top, bottom)
    for x, y, size in zip(places, ground, heights, strict=True):
        if abs(x) < frame.extent[0] / 2 + tall:
            _pine(stencil, (float(x), float(y) + 0.1 * tall), float(size), rng)
    body = mix(palette.near, palette.far, ridge.depth * 0.9)
    haze = mix(body, mix(palette.far, palette.sky[-1], 0.4), foot)
    rows = np.linspace(0.0, 1.0, stencil.rows, dtype=np.float32)[:, None]
    colour = gradient((body, body, haze), np.broadcast_to(rows, (stencil.rows, frame.width)))
    canvas.cover(stencil.mask, colour, top=stencil.top, depth=ridge.depth)


def paint_trunks(canvas: Canvas, motif: Motif, name: str, *, many: int, thick: float, depth: float) -> None:
    """Tall trunks rising out of the picture, one rank of a forest."""
    frame, palette = canvas.frame, motif.palette
    rng = motif.stream("trunks", name)
    stencil = Stencil(frame)
    foot = frame.extent[1] * (1.02 - 0.24 * depth)
    for place, size, lean in zip(
        rng.uniform(-1.2, 1.2, many), rng.uniform(0.6, 1.3, many), rng.normal(0, 0.025, many), strict=True
    ):
        half, sway = thick * size / 2, lean * frame.extent[1]
        stencil.polygon(
            [
                (place - half * 1.7, foot),
                (place - half, foot * 0.92),
                (place - half * 0.7 + sway, -0.02),
                (place + half * 0.7 + sway, -0.02),
                (place + half, foot * 0.92),
                (place + half * 1.7, foot),
            ]
        )
        for _ in range(3):
            y, side, reach = rng.uniform(0.02, 0.6) * foot, rng.choice((-1, 1)), rng.uniform(0.05, 0.2)
            at = place + sway * (1 - y / foot)
            stencil.line(
                [(at, y), (at + side * reach * 0.5, y - reach * 0.2), (at + side * reach, y - reach * 0.5)], half * 0.35
            )
    body = mix(palette.near, mix(palette.far, palette.sky[-1], 0.45), depth**0.7)
    canvas.cover(stencil.mask, body, depth=depth)


def paint_foliage(canvas: Canvas, motif: Motif, name: str, *, depth: float, drop: float) -> None:
    """A canopy of leaves hanging in from the top edge."""
    frame, palette = canvas.frame, motif.palette
    leaves = fractal(motif.stream("leaves", name), frame.size, frame.extent, cells=(6.0, 6.0), octaves=5, gain=0.72)
    height = frame.y / np.float32(frame.extent[1])
    alpha = smooth(0.0, 0.05, leaves - 0.22 - height / np.float32(drop) * 0.42)
    tone = palette.accent if motif.hour in {"autumn", "spring"} else mix(palette.near, palette.accent, 0.25)
    body = mix(mix(palette.near, tone, 0.45), mix(palette.far, palette.sky[-1], 0.45), depth**0.7)
    shade = gradient((mix(body, palette.near, 0.5), body, mix(body, palette.light, 0.3)), smooth(0.3, 0.95, leaves))
    canvas.cover(alpha, shade, depth=depth)


def paint_rays(canvas: Canvas, motif: Motif, light: Point) -> None:
    """Shafts of light fanning out between the trees."""
    frame = canvas.frame
    x, y = frame.x[None] - np.float32(light[0]), frame.y - np.float32(light[1] - 0.12)
    angle = np.arctan2(x, np.maximum(y, 1e-3))
    turns = np.linspace(-np.pi, np.pi, 720)
    rng = motif.stream("rays")
    waves = sum(rng.uniform(0.4, 1.0) * np.sin(turns * k + rng.uniform(0, 7)) for k in (7, 13, 19, 31))
    fan = np.interp(angle, turns, np.clip(waves, 0.0, 2.0)).astype(np.float32)
    far = np.hypot(x, y)
    canvas.shine(fan * smooth(-0.05, 0.2, y) * np.exp(-far * 1.5) * np.float32(0.3), motif.palette.light)


def paint_tree(canvas: Canvas, motif: Motif, name: str, foot: Point, tall: float) -> None:
    """A round-crowned tree, lit from above."""
    rng = motif.stream("tree", name)
    palette = motif.palette
    x, y = foot
    crown, glow, trunk = (Stencil(canvas.frame, y - tall * 1.25, y + tall * 0.1) for _ in range(3))
    trunk.polygon(
        [
            (x - tall * 0.035, y),
            (x - tall * 0.015, y - tall * 0.6),
            (x + tall * 0.02, y - tall * 0.6),
            (x + tall * 0.04, y),
        ]
    )
    for _ in range(90):
        angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        at = (x + tall * 0.36 * reach * np.cos(angle), y - tall * (0.68 + 0.3 * reach * np.sin(angle)))
        size = tall * rng.uniform(0.05, 0.11)
        crown.disc(at, size)
        glow.disc(
            (at[0] - size * 0.2, at[1] - size * 0.35), size * 0.55, int(120 * max(0.0, 0.5 + 0.5 * np.sin(angle)))
        )
    leaf = palette.accent if motif.hour in {"autumn", "spring"} else mix(palette.near, paint("7fae45"), 0.5)
    shadow = Stencil(canvas.frame, y - tall * 0.1, y + tall * 0.2)
    shadow.disc((x, y), tall * 0.34, 120, tall=0.16)
    canvas.cover(shadow.mask, palette.near, top=shadow.top)
    canvas.cover(trunk.mask, mix(palette.near, np.zeros(3, np.float32), 0.3), top=trunk.top, depth=0.3)
    canvas.cover(crown.mask, mix(leaf, palette.near, 0.35), top=crown.top, depth=0.3)
    canvas.cover(glow.mask, mix(leaf, palette.light, 0.3), top=glow.top)


def paint_flowers(canvas: Canvas, motif: Motif, start: float) -> None:
    """A carpet of flowers, tiny far away and round in front."""
    frame, palette = canvas.frame, motif.palette
    rng = motif.stream("flowers")
    hues = (
        palette.accent,
        mix(palette.accent, palette.light, 0.55),
        mix(palette.accent, palette.sky[0], 0.35),
        palette.light,
    )
    drift = fractal(motif.stream("flower drift"), (96, 96), (1.0, 1.0), cells=(4.0, 6.0), octaves=3)
    stencils = [Stencil(frame, start - 0.02) for _ in hues]
    hearts = Stencil(frame, start - 0.02)
    count = int(1700 * frame.extent[0])
    for x, near, kind, luck in rng.random((count, 4)):
        reach = near**1.6
        patch = drift[int(near * 95), int(x * 95)]
        if luck > 1.9 * (patch - 0.18):
            continue
        y = start + (frame.extent[1] - start) * reach
        size = 0.0013 + 0.0085 * reach
        pick = min(int((patch * 1.4 + 0.5 * kind - 0.3) * len(hues)), len(hues) - 1)
        at = ((x - 0.5) * frame.extent[0], y)
        stencils[max(pick, 0)].disc(at, size, tall=0.75)
        hearts.disc((at[0], at[1] - 0.1 * size), size * 0.36, int(230 * min(1.0, 3 * reach)), tall=0.7)
    for stencil, hue in zip(stencils, hues, strict=True):
        canvas.cover(
            stencil.mask * np.float32(0.95), mix(hue, palette.near, 0.35) if palette.dark else hue, top=stencil.top
        )
    canvas.cover(hearts.mask * np.float32(0.8), mix(palette.near, palette.accent, 0.35), top=hearts.top)


def paint_grass(canvas: Canvas, motif: Motif, tone: Field) -> None:
    """Blades of grass along the lower edge, dark ones behind light ones."""
    frame = canvas.frame
    floor = frame.extent[1]
    for rank, (share, tall) in enumerate(((0.55, 0.075), (0.25, 0.055))):
        rng = motif.stream("grass", str(rank))
        blades = Stencil(frame, floor - 0.17)
        for x, size, lean in rng.random((int(330 * frame.extent[0]), 3)):
            at, high = (x - 0.5) * frame.extent[0], tall * (0.4 + 0.8 * size) * (0.7 + 0.5 * np.sin(x * 19 + rank))
            tip = (at + (lean - 0.5) * high * 0.9, floor - high)
            bend = (at + (lean - 0.5) * high * 0.25, floor - high * 0.55)
            blades.polygon(
                [(at - 0.0035, floor + 0.01), bend, tip, (bend[0] + 0.004, bend[1]), (at + 0.0035, floor + 0.01)]
            )
        canvas.cover(blades.mask, mix(tone, motif.palette.near, share), top=blades.top, depth=0.03)


def paint_cactus(canvas: Canvas, motif: Motif, foot: Point, tall: float) -> None:
    """A saguaro's silhouette."""
    x, y = foot
    stencil = Stencil(canvas.frame, y - tall * 1.1, y + tall * 0.05, 3)
    arms = (
        ((x, y), (x, y - tall)),
        ((x - 0.26 * tall, y - 0.42 * tall), (x - 0.26 * tall, y - 0.74 * tall)),
        ((x + 0.24 * tall, y - 0.55 * tall), (x + 0.24 * tall, y - 0.86 * tall)),
    )
    for index, (low, high) in enumerate(arms):
        wide = tall * (0.13 if index == 0 else 0.09)
        stencil.line([low, high], wide)
        stencil.disc(high, wide / 2)
        stencil.disc(low, wide / 2)
        stencil.line([low, (x, low[1])], wide * 0.95)
    canvas.cover(stencil.mask, motif.palette.near, top=stencil.top, depth=0.2)


def paint_birds(canvas: Canvas, motif: Motif, horizon: float) -> None:
    """A loose flock, each bird two bent strokes."""
    rng = motif.stream("birds")
    stencil = Stencil(canvas.frame, finer=3)
    centre = (rng.uniform(-0.3, 0.3) * canvas.frame.extent[0], horizon * rng.uniform(0.25, 0.55))
    for _ in range(int(rng.integers(5, 13))):
        x, y = centre[0] + rng.normal(0, 0.11), centre[1] + rng.normal(0, 0.05)
        span, flap = rng.uniform(0.008, 0.02), rng.uniform(0.35, 0.85)
        wing = [
            (x - span, y - span * flap * 0.3),
            (x - span * 0.5, y - span * flap),
            (x, y),
            (x + span * 0.5, y - span * flap),
            (x + span, y - span * flap * 0.2),
        ]
        stencil.line(wing, 0.0022)
    tone: Field = mix(motif.palette.near, motif.palette.far, 0.15)
    canvas.cover(stencil.mask * np.float32(0.9), tone)
