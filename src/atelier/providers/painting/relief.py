# ruff: noqa: PLR2004
"""Sculpted treatments: the turntable model in clay and the scene in plasticine. The bare numbers are taste."""

from math import cos, sin

import numpy as np
from PIL import Image

from atelier.providers.painting import terrain
from atelier.providers.painting.colour import Field, curve, exposed, gradient, mix, paint, saturate, smooth
from atelier.providers.painting.noise import enlarge, fractal, moved
from atelier.providers.painting.study import Study, blurred, from_image, grain, softened, to_image, vignette

FLAT = 0.52
TURN = 0.56
Mask = np.ndarray[tuple[int, ...], np.dtype[np.bool]]


def studio(study: Study) -> None:
    """A seamless backdrop of cool grey with a pool of light."""
    frame = study.frame
    centre = (0.0, 0.52 * frame.extent[1])
    far = np.hypot(frame.x[None] / 1.15, frame.y - np.float32(centre[1]))
    tint = study.motif.palette.sky[1]
    stops = [mix(paint(code), tint, 0.10) for code in ("cdd8e4", "9fb0c3", "5c6d84", "36445a")]
    study.rgb = gradient(stops, far / np.float32(0.95))


def _clay(study: Study, count: int) -> tuple[Field, Field]:
    """The land on its round table with trees grown on it, and where water lies."""
    motif = study.motif
    land = _turned(terrain.heights(motif, count))
    pool = (land < terrain.SEA_LEVEL) & terrain.wet(motif)
    shaped = np.maximum(land, terrain.SEA_LEVEL) if terrain.wet(motif) else land.copy()
    ground = shaped.copy()
    for x, y, size in terrain.spots(motif, land):
        radius = 0.014 + 0.016 * size
        left, top = (max(int((place - radius) * count), 0) for place in (x, y))
        right, bottom = (int((place + radius) * count) + 2 for place in (x, y))
        patch = shaped[top:bottom, left:right]
        rows, columns = np.indices(patch.shape, np.float32)
        far = np.hypot((rows + top) / count - y, (columns + left) / count - x) / np.float32(radius)
        base = ground[int(y * count), int(x * count)]
        patch[...] = np.maximum(patch, np.where(far < 1, base + (1 - far) * radius * 5.2, 0.0))
    return shaped, pool.astype(np.float32)


def _turned(land: Field) -> Field:
    """The square of land turned on its table, so that no wall faces the viewer squarely."""
    count = land.shape[0]
    line = (np.arange(count, dtype=np.float32) + 0.5) / count * 2 - 1
    x = line[None] * cos(TURN) - line[:, None] * sin(TURN)
    y = line[None] * sin(TURN) + line[:, None] * cos(TURN)
    column, row = (np.clip((part + 1) / 2 * count, 0, count - 1).astype(np.int32) for part in (x, y))
    return np.asarray(land[row, column], np.float32)


def _lit(land: Field) -> Field:
    """Light from the upper left with cast shadows and darkened hollows, about one on open ground."""
    count = land.shape[0]
    down, across = np.gradient(land * np.float32(FLAT * count * 0.5))
    shade = (1.0 + across * 0.7 - down * 0.3) / np.sqrt(1.0 + across * across + down * down)
    blocked = np.zeros_like(land)
    crest = land[:, 0].copy()
    for column in range(1, count):
        crest = np.maximum(crest - np.float32(1.7 / count), land[:, column])
        blocked[:, column] = crest - land[:, column]
    shadow = softened(smooth(0.0, 0.03, blocked), count * 0.006)
    hollow = np.clip((softened(land, count * 0.03) - land) * 4.0, 0.0, 0.32)
    return np.asarray(np.clip(shade, 0.45, 1.35) * (1.06 - 0.5 * shadow) * (1.0 - hollow), np.float32)


