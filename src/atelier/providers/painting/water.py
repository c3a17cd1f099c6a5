"""Water: mirrored sky, ripples, the light's path and what sails on it. The bare numbers are brushwork."""

import numpy as np

from atelier.providers.painting.canvas import Canvas, Point, Stencil
from atelier.providers.painting.colour import Field, mix, smooth
from atelier.providers.painting.motif import Motif
from atelier.providers.painting.noise import enlarge, fractal


def paint_water(canvas: Canvas, motif: Motif, horizon: float, *, calm: float = 0.5) -> None:
    """Mirror everything above the horizon below it, disturbed more towards the viewer."""
    frame, palette = canvas.frame, motif.palette
    top = frame.row(horizon)
    rows = np.arange(frame.height - top, dtype=np.float32)[:, None]
    reach = rows / np.float32(max(frame.height - top, 1))
    swell = _swell(motif, canvas, top)
    shift = (swell - 0.5) * np.float32((1.15 - calm) * 0.22 * frame.unit) * (0.03 + reach)
    squeeze = min(0.96, (top - 1) / max(frame.height - top, 1))
    source = np.clip(top - 1 - rows * squeeze - shift, 0, max(top - 1, 0)).astype(np.int32)
    mirror = canvas.rgb[source, np.arange(frame.width, dtype=np.int32)[None]]
    deep = mix(palette.near, palette.sky[0], 0.5)
    share = np.clip(0.14 + 0.5 * reach + 0.55 * (swell - 0.5) * (1.1 - calm), 0.0, 0.9)
    mirror += (deep - mirror) * share[..., None]
    canvas.rgb[top:] = mirror
    canvas.depth[top:] = np.clip(0.85 - 0.85 * reach, 0.0, 1.0)
    _paint_shore(canvas, motif, top)


def _swell(motif: Motif, canvas: Canvas, top: int) -> Field:
    """Waves in perspective: fine and flat at the horizon, broad in front."""
    frame = canvas.frame
    sheet = fractal(motif.stream("swell"), (frame.width, 900), frame.extent, cells=(4.0, 60.0), octaves=4, gain=0.6)
    reach = (np.arange(frame.height - top) + 0.5) / max(frame.height - top, 1)
    depth = np.clip(np.log1p(reach * 9.0) / np.log(10.0), 0.0, 1.0)
    return np.asarray(sheet[(depth * 899).astype(np.int64)], np.float32)


def _paint_shore(canvas: Canvas, motif: Motif, top: int) -> None:
    """A bright line of haze where the water meets what stands behind."""
    frame = canvas.frame
    start = max(top - round(frame.unit * 0.02), 0)
    rows = (frame.y[start:] - np.float32(top * frame.extent[1] / frame.height)) / np.float32(0.012)
    band = np.exp(-np.square(rows)) * np.float32(0.45) * np.ones_like(frame.x)[None]
    canvas.cover(band, mix(motif.palette.sky[-1], motif.palette.light, 0.3), top=start)


def paint_glitter(canvas: Canvas, motif: Motif, light: Point, horizon: float) -> None:
    """The light's path on the water, broken into glints."""
    frame, palette = canvas.frame, motif.palette
    top = frame.row(horizon)
    reach = (frame.y[top:] - np.float32(horizon)) / np.float32(max(frame.extent[1] - horizon, 0.05))
    width = 0.035 + 0.22 * reach
    path = np.exp(-np.square((frame.x[None] - np.float32(light[0])) / width))
    swell = _swell(motif, canvas, top)
    rng = motif.stream("glints")
    fine = fractal(rng, (frame.width, 700), frame.extent, cells=(16.0, 130.0), octaves=2)
    depth = np.clip(np.log1p(reach[:, 0] * 9.0) / np.log(10.0), 0.0, 1.0)
    spark = smooth(0.56, 0.8, 0.55 * fine[(depth * 699).astype(np.int64)] + 0.45 * swell)
    strength = 0.75 if palette.dark else 1.0
    canvas.shine(path * (0.16 + 0.95 * spark) * np.float32(strength), palette.light, top=top)


