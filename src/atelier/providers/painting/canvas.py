"""The canvas a scene is painted on: colours, depth and the unit coordinates shared by all sizes."""

from copy import copy
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from PIL import Image, ImageDraw

from atelier.providers.painting.colour import Field

Point = tuple[float, float]


@dataclass(frozen=True)
class Frame:
    """The picture's size, with the shorter side as the unit of length and the centre at x = 0."""

    width: int
    height: int
    extent: tuple[float, float]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    @property
    def unit(self) -> float:
        """How many pixels one unit of length is."""
        return min(self.width / self.extent[0], self.height / self.extent[1])

    @cached_property
    def x(self) -> Field:
        """One row of unit positions, nought in the middle."""
        across = (np.arange(self.width, dtype=np.float32) + 0.5) / self.width - 0.5
        return np.asarray(across * self.extent[0], np.float32)

    @cached_property
    def y(self) -> Field:
        """One column of unit positions, nought at the top."""
        down = (np.arange(self.height, dtype=np.float32) + 0.5) / self.height * self.extent[1]
        return np.asarray(down, np.float32)[:, None]

    def pixel(self, point: Point) -> Point:
        """Where a unit point falls in pixels."""
        x = (point[0] / self.extent[0] + 0.5) * self.width
        return x, point[1] / self.extent[1] * self.height

    def row(self, y: float) -> int:
        """The pixel row of a unit height, kept inside the frame."""
        return min(max(round(y / self.extent[1] * self.height), 0), self.height)

    def distance(self, centre: Point) -> Field:
        """Each pixel's distance in units from a point."""
        return np.asarray(np.hypot(self.x[None, :] - np.float32(centre[0]), self.y - np.float32(centre[1])), np.float32)


@dataclass
class Canvas:
    """Colours between nought and one, and how far away each pixel lies (nought near, one far)."""

    frame: Frame
    rgb: Field = field(init=False)
    depth: Field = field(init=False)

    def __post_init__(self) -> None:
        self.rgb = np.zeros((self.frame.height, self.frame.width, 3), np.float32)
        self.depth = np.ones((self.frame.height, self.frame.width), np.float32)

    def part(self, rows: slice, columns: slice) -> "Canvas":
        """A window onto some rows and columns: painting it paints this canvas."""
        piece = copy(self)
        piece.rgb, piece.depth = self.rgb[rows, columns], self.depth[rows, columns]
        return piece

    def cover(self, alpha: Field, colour: Field, *, top: int = 0, depth: float | None = None) -> None:
        """Paint a colour or a strip of colours over the rows from `top` where alpha says so."""
        bottom = top + alpha.shape[0]
        strip = self.rgb[top:bottom]
        change = colour - strip
        change *= alpha[..., None]
        strip += change
        if depth is not None:
            here = self.depth[top:bottom]
            here += (np.float32(depth) - here) * alpha

    def shine(self, light: Field, colour: Field, *, top: int = 0) -> None:
        """Add light the way a screen does: never past white."""
        strip = self.rgb[top : top + light.shape[0]]
        room = np.minimum(strip, np.float32(1.0))
        np.subtract(np.float32(1.0), room, out=room)
        room *= colour
        room *= light[..., None]
        strip += room


class Stencil:
    """A mask for shapes drawn in unit coordinates, smoothed by drawing it larger."""

    def __init__(self, frame: Frame, top: float = 0.0, bottom: float | None = None, finer: int = 2) -> None:
        self.frame = frame
        self.finer = finer
        self.top = frame.row(top)
        self.rows = max(frame.row(frame.extent[1] if bottom is None else bottom) - self.top, 1)
        self.image = Image.new("L", (frame.width * finer, self.rows * finer), 0)
        self.pen = ImageDraw.Draw(self.image)

    def place(self, point: Point) -> Point:
        """A unit point in the stencil's own pixels."""
        x, y = self.frame.pixel(point)
        return x * self.finer, (y - self.top) * self.finer

    def polygon(self, points: list[Point], level: int = 255) -> None:
        """Fill a polygon."""
        self.pen.polygon([self.place(point) for point in points], fill=level)

    def line(self, points: list[Point], width: float, level: int = 255) -> None:
        """Draw a line of a width given in units."""
        thick = max(1, round(width * self.frame.unit * self.finer))
        self.pen.line([self.place(point) for point in points], fill=level, width=thick, joint="curve")

    def disc(self, centre: Point, radius: float, level: int = 255, tall: float = 1.0) -> None:
        """Fill a circle, or an ellipse `tall` times as high as wide."""
        x, y = self.place(centre)
        reach = radius * self.frame.unit * self.finer
        self.pen.ellipse((x - reach, y - reach * tall, x + reach, y + reach * tall), fill=level)

    def box(self, left: float, top: float, right: float, bottom: float, level: int = 255) -> None:
        """Fill an upright rectangle."""
        start, end = self.place((left, top)), self.place((right, bottom))
        if end[0] >= start[0] and end[1] >= start[1]:
            self.pen.rectangle((*start, *end), fill=level)

    @property
    def mask(self) -> Field:
        """The finished mask between nought and one."""
        reduced = self.image.reduce(self.finer)
        return np.asarray(reduced, np.float32) / np.float32(255)
