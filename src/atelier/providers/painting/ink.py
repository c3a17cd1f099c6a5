# ruff: noqa: PLR2004
"""Drawn treatments: anime, comic book, line art. The bare numbers are taste."""

from math import cos, sin

import numpy as np

from atelier.providers.painting.colour import Field, curve, exposed, luma, paint, saturate, smooth
from atelier.providers.painting.film import bloom
from atelier.providers.painting.noise import enlarge, fractal, moved
from atelier.providers.painting.study import Study, blurred, softened


def banded(values: Field, count: int, crisp: float) -> Field:
    """Values gathered into flat bands with narrow soft edges."""
    scaled = values * np.float32(count)
    low = np.floor(scaled)
    return np.asarray((low + smooth(0.5 - crisp, 0.5 + crisp, scaled - low)) / np.float32(count), np.float32)


def cel(study: Study) -> None:
    """Flat, bright, clean cel paint."""
    rgb = blurred(study.rgb, 0.003 * study.frame.unit)
    light = np.maximum(luma(rgb), 0.02)
    bands = banded(light, 7, 0.06)
    # Cel paint is bright, but what is bright already must not bleach.
    lift = 0.84 if study.motif.palette.dark else 0.72 + 0.7 * max(float(light.mean()) - 0.45, 0.0)
    bright = np.power(np.clip(bands, 0.0, 1.0), np.float32(lift)) + np.float32(0.02)
    rgb *= (bright / light)[..., None]
    study.rgb = np.clip(saturate(rgb, 1.2 if study.motif.palette.dark else 1.55), 0.0, 1.0)


def cumulus(study: Study) -> None:
    """Towering clouds with crisp lit rims and flat blue undersides, only where the sky is."""
    if study.motif.family in {"space", "shapes"}:
        return
    frame, sky = study.frame, study.motif.palette.sky
    open_ = study.depth > 0.99
    horizon = float(open_.sum(axis=0).mean()) / frame.unit
    puffs = fractal(study.stream("cumulus"), frame.size, frame.extent, cells=(2.6, 3.8), octaves=5, gain=0.55)
    bank = np.exp(-np.square((frame.y / np.float32(max(horizon, 0.05)) - 0.72) / 0.3)) * np.float32(0.24)
    body = puffs + bank - np.float32(0.1)
    step = max(round(0.022 * frame.unit), 1)
    lit = smooth(-0.045, -0.02, moved(puffs, -step, -step if study.light[0] < 0 else step) - puffs)
    edge = smooth(0.555, 0.575, body) * open_ * np.float32(0.95)
    white, dim = np.clip(sky[-1] * 0.25 + 0.76, 0.0, 1.0), np.clip(sky[1] * 0.5 + sky[-1] * 0.5 + 0.03, 0.0, 1.0)
    if study.motif.palette.dark:
        white, dim = sky[-1] * 0.8 + 0.1, sky[1] * 0.5 + sky[2] * 0.5
    tone = white + (dim - white) * (1.0 - lit)[..., None]
    study.rgb = study.rgb + (tone - study.rgb) * edge[..., None]


def cel_finish(study: Study) -> None:
    """Thin coloured contours, a bloom and sparkling light."""
    contour = smooth(0.25, 0.75, study.outlines)[..., None]
    study.rgb *= 1.0 - contour * np.array((0.62, 0.66, 0.5), np.float32)
    bloom(study, 0.035, 0.5, 0.7)
    frame = study.frame
    x, y = frame.x[None] - np.float32(study.light[0]), frame.y - np.float32(study.light[1])
    for angle, length in ((0.5, 0.42), (2.07, 0.26)):
        along, across = x * cos(angle) + y * sin(angle), y * cos(angle) - x * sin(angle)
        spike = np.exp(-np.abs(across) * 130.0) * np.exp(-np.abs(along) / np.float32(length * 0.4))
        study.rgb += (1.0 - np.clip(study.rgb, 0, 1)) * np.asarray(spike, np.float32)[..., None] * np.float32(0.8)


def poster(study: Study) -> None:
    """A few loud flat inks on warm paper."""
    rgb = saturate(curve(exposed(blurred(study.rgb, 0.004 * study.frame.unit), 0.42), 0.7), 1.5)
    np.clip(rgb, 0.0, 1.0, out=rgb)
    for channel, ink in enumerate((1.0, 0.97, 0.88)):
        rgb[..., channel] = banded(rgb[..., channel], 4, 0.05) * np.float32(ink)
    study.rgb = rgb


