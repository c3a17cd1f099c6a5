"""The painter: washes of colour, the scene layer by layer, the style's passes, the label."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from PIL import Image, ImageFilter

from atelier.providers.painting.canvas import Canvas, Frame, Point
from atelier.providers.painting.colour import Field
from atelier.providers.painting.commission import Commission, ratio_of, size_of, steps_of
from atelier.providers.painting.lettering import label
from atelier.providers.painting.motif import Motif, read
from atelier.providers.painting.noise import fractal
from atelier.providers.painting.scenes import Layer, compose
from atelier.providers.painting.study import Study, from_image, to_pixels
from atelier.providers.painting.styles import TREATMENTS

SKETCH = 88
WASHES = {8: 1, 20: 2, 30: 3, 40: 4}
SCENE_SHARE = 0.6
AGREEMENT = 0.05
SOFT_EDGE = 0.22


class Easel:
    """One commission under way: the small sketch that plans it and the canvas that shows it."""

    def __init__(self, commission: Commission) -> None:
        self.commission = commission
        self.motif: Motif = read(commission)
        across, down = ratio_of(commission)
        self.extent = (across / min(across, down), down / min(across, down))
        self.layers: list[Layer]
        self.light: Point
        self.layers, self.light = compose(self.motif, self.extent)
        self.size = size_of(commission)
        self.dither = self.motif.stream("dither").random((self.size[1], self.size[0]), np.float32)
        self.sketches = self._sketch()

    def _sketch(self) -> list[Image.Image]:
        """The scene after each layer, a few dozen pixels wide: what the washes and the masks come from."""
        small = (round(SKETCH * self.extent[0]), round(SKETCH * self.extent[1]))
        canvas = Canvas(Frame(*small, self.extent))
        states = []
        for layer in self.layers:
            layer(canvas)
            states.append(Image.fromarray(to_pixels(canvas.rgb)))
        return states

    def show(self, rgb: Field) -> Image.Image:
        """What is on the canvas, as a picture."""
        return Image.fromarray(to_pixels(rgb, self.dither))

    def over(self, ground: Image.Image, rgb: Field, index: int) -> Image.Image:
        """The canvas after a layer where it already agrees with the finished scene, the wash elsewhere."""
        return Image.composite(self.show(rgb), ground, self.settled(index))

    def wash(self, index: int, count: int) -> Image.Image:
        """The whole composition in broad strokes, less blurred each time."""
        radius = SKETCH / (5.0 + 11.0 * index / max(count - 1, 1))
        soft = self.sketches[-1].filter(ImageFilter.GaussianBlur(radius * 0.5))
        return soft.resize(self.size, Image.Resampling.BICUBIC)

    def settled(self, index: int) -> Image.Image:
        """Where the canvas after a layer already agrees with the finished scene."""
        here, last = from_image(self.sketches[index]), from_image(self.sketches[-1])
        same = (np.abs(here - last).max(axis=-1) < AGREEMENT).astype(np.uint8) * np.uint8(255)
        mask = Image.fromarray(same).filter(ImageFilter.GaussianBlur(0.8))
        return mask.resize(self.size, Image.Resampling.BILINEAR)


def paint(commission: Commission) -> Iterator[Image.Image]:
    """Yield the canvas after each step; the last canvas is the finished picture with its label."""
    easel = Easel(commission)
    total = steps_of(commission)
    washes = WASHES[total]
    layering = round((total - washes - 1) * SCENE_SHARE)
    shown = easel.wash(0, washes)
    for index in range(washes):
        shown = easel.wash(index, washes)
        yield shown
    canvas = Canvas(Frame(*easel.size, easel.extent))
    for picture in _paced(_layered(easel, canvas, shown), len(easel.layers), layering, shown, easel):
        shown = picture
        yield shown
    np.clip(canvas.rgb, 0.0, 1.0, out=canvas.rgb)
    treating = total - washes - layering - 1
    passes = TREATMENTS[commission.style]
    study = Study(canvas.frame, easel.motif, easel.light, canvas.rgb, canvas.depth, canvas.rgb)
    for picture in _paced(_treated(easel, study, passes), len(passes), treating, shown, easel):
        shown = picture
        yield shown
    yield label(shown, commission.prompt)


def _layered(easel: Easel, canvas: Canvas, ground: Image.Image) -> Iterator[Callable[[], Image.Image]]:
    """Paint layer after layer; what nearer layers will cover keeps showing the wash."""
    for index, layer in enumerate(easel.layers):
        layer(canvas)
        yield partial(easel.over, ground, canvas.rgb, index)


def _treated(
    easel: Easel, study: Study, passes: tuple[Callable[[Study], None], ...]
) -> Iterator[Callable[[], Image.Image]]:
    for change in passes:
        change(study)
        yield partial(easel.show, study.rgb)


def _paced(
    states: Iterator[Callable[[], Image.Image]], count: int, total: int, shown: Image.Image, easel: Easel
) -> Iterator[Image.Image]:
    """Spread `count` states over `total` pictures: skip some, or let one spread over the canvas in stages."""
    done, before, after = 0, shown, shown
    for step in range(1, total + 1):
        place = step * count / total
        while done < place - 1e-9:
            look = next(states)
            done += 1
            if done >= place - 1e-9:
                before, after = after, look()
        share = place - (done - 1)
        yield after if share > 1.0 - 1e-9 else Image.composite(after, before, _spreading(easel, str(done), share))


def _spreading(easel: Easel, name: str, share: float) -> Image.Image:
    """A mask that grows from a corner in uneven patches."""
    small = (round(SKETCH * easel.extent[0]), round(SKETCH * easel.extent[1]))
    drift = fractal(easel.motif.stream("spread", name), small, easel.extent, cells=(3, 3), octaves=3) - 0.5
    across = np.linspace(0.0, 1.0, small[0], dtype=np.float32)[None]
    down = np.linspace(0.0, 1.0, small[1], dtype=np.float32)[:, None]
    order = (across + down) / 2 + 0.5 * drift
    level = np.clip((share * (1 + SOFT_EDGE) - order) / SOFT_EDGE, 0.0, 1.0)
    mask = Image.fromarray((level * 255).astype(np.uint8))
    return mask.resize(easel.size, Image.Resampling.BILINEAR)