def paint_foam(canvas: Canvas, motif: Motif, horizon: float) -> None:
    """Long broken lines of foam near the viewer."""
    frame = canvas.frame
    top = frame.row(horizon + 0.25 * (frame.extent[1] - horizon))
    swell = _swell(motif, canvas, frame.row(horizon))[-(frame.height - top) :]
    lace = fractal(motif.stream("foam"), frame.size, frame.extent, cells=(9.0, 30.0), octaves=4)[top:]
    reach = np.linspace(0.0, 1.0, frame.height - top, dtype=np.float32)[:, None]
    crest = smooth(0.7, 0.86, swell + 0.35 * (lace - 0.5)) * (0.2 + 0.5 * reach)
    canvas.cover(crest, mix(motif.palette.sky[-1], motif.palette.light, 0.5), top=top)


def paint_boat(canvas: Canvas, motif: Motif, name: str, at: Point, size: float) -> None:
    """A small sailing boat and its reflection."""
    x, y = at
    lean = motif.between("boat lean" + name, -0.08, 0.08)
    hull, sails, glass = (Stencil(canvas.frame, y - size * 1.3, y + size * 0.8, 3) for _ in range(3))
    hull.polygon(
        [
            (x - size * 0.42, y - size * 0.10),
            (x + size * 0.46, y - size * 0.12),
            (x + size * 0.3, y + size * 0.05),
            (x - size * 0.3, y + size * 0.05),
        ]
    )
    mast = (x + lean * size, y - size * 1.15)
    hull.line([(x, y), mast], size * 0.022)
    sails.polygon([mast, (x + size * 0.44 + lean * size * 0.3, y - size * 0.22), (x + size * 0.03, y - size * 0.18)])
    sails.polygon(
        [(mast[0], mast[1] + size * 0.1), (x - size * 0.36, y - size * 0.2), (x - size * 0.03, y - size * 0.18)], 235
    )
    for step in range(7):
        down = y + size * (0.1 + 0.09 * step)
        reach = size * (0.36 - 0.04 * step) * (0.8 + 0.4 * motif.between(f"boat{name}{step}", 0, 1))
        glass.box(x - reach, down, x + reach, down + size * 0.035, 150 - 16 * step)
    palette = motif.palette
    canvas.cover(glass.mask, mix(palette.near, palette.sky[0], 0.3), top=glass.top)
    canvas.cover(hull.mask, palette.near, top=hull.top, depth=0.35)
    canvas.cover(sails.mask, mix(palette.light, palette.far, 0.35 if palette.dark else 0.08), top=sails.top, depth=0.35)


def paint_rain(canvas: Canvas, motif: Motif) -> None:
    """Slanting streaks of rain."""
    frame = canvas.frame
    streaks = Stencil(frame, finer=2)
    rng = motif.stream("rain")
    for x, y, length, level in rng.random((int(420 * frame.extent[0] * frame.extent[1]), 4)):
        start = ((x - 0.5) * frame.extent[0] * 1.1, y * frame.extent[1] * 1.1 - 0.05)
        end = (start[0] - 0.012 - 0.012 * length, start[1] + 0.04 + 0.05 * length)
        streaks.line([start, end], 0.0012, int(40 + 90 * level))
    canvas.cover(streaks.mask * np.float32(0.75), motif.palette.sky[-1])


def paint_snowfall(canvas: Canvas, motif: Motif) -> None:
    """Falling flakes, a few of them near and soft."""
    frame = canvas.frame
    flakes = Stencil(frame, finer=2)
    rng = motif.stream("snow")
    for x, y, size, level in rng.random((int(380 * frame.extent[0] * frame.extent[1]), 4)):
        flakes.disc(
            ((x - 0.5) * frame.extent[0], y * frame.extent[1]), 0.0012 + 0.006 * size**6, int(110 + 130 * level)
        )
    canvas.cover(flakes.mask * np.float32(0.85), np.ones(3, np.float32))


def paint_fog(canvas: Canvas, motif: Motif) -> None:
    """A veil of fog over everything, thicker far away."""
    frame = canvas.frame
    small = (frame.width // 4 + 2, frame.height // 4 + 2)
    veil = enlarge(fractal(motif.stream("fog"), small, frame.extent, cells=(1.2, 3.0), octaves=4), frame.size)
    alpha = np.clip((0.12 + 0.6 * canvas.depth) * (0.3 + 0.9 * veil), 0.0, 0.8)
    canvas.cover(alpha, mix(motif.palette.sky[-1], motif.palette.far, 0.35))