def dots(frame_x: Field, frame_y: Field, pitch: float, angle: float) -> Field:
    """A screen of dots: nought at their centres, one between them."""
    u, v = frame_x * cos(angle) + frame_y * sin(angle), frame_y * cos(angle) - frame_x * sin(angle)
    scale = np.float32(2 * np.pi / pitch)
    return np.asarray(0.5 - 0.25 * (np.cos(u * scale) + np.cos(v * scale)), np.float32)


def halftone(study: Study) -> None:
    """Ben-Day dots: dark in the half-shadows, light in the half-lights."""
    frame = study.frame
    light = exposed(softened(luma(study.scene), 0.008 * frame.unit), 0.46)
    screen = dots(frame.x[None], frame.y, 0.0135, 0.62)
    soft = 0.9 / (0.0135 * frame.unit)
    ink = smooth(soft, -soft, screen - np.clip((0.62 - light) * 1.25, 0.0, 0.72)) * np.float32(0.62)
    study.cover(ink, paint("1a1230"))
    pale = smooth(soft, -soft, screen - np.clip((light - 0.62) * 1.3, 0.0, 0.5)) * np.float32(0.55)
    study.cover(pale, paint("fff6d8"))


def contours(study: Study) -> None:
    """Thick black outlines and the panel's frame."""
    frame = study.frame
    line = smooth(0.22, 0.5, softened(study.outlines, 0.004 * frame.unit) * 2.4)
    study.cover(line, paint("0d0a14"))
    across = np.float32(frame.extent[0] / 2) - np.abs(frame.x[None])
    down = np.float32(frame.extent[1] / 2) - np.abs(frame.y - np.float32(frame.extent[1] / 2))
    inset = np.minimum(across, down)
    border = smooth(0.036, 0.035, inset) * 1.0
    study.cover(border, paint("0d0a14"))
    gutter = smooth(0.029, 0.028, inset)
    study.cover(gutter, paint("fbf5e4"))


def paper(study: Study) -> None:
    """Bare drawing paper with a breath of wash."""
    frame = study.frame
    tooth = fractal(study.stream("paper"), frame.size, frame.extent, cells=(40, 40), octaves=3, gain=0.7) - 0.5
    wash = np.clip(1.0 - luma(blurred(study.scene, 0.02 * frame.unit)), 0.0, 1.0)
    study.rgb = paint("f6efe0") - (0.045 * tooth + 0.10 * wash)[..., None] * np.array((0.8, 0.95, 1.2), np.float32)


def hatch(study: Study) -> None:
    """Hatching in four directions, one more for each darker tone."""
    frame = study.frame
    light = softened(luma(study.scene), 0.006 * frame.unit)
    low, high = np.percentile(light, (2, 97))
    light = np.clip((light - low) / max(float(high - low), 0.2), 0.0, 1.0)
    wobble = fractal(study.stream("hand"), (256, 256), frame.extent, cells=(5, 5), octaves=3) - 0.5
    hand = enlarge(wobble, frame.size) * np.float32(0.022)
    ink = np.zeros_like(light)
    for angle, below, pitch in ((0.75, 0.80, 0.0115), (0.62, 0.55, 0.0115), (-0.7, 0.36, 0.0105), (1.5, 0.2, 0.010)):
        across = frame.y * np.float32(cos(angle)) - frame.x[None] * np.float32(sin(angle)) + hand
        wave = 0.5 - 0.5 * np.cos(across * np.float32(2 * np.pi / pitch))
        weight = np.clip((below - light) / 0.3, 0.0, 1.0) * np.float32(0.36)
        ink = np.maximum(ink, smooth(0.0, 1.6 / (pitch * frame.unit), weight - wave) * np.float32(0.78))
    study.cover(ink, paint("26263a"))


def pen(study: Study) -> None:
    """The outlines in ink, their pressure a little uneven."""
    frame = study.frame
    press = 0.75 + 0.5 * fractal(study.stream("press"), (128, 128), (1.0, 1.0), cells=(6, 6), octaves=2)
    line = smooth(0.16, 0.5, study.outlines * enlarge(press, frame.size) * 1.4)
    study.cover(line * np.float32(0.95), paint("15152a"))
