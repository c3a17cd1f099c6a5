# ruff: noqa: PLR2004
"""Treatments made of pieces: low-poly, origami, mosaic tiles, pixel art. The bare numbers are taste."""

import numpy as np
from PIL import Image, ImageDraw

from atelier.providers.painting.colour import Field, curve, exposed, luma, mix, paint, saturate, smooth
from atelier.providers.painting.noise import enlarge, fractal, moved
from atelier.providers.painting.study import Study, blurred, from_image, softened, steps, to_image, to_pixels

FINER = 2
# From this many pixels on, the steps along a facet's edge are too small to smooth.
LARGE = 2_400_000
Mask = np.ndarray[tuple[int, ...], np.dtype[np.bool]]


def _corners(study: Study, cells: float, stray: float) -> Field:
    """A grid of points, each strayed to the strongest edge among a few places tried near it."""
    frame = study.frame
    columns, rows = max(round(cells * frame.extent[0]), 3), max(round(cells * frame.extent[1]), 3)
    wide = (columns * 8, rows * 8)
    small = from_image(to_image(study.scene).resize(wide, Image.Resampling.BOX))
    edges = steps(luma(small)) + steps(study.far_thumbnail(*wide)) * 0.7
    rng = study.stream("corners", str(cells))
    tries = rng.uniform(-stray, stray, (14, rows + 1, columns + 1, 2)).astype(np.float32)
    grid = np.stack(np.meshgrid(np.arange(columns + 1), np.arange(rows + 1)), axis=-1).astype(np.float32)
    spots = np.clip(grid[None] + tries, 0.0, (columns, rows))
    at = np.minimum((spots * 8).astype(np.int64), (columns * 8 - 1, rows * 8 - 1))
    best = edges[at[..., 1], at[..., 0]].argmax(axis=0)
    chosen = np.take_along_axis(spots, best[None, ..., None], axis=0)[0]
    chosen[:, 0, 0], chosen[:, -1, 0] = 0, columns
    chosen[0, :, 1], chosen[-1, :, 1] = 0, rows
    return np.asarray(chosen / np.array((columns, rows), np.float32), np.float32)


def _triangles(points: Field) -> Field:
    """Each cell of the grid of points split along its shorter diagonal."""
    a, b, c, d = points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]
    short = (np.hypot(*np.moveaxis(a - c, -1, 0)) < np.hypot(*np.moveaxis(b - d, -1, 0)))[..., None, None]
    first = np.where(short, np.stack([a, b, c], axis=-2), np.stack([a, b, d], axis=-2))
    second = np.where(short, np.stack([a, c, d], axis=-2), np.stack([b, c, d], axis=-2))
    return np.asarray(np.concatenate([first.reshape(-1, 3, 2), second.reshape(-1, 3, 2)]), np.float32)


def _tones(study: Study, triangles: Field) -> Field:
    """The scene's colour in each triangle, averaged over a few inner points."""
    small = from_image(to_image(study.scene).resize((360, 360), Image.Resampling.BOX))
    weights = np.array(((4, 1, 1), (1, 4, 1), (1, 1, 4), (2, 2, 2)), np.float32) / 6
    spots = np.einsum("kc,ncd->nkd", weights, triangles)
    at = np.clip((spots * 360).astype(np.int64), 0, 359)
    return np.asarray(small[at[..., 1], at[..., 0]].mean(axis=1), np.float32)


def _filled(study: Study, triangles: Field, tones: Field, top: int = 0) -> Field:
    """The triangles filled with flat colours, from a row of the picture on downwards."""
    width, height = study.frame.size
    finer = FINER if width * height < LARGE else 1
    image = Image.new("RGB", (width * finer, (height - top) * finer))
    pen = ImageDraw.Draw(image)
    corners = triangles * np.array((width * finer, height * finer), np.float32) - np.array((0, top * finer), np.float32)
    for corner, tone in zip(corners.reshape(-1, 6).tolist(), to_pixels(tones).tolist(), strict=True):
        pen.polygon(corner, fill=tuple(tone))
    return from_image(image.reduce(finer) if finer > 1 else image)