def turntable(study: Study) -> None:
    """The land modelled in clay, turned a little and seen from above on a round plinth."""
    frame = study.frame
    across = min(frame.extent[0] * 0.92, frame.extent[1] * 1.28, 1.5)
    count = round(min(across * frame.unit * 0.9, 900))
    land, pool = _clay(study, count)
    light = _lit(land)
    tones = _materials(study, land, pool) * light[..., None]
    side = (np.arange(count, dtype=np.float32) + 0.5) / count * 2 - 1
    table = (np.square(side)[None] + np.square(side)[:, None]) < 0.96
    width = round(across * frame.unit)
    picture, alpha = _projected(land, np.clip(tones, 0.0, 1.2), table)
    _stand(study, enlarge_rgb(picture, (width, width)), enlarge(alpha, (width, width)), across)


def _materials(study: Study, land: Field, pool: Field) -> Field:
    motif = study.motif
    clay = gradient([paint(code) for code in ("6d8099", "90a5bb", "b9c8d6", "eef3f7")], land * 1.15)
    tinted = clay * 0.72 + terrain.colours(motif, land) * 0.28
    water = mix(paint("4b7391"), motif.palette.sky[1], 0.3)
    return np.asarray(tinted + (water - tinted) * pool[..., None], np.float32)


def _projected(land: Field, tones: Field, table: Mask) -> tuple[Field, Field]:
    """Seen from above at a slant: each pixel shows the nearest row of land that rises above it."""
    count = land.shape[0]
    rows = np.arange(count, dtype=np.float32)[:, None]
    lifted = rows * FLAT + count * 0.36 - land * np.float32(count * 0.30)
    at = np.where(table, np.clip(lifted, 0, count - 1), count - 1).astype(np.int64)
    seen = np.full((count, count), -1, np.int64)
    column = np.broadcast_to(np.arange(count), (count, count))
    row = np.broadcast_to(np.arange(count)[:, None], (count, count))
    np.maximum.at(seen, (at[table], column[table]), row[table])
    seen = np.maximum.accumulate(seen, axis=0)
    front = np.where(table.any(axis=0), count - 1 - table[::-1].argmax(axis=0), -1)
    floor = front * FLAT + count * 0.36
    picture = tones[np.maximum(seen, 0), column]
    thick = count * 0.075
    wall = (row - (floor - land[np.maximum(front, 0), np.arange(count)] * count * 0.30)[None]) > 0
    round_ = np.linspace(-1, 1, count, dtype=np.float32)
    plinth = (
        (0.50 - 0.34 * round_ - 0.12 * round_**2)[None, :, None]
        * paint("9fb2c6")
        * (1.1 - 0.25 * ((row - floor[None]) / thick).clip(0, 1))[..., None]
    )
    picture = np.where((wall & (seen == front[None]))[..., None], plinth, picture)
    alpha = (seen >= 0) & (row < (floor + thick)[None]) & (front >= 0)[None]
    return picture.astype(np.float32), alpha.astype(np.float32)


def enlarge_rgb(rgb: Field, size: tuple[int, int]) -> Field:
    """A picture resampled smoothly."""
    return from_image(to_image(rgb).resize(size, Image.Resampling.BICUBIC))


def _stand(study: Study, picture: Field, alpha: Field, across: float) -> None:
    """Set the model on the backdrop with a soft contact shadow."""
    frame = study.frame
    middle = 0.52 * frame.extent[1]
    base = middle + 0.19 * across
    shadow = np.exp(
        -(
            np.square((frame.x[None] - np.float32(0.06)) / np.float32(across * 0.5)) ** 2
            + np.square((frame.y - np.float32(base)) / np.float32(across * 0.24)) ** 2
        )
    )
    study.rgb *= (1.0 - 0.55 * np.asarray(shadow, np.float32))[..., None]
    size = picture.shape[0]
    left, top = (frame.width - size) // 2, round(middle * frame.unit - size * 0.57)
    crop_top, crop_bottom = max(-top, 0), min(size, frame.height - top)
    crop_left, crop_right = max(-left, 0), min(size, frame.width - left)
    place = study.rgb[top + crop_top : top + crop_bottom, left + crop_left : left + crop_right]
    part = np.s_[crop_top:crop_bottom, crop_left:crop_right]
    place += (picture[part] - place) * np.clip(alpha[part], 0.0, 1.0)[..., None]


