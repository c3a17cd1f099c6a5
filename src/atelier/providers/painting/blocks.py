# ruff: noqa: PLR2004
"""The isometric treatment: a little world of blocks afloat. The bare numbers are taste."""

import numpy as np
from PIL import Image, ImageDraw

from atelier.providers.painting import terrain
from atelier.providers.painting.colour import Field, gradient, luma, mix, paint, saturate, smooth
from atelier.providers.painting.study import Study, from_image, softened, vignette

CELLS = 27
FINER = 2
Tone = tuple[int, int, int]


def _tone(colour: Field) -> Tone:
    r, g, b = (int(min(max(value, 0.0), 1.0) * 255) for value in colour.tolist())
    return r, g, b


class Board:
    """A square of cells seen from a corner, drawn back to front."""

    def __init__(self, study: Study) -> None:
        frame = study.frame
        across = min(frame.extent[0] * 0.95, frame.extent[1] * 1.32, 1.7)
        self.half = across / (2 * CELLS) * frame.unit * FINER
        self.centre = frame.width * FINER / 2
        self.top = (0.52 * frame.extent[1] - across * 0.22) * frame.unit * FINER
        self.image = Image.new("RGBA", (frame.width * FINER, frame.height * FINER), (0, 0, 0, 0))
        self.pen = ImageDraw.Draw(self.image)

    def at(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Where a point of the board falls in pixels."""
        return self.centre + (x - y) * self.half, self.top + (x + y) * self.half * 0.5 - z * self.half

    def block(self, x: float, y: float, span: tuple[float, float], colour: Field, size: float = 1.0) -> None:
        """A block with a lit top, a half-lit and a shaded side."""
        low, high = span
        a, b, c, d = ((x, y), (x + size, y), (x + size, y + size), (x, y + size))
        top = [self.at(*corner, high) for corner in (a, b, c, d)]
        foot = [self.at(*corner, low) for corner in (b, c, d)]
        self.pen.polygon([top[3], top[2], foot[1], foot[2]], fill=_tone(colour * 0.80))
        self.pen.polygon([top[2], top[1], foot[0], foot[1]], fill=_tone(colour * 0.58))
        self.pen.polygon(top, fill=_tone(colour * 1.06), outline=_tone(colour * 1.16))


def backdrop(study: Study) -> None:
    """A calm gradient in the sky's colours with a great pale disc."""
    frame, sky = study.frame, study.motif.palette.sky
    stops = [mix(sky[-1], paint("ffffff"), 0.15), mix(sky[-1], sky[-2], 0.5), mix(sky[-2], sky[1], 0.45)]
    if study.motif.palette.dark:
        stops = [mix(sky[2], sky[1], 0.3), sky[1], sky[0]]
    middle = 0.46 * frame.extent[1]
    far = np.hypot(frame.x[None], frame.y - np.float32(middle))
    study.rgb = gradient(stops, far / np.float32(0.85))
    disc = smooth(0.4, 0.397, frame.distance((0.0, middle - 0.06)))
    study.cover(disc * np.float32(0.32), stops[0] * 0.3 + study.motif.palette.light * 0.7)


def build(study: Study) -> None:
    """Raise the land cell by cell, back to front, with water, trees, houses and windows."""
    motif, board = study.motif, Board(study)
    land = terrain.heights(motif, CELLS)
    if motif.family == "city":
        land = terrain.heights(motif, CELLS * 4)[2::4, 2::4]
    tones = saturate(terrain.colours(motif, land), 1.15)
    trees = {(int(x * CELLS), int(y * CELLS)): size for x, y, size in terrain.spots(motif, land)}
    pale = float(luma(tones).mean())
    for y in range(CELLS):
        for x in range(CELLS):
            tone = tones[y, x] * np.float32(1.0 if pale > 0.3 else 1.25)
            _cell(study, board, (x, y), float(land[y, x]), tone=tone, tree=trees.get((x, y)))
    _float(study, board)


def _cell(study: Study, board: Board, at: tuple[int, int], land: float, *, tone: Field, tree: float | None) -> None:
    motif, (x, y) = study.motif, at
    rng = motif.stream("cell", str(x), str(y))
    tone = tone * np.float32(rng.uniform(0.95, 1.05))
    soil = mix(mix(paint("8a6246"), motif.palette.near, 0.3), motif.palette.far, 0.15)
    if x == CELLS - 1 or y == CELLS - 1:
        board.block(x, y, (-2.4 - rng.uniform(0, 1.2), 0.4), soil)
    if terrain.wet(motif) and land < terrain.SEA_LEVEL:
        water = mix(
            mix(paint("3fa3cf"), motif.palette.sky[1], 0.22),
            paint("ffffff"),
            0.25 * land / terrain.SEA_LEVEL + 0.06 * rng.random(),
        )
        board.block(x, y, (0.0, 1.0), water)
        return
    high = max(round((land - 0.1) * 26) / 2, 1.0) + 0.3
    board.block(x, y, (0.0, high), tone)
    if tree is not None:
        _tree(study, board, (x, y, high), tree)
    elif motif.family == "city" and high > 2.2:
        _lamps(study, board, (x, y, high), rng)


def _tree(study: Study, board: Board, foot: tuple[float, float, float], size: float) -> None:
    x, y, z = foot
    palette = study.motif.palette
    leaf = (
        mix(paint("3f8a4e"), palette.accent, 0.75)
        if study.motif.hour in {"autumn", "spring"}
        else mix(paint("2f7d55"), palette.near, 0.3)
    )
    board.block(x + 0.38, y + 0.38, (z, z + 0.6), paint("6b4a34"), 0.24)
    for step, wide in enumerate((0.84, 0.6, 0.34)):
        low = z + 0.5 + step * (0.5 + 0.35 * size)
        board.block(
            x + (1 - wide) / 2,
            y + (1 - wide) / 2,
            (low, low + 0.5 + 0.35 * size),
            leaf * np.float32(1.0 + 0.08 * step),
            wide,
        )


def _lamps(study: Study, board: Board, roof: tuple[float, float, float], rng: np.random.Generator) -> None:
    x, y, z = roof
    palette = study.motif.palette
    lamp = _tone(mix(palette.light, paint("ffd98a"), 0.5))
    for level in np.arange(1.2, z - 0.5, 0.9):
        for side in range(2):
            if rng.random() < 0.5:
                continue
            corners = ((0.3, 0.0), (0.7, 0.0), (0.7, 0.5), (0.3, 0.5))
            spots = [
                board.at(x + a, y + 1, level + b) if side else board.at(x + 1, y + a, level + b) for a, b in corners
            ]
            board.pen.polygon(spots, fill=lamp)


def _float(study: Study, board: Board) -> None:
    """Lay the board over the backdrop above its own soft shadow."""
    frame = study.frame
    whole = from_image(board.image.reduce(FINER))
    alpha = whole[..., 3]
    drop = max(round(0.06 * frame.unit), 1)
    shadow = np.zeros_like(alpha)
    shadow[drop:] = alpha[:-drop]
    study.rgb *= (1.0 - 0.38 * np.clip(softened(shadow, 0.06 * frame.unit), 0.0, 1.0))[..., None]
    study.cover(alpha, whole[..., :3])


def daylight(study: Study) -> None:
    """A little more colour and a soft vignette."""
    study.rgb = saturate(study.rgb, 1.12)
    vignette(study, 0.22)