def _tilt(study: Study, name: str, count: int) -> Field:
    return study.stream(name).uniform(-1.0, 1.0, (count, 1)).astype(np.float32)


def triangulate(study: Study) -> None:
    """Flat-shaded triangles that follow the scene's edges."""
    triangles = _triangles(_corners(study, 32.0, 0.48))
    tones = saturate(curve(_tones(study, triangles), 0.45), 1.22)
    slope = triangles[:, 1] - triangles[:, 0]
    lit = np.sign(slope[:, :1] * 0.6 - slope[:, 1:] * 0.8) * 0.022 + 0.022 * _tilt(study, "poly", len(triangles))
    study.rgb = _filled(study, triangles, np.clip(tones * (1.0 + 2.0 * lit), 0.0, 1.0))


SHEETS = (1.01, 0.97, 0.8, 0.6, 0.42, 0.26, 0.14, -0.01)
NEARER = 3
SMALL = 150


def fold_far(study: Study) -> None:
    """The far sheets of folded paper, each casting its shadow on the ones behind."""
    study.rgb = np.zeros_like(study.scene)
    _fold(study, range(NEARER))


def fold_near(study: Study) -> None:
    """The near sheets, laid over the far ones."""
    _fold(study, range(NEARER, len(SHEETS) - 1))


def _fold(study: Study, indices: range) -> None:
    for index in indices:
        far, near = SHEETS[index : index + 2]
        here = (study.depth <= far) & (study.depth > near)
        if here.mean() > 0.002:
            _lay_sheet(study, index, here, study.depth <= far)


def _lay_sheet(study: Study, index: int, here: Mask, nearer: Mask) -> None:
    frame = study.frame
    top = max(int(nearer.any(axis=1).argmax()) - round(0.05 * frame.unit), 0)
    whole = nearer[top:].astype(np.float32)
    below = study.rgb[top:]
    if index:
        below *= _cast(frame.unit, whole)[..., None]
    triangles = _triangles(_corners(study, 5.5 + 0.6 * index, 0.36))
    tones = _sheet_tones(study, here, triangles) * (1.0 + 0.15 * _tilt(study, f"fold{index}", len(triangles)))
    sheet = _filled(study, triangles, np.clip(tones, 0.0, 1.0), top)
    light = np.clip(steps(sheet[..., 1]) * np.float32(1.05), 0.0, 0.35)
    if index:
        lip = whole - moved(whole, max(round(0.003 * frame.unit), 1), 0)
        light += np.maximum(lip, 0.0) * np.float32(0.6)
    sheet += (1.0 - sheet) * light[..., None]
    below += (sheet - below) * softened(whole, 1.4)[..., None]


