"""What a style works on: the finished scene, its depth, its light; and the blurs and edges styles share."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image, ImageFilter

from atelier.providers.painting.canvas import Frame, Point
from atelier.providers.painting.colour import Field, luma
from atelier.providers.painting.motif import Motif
from atelier.providers.painting.noise import enlarge

SOFT = 6.0
SKY = 0.97


@dataclass
class Study:
    """The picture under treatment: a style's first pass replaces `rgb`, so that the scene stays readable."""

    frame: Frame
    motif: Motif
    light: Point
    scene: Field
    depth: Field
    rgb: Field

    def cover(self, alpha: Field, colour: Field) -> None:
        """Lay a colour or a picture over the study where alpha says so."""
        change = np.subtract(colour, self.rgb)
        change *= alpha[..., None]
        self.rgb += change

    def shine(self, light: Field, colour: Field) -> None:
        """Add light the way a screen does: never past white."""
        room = np.clip(self.rgb, 0.0, 1.0)
        np.subtract(np.float32(1.0), room, out=room)
        room *= colour
        room *= light[..., None]
        self.rgb += room

    def stream(self, *names: str) -> np.random.Generator:
        """A fresh generator for one part of the treatment."""
        return self.motif.stream("style", *names)

    @cached_property
    def outlines(self) -> Field:
        """Where the scene's shapes and tones meet, between nought and one."""
        soft = blurred(self.scene, 0.0016 * self.frame.unit)
        # Clouds have no outline a pen would follow.
        firm = np.where(self.depth > SKY, np.float32(0.4), np.float32(1.0))
        tones = steps(luma(soft)) * 3.0 * firm
        hues = steps(soft[..., 0] - soft[..., 2]) * 1.6 * firm
        return np.asarray(
            np.clip((tones + hues + steps(self.depth) * 1.5) * np.float32(0.0022 * self.frame.unit), 0.0, 1.0),
            np.float32,
        )

    def thumbnail(self, columns: int, rows: int) -> Field:
        """The scene averaged over a grid of cells."""
        small = to_image(self.scene).resize((columns, rows), Image.Resampling.BOX)
        return from_image(small)

    def far_thumbnail(self, columns: int, rows: int) -> Field:
        """The depth averaged over a grid of cells."""
        image = Image.fromarray(self.depth)
        return np.array(image.resize((columns, rows), Image.Resampling.BOX), np.float32)


Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def to_pixels(rgb: Field, dither: Field | None = None) -> Pixels:
    """Display values as bytes, their gradients broken up by the dither."""
    scaled = rgb * np.float32(255)
    scaled += np.float32(0.5) if dither is None else dither[..., None]
    np.clip(scaled, 0, 255, out=scaled)
    return scaled.astype(np.uint8)


def to_image(rgb: Field) -> Image.Image:
    """The picture as Pillow knows it."""
    return Image.fromarray(to_pixels(rgb))


def from_image(image: Image.Image) -> Field:
    """Pillow's picture as numbers between nought and one."""
    return np.asarray(image, np.float32) / np.float32(255)


def blurred(rgb: Field, radius: float) -> Field:
    """A Gaussian blur by a radius in pixels; wide ones are done small and enlarged."""
    if radius < 0.3:  # noqa: PLR2004 - narrower than a pixel changes nothing
        return rgb
    image = to_image(rgb)
    smaller = max(1, int(radius / SOFT * 1.5))
    size = image.size
    if smaller > 1:
        image = image.reduce(smaller)
    image = image.filter(ImageFilter.GaussianBlur(radius / smaller))
    return from_image(image.resize(size, Image.Resampling.BICUBIC) if smaller > 1 else image)


def softened(field: Field, radius: float) -> Field:
    """A wide blur of a single field by a radius in pixels."""
    height, width = field.shape
    cell = max(radius / 2.0, 1.0)
    small = (max(round(width / cell), 2), max(round(height / cell), 2))
    image = Image.fromarray(np.ascontiguousarray(field, np.float32)).resize(small, Image.Resampling.HAMMING)
    return enlarge(np.asarray(image, np.float32), (width, height))


def steps(field: Field) -> Field:
    """How steeply a field changes at each pixel."""
    across, down = np.zeros_like(field), np.zeros_like(field)
    across[:, 1:-1] = field[:, 2:] - field[:, :-2]
    down[1:-1] = field[2:] - field[:-2]
    return np.hypot(across, down)


def grain(study: Study, name: str, size: float) -> Field:
    """Film grain about nought, `size` being its diameter in units."""
    frame = study.frame
    cell = max(size * frame.unit, 1.0)
    shape = (max(round(frame.height / cell), 2), max(round(frame.width / cell), 2))
    specks = study.stream(name).random(shape, np.float32) - np.float32(0.5)
    return specks if shape == (frame.height, frame.width) else enlarge(specks, frame.size)


def vignette(study: Study, strength: float, reach: float = 0.75) -> None:
    """Darken the corners."""
    frame = study.frame
    across = frame.x[None] / np.float32(frame.extent[0])
    down = frame.y / np.float32(frame.extent[1]) - 0.5
    far = (across * across + down * down) / np.float32(reach * reach)
    study.rgb *= (1.0 - strength * np.minimum(far * far * 1.6 + 0.4 * far, 1.0))[..., None]