def showroom(study: Study) -> None:
    """A renderer's finish: gentle contrast and a vignette."""
    study.rgb = curve(study.rgb, 0.35)
    study.rgb += grain(study, "render", 0.001)[..., None] * np.float32(0.012)
    vignette(study, 0.28)


def knead(study: Study) -> None:
    """The scene pressed from a few sheets of plasticine with thumb-rounded borders."""
    unit = study.frame.unit
    base = saturate(curve(exposed(blurred(study.scene, 0.009 * unit), 0.36), 0.75), 1.7)
    image = to_image(base)
    palette = image.resize((160, 160)).quantize(11, Image.Quantize.MEDIANCUT, kmeans=2)
    flat = from_image(image.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB"))
    round_ = blurred(flat, 0.0045 * unit)
    chosen = to_image(round_).quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB")
    study.rgb = blurred(from_image(chosen), 0.0016 * unit)
    study.rgb = study.rgb * np.array((0.9, 0.88, 0.86), np.float32) + np.array((0.085, 0.06, 0.045), np.float32)


def press(study: Study) -> None:
    """Light over the lumps, seams and fingerprints."""
    frame = study.frame
    unit = frame.unit
    tone = study.rgb @ np.array((0.5, 0.3, 0.2), np.float32)
    lumps = fractal(study.stream("lumps"), frame.size, frame.extent, cells=(9, 9), octaves=3) - 0.5
    near = 1.0 - softened(study.depth, 0.010 * unit)
    height = near * 0.026 + softened(tone, 0.007 * unit) * 0.028 + lumps * 0.012
    height = height + _prints(study) * np.float32(0.0006)
    step = max(round(0.0022 * unit), 1)
    slope = (moved(height, step, step) - height) * np.float32(unit / step)
    shade = np.clip(slope * -0.42, -0.34, 0.36)
    seam = np.clip(softened(np.abs(tone - softened(tone, 0.006 * unit)), 0.003 * unit) * 5.0, 0.0, 0.35)
    study.rgb = study.rgb * (1.0 + shade - 0.55 * seam)[..., None]
    study.rgb += (smooth(0.12, 0.34, shade) * np.float32(0.16))[..., None]


def _prints(study: Study) -> Field:
    """Whorls of fingertips pressed here and there."""
    frame = study.frame
    total = np.zeros((frame.height, frame.width), np.float32)
    rng = study.stream("fingers")
    for x, y, turn, size in rng.random((int(26 * frame.extent[0] * frame.extent[1]), 4)).tolist():
        radius = 0.055 + 0.045 * size
        cx, cy = frame.pixel(((x - 0.5) * frame.extent[0], y * frame.extent[1]))
        reach = int(radius * frame.unit)
        rows, columns = (slice(max(int(c) - reach, 0), max(int(c) + reach, 0)) for c in (cy, cx))
        u, v = (
            frame.x[None, columns] - np.float32((x - 0.5) * frame.extent[0]),
            frame.y[rows] - np.float32(y * frame.extent[1]),
        )
        angle = turn * np.pi
        a, b = u * cos(angle) + v * sin(angle), (v * cos(angle) - u * sin(angle)) * 0.62
        far = np.hypot(a, b - 0.25 * np.abs(a))
        total[rows, columns] += np.sin(far * np.float32(1050.0)) * smooth(radius * 0.6, radius * 0.2, far)
    return total


def warm(study: Study) -> None:
    """Warm lamplight from the upper left."""
    frame = study.frame
    fall = (
        1.08 - 0.20 * (frame.x[None] / np.float32(frame.extent[0]) + 0.5) - 0.14 * frame.y / np.float32(frame.extent[1])
    )
    study.rgb = curve(np.clip(study.rgb * fall[..., None], 0.0, 1.0), 0.25) * np.array((1.03, 1.0, 0.95), np.float32)
    vignette(study, 0.2)