def _cast(unit: float, whole: Field) -> Field:
    """How much light is left behind a sheet: a wide and a narrow shadow, worked out at a quarter's size."""
    height, width = whole.shape
    small = Image.fromarray(whole).resize((max(width // 4, 2), max(height // 4, 2)), Image.Resampling.BOX)
    sheet, left = np.asarray(small, np.float32), np.ones((small.height, small.width), np.float32)
    for reach, strength in ((0.022, 0.34), (0.007, 0.26)):
        shift = max(round(reach * unit * 0.15), 1)
        left *= 1.0 - np.clip(softened(moved(sheet, -shift, shift), reach * unit / 4), 0.0, 1.0) * np.float32(strength)
    return enlarge(left, (width, height))


def _sheet_tones(study: Study, here: Mask, triangles: Field) -> Field:
    """The scene's colour under each triangle, taken only where the sheet itself is."""
    size = (SMALL, SMALL)
    shown = Image.fromarray(here.astype(np.float32)).resize(size, Image.Resampling.BOX)
    weight = np.asarray(shown, np.float32)
    scene = study.thumbnail(*size) * weight[..., None]
    total = np.stack([softened(scene[..., i], 26.0) for i in range(3)], axis=-1) + scene * np.float32(0.6)
    share = softened(weight, 26.0) + weight * np.float32(0.6)
    mean = scene.sum(axis=(0, 1)) / max(float(weight.sum()), 1e-3)
    # Smoothing overshoots a little: what is left of nothing must not turn black.
    share, total = np.maximum(share, 0.0), np.maximum(total, 0.0)
    even = (total + mean * np.float32(0.1)) / (share + np.float32(0.1))[..., None]
    at = np.clip((triangles.mean(axis=1) * SMALL).astype(np.int64), 0, SMALL - 1)
    dyed = saturate(curve(np.asarray(even[at[:, 1], at[:, 0]], np.float32), 0.35), 1.35)
    return np.asarray(dyed * 0.84 + 0.14 * np.array((1.0, 0.98, 0.94)), np.float32)


def paper_sun(study: Study) -> None:
    """The sun or the moon as a disc of paper pasted to the sky."""
    if study.motif.family in {"space", "shapes"}:
        return
    frame, (x, y) = study.frame, study.light
    rows = slice(frame.row(y - 0.2), frame.row(y + 0.2))
    place, sky = study.rgb[rows], (study.depth[rows] > SHEETS[1]).astype(np.float32)
    across, down = frame.x[None] - np.float32(x), frame.y[rows] - np.float32(y)
    far, aside = np.hypot(across, down), np.hypot(across - np.float32(0.008), down - np.float32(0.008))
    for radius, share in ((0.15, 0.22), (0.115, 0.3), (0.08, 1.0)):
        disc = np.clip((radius - far) * frame.unit + 0.5, 0.0, 1.0) * sky
        under = smooth(radius + 0.02, radius - 0.01, aside) * (sky - disc)
        place *= 1.0 - (under * np.float32(0.2 * share + 0.06))[..., None]
        place += (study.motif.palette.light - place) * (disc * np.float32(share))[..., None]


def paper_tooth(study: Study) -> None:
    """The fibres of washi paper and a pale margin."""
    frame = study.frame
    fibres = fractal(study.stream("fibre"), frame.size, frame.extent, cells=(18, 42), octaves=4, gain=0.75) - 0.5
    study.rgb = study.rgb + (fibres * np.float32(0.075))[..., None]
    across = np.float32(frame.extent[0] / 2) - np.abs(frame.x[None])
    down = np.float32(frame.extent[1] / 2) - np.abs(frame.y - np.float32(frame.extent[1] / 2))
    inset = np.minimum(across, down)
    study.rgb *= 1.0 - (np.exp(-np.square((inset - 0.05) / 0.02)) * (inset > 0.046) * np.float32(0.28))[..., None]
    margin = np.clip((0.046 - inset) * frame.unit + 0.5, 0.0, 1.0)[..., None]
    study.rgb += (paint("f7f1e6") + (fibres * 0.03)[..., None] - study.rgb) * margin


def _hexagons(study: Study, across: float) -> tuple[Field, Field, Field]:
    """For each pixel the centre of its hexagon (two unit fields) and its distance to the rim."""
    frame = study.frame
    wide, tall = np.float32(across), np.float32(across * np.sqrt(3.0))
    x, y = np.broadcast_arrays(frame.x[None], frame.y)
    ax, ay = np.round(x / wide) * wide, np.round(y / tall) * tall
    bx, by = (np.floor(x / wide) + np.float32(0.5)) * wide, (np.floor(y / tall) + np.float32(0.5)) * tall
    nearer = np.hypot(x - ax, y - ay) < np.hypot(x - bx, y - by)
    cx, cy = np.where(nearer, ax, bx), np.where(nearer, ay, by)
    u, v = np.abs(x - cx), np.abs(y - cy)
    rim = wide / 2 - np.maximum(u, u * np.float32(0.5) + v * np.float32(0.8660254))
    return cx, cy, rim


def lay_tiles(study: Study) -> None:
    """Glazed hexagonal tiles set in grout."""
    frame = study.frame
    size = 0.0225
    cx, cy, rim = _hexagons(study, size)
    study.rgb = _fired(study, cx, cy, size)
    lean: Field = np.asarray(((frame.x[None] - cx) * -0.6 + (frame.y - cy) * -0.8) / np.float32(size), np.float32)
    bevel = smooth(0.0036, 0.0010, rim) * np.sign(lean) * np.abs(lean) * 0.8
    glaze = smooth(0.2, 0.28, lean) * smooth(0.0045, 0.006, rim) * np.float32(0.11)
    study.rgb += (bevel * np.float32(0.35) + glaze + np.float32(0.06) * lean)[..., None]
    np.clip(study.rgb, 0.0, 1.0, out=study.rgb)
    grout = np.clip((0.0013 - rim) * frame.unit + 0.5, 0.0, 1.0)
    study.cover(grout, mix(paint("d8d0c2"), study.motif.palette.near, 0.55))


def _fired(study: Study, cx: Field, cy: Field, size: float) -> Field:
    """Each tile's colour: the scene's at the tile's centre, a little uneven from tile to tile."""
    frame = study.frame
    soft = blurred(study.scene, size * 0.16 * frame.unit)
    soft = saturate(curve(exposed(soft, 0.4), 0.75), 1.4)
    column = np.clip((cx / frame.extent[0] + 0.5) * frame.width, 0, frame.width - 1).astype(np.int32)
    row = np.clip(cy / frame.extent[1] * frame.height, 0, frame.height - 1).astype(np.int32)
    tiles: Field = np.asarray(soft[row, column], np.float32)
    luck = np.modf(np.abs(np.sin(cx * 127.1 + cy * 311.7)) * 43.5453)[0]
    tiles *= (0.92 + 0.16 * luck)[..., None]
    return tiles


def glaze(study: Study) -> None:
    """The unevenness of a tiled wall in raking light."""
    frame = study.frame
    sheen = fractal(study.stream("sheen"), frame.size, frame.extent, cells=(2, 2), octaves=3) - 0.5
    study.rgb *= (1.0 + 0.22 * sheen)[..., None]
    far = frame.x[None] / np.float32(frame.extent[0]) + frame.y / np.float32(frame.extent[1]) - 0.5
    study.rgb += (np.exp(-np.square((far + 0.25) / 0.12)) * 0.10)[..., None] * np.float32(1.0)


def pixelate(study: Study) -> None:
    """A coarse grid of a few colours, dithered in a checked pattern."""
    frame = study.frame
    columns, rows = round(112 * frame.extent[0]), round(112 * frame.extent[1])
    small = saturate(curve(study.thumbnail(columns, rows), 0.6), 1.35)
    check = np.array(((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5)), np.float32) / 16 - 0.47
    pattern = np.tile(check, (rows // 4 + 1, columns // 4 + 1))[:rows, :columns, None]
    chosen = to_image(small).quantize(22, Image.Quantize.MEDIANCUT, kmeans=3)
    dithered = to_image(np.asarray(small + pattern * np.float32(0.055), np.float32))
    flat = dithered.quantize(palette=chosen, dither=Image.Dither.NONE).convert("RGB")
    study.rgb = from_image(flat.resize(frame.size, Image.Resampling.NEAREST))


def outline_pixels(study: Study) -> None:
    """Dark single-pixel outlines where near shapes end."""
    frame = study.frame
    columns, rows = round(112 * frame.extent[0]), round(112 * frame.extent[1])
    far = study.far_thumbnail(columns, rows)
    edge = np.clip((np.maximum(moved(far, 1, 0), moved(far, 0, 1)) - far) * (far < 0.35), 0.0, 1.0) > 0.3
    mask = Image.fromarray((edge * np.uint8(255)).astype(np.uint8)).resize(frame.size, Image.Resampling.NEAREST)
    dark = study.rgb * np.float32(0.45)
    study.rgb += (dark - study.rgb) * from_image(mask)[..., None]
