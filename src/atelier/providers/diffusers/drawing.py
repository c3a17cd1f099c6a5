"""One picture: the base model alone, or the base model and then the refiner, as an ensemble of experts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image

from atelier.frozen import frozen
from atelier.pipelines.ports import BASE_MODEL, REFINER_MODEL
from atelier.providers.diffusers.counts import SPLIT, base_steps, refiner_steps
from atelier.providers.diffusers.failures import Withdrawn
from atelier.providers.diffusers.previews import Previews
from atelier.providers.likeness import MEGAPIXEL

NATIVE = 1024
"""Pixels a side for which the sizes are made; a model for another side draws them in that proportion."""

GRAIN = 8
"""Width and height are multiples of this."""


@frozen
class Order:
    """A picture to make, in at most `steps` steps over both models. Previews are at least `preview_seconds` apart."""

    prompt: str
    negative_prompt: str
    aspect_ratio: str
    steps: int
    refine: bool
    seed: int
    preview_seconds: float


@frozen
class Turn:
    """A model's share of the steps: how many the others took before, and how many are its own."""

    name: str
    before: int
    own: int


Tell = Callable[[dict[str, Any], bytes], None]
"""Takes each step with its numbers, and a preview or nothing."""


class Drawing:
    """A picture in the making; `refiner` None: the base model draws it alone."""

    def __init__(self, order: Order, base: Any, refiner: Any, *, tell: Tell, withdrawn: threading.Event) -> None:  # noqa: ANN401 - the library is an optional part
        self._order, self._base, self._refiner = order, base, refiner
        self._tell, self._withdrawn = tell, withdrawn
        self._previews = Previews(order.preview_seconds)
        first = base_steps(base.scheduler, order.steps, None if refiner is None else SPLIT)
        second = refiner_steps(refiner.scheduler, order.steps, SPLIT) if refiner is not None else 0
        self._first = Turn(name=BASE_MODEL, before=0, own=first)
        self._second = Turn(name=REFINER_MODEL, before=first, own=second)

    def picture(self) -> Image.Image:
        """Draw it. Raises Withdrawn within a step after that is set."""
        order = self._order
        shared = {
            "prompt": order.prompt,
            "negative_prompt": order.negative_prompt or None,
            "num_inference_steps": order.steps,
            "generator": torch.Generator("cpu").manual_seed(order.seed),  # so that every device draws the same
        }
        width, height = size_of(self._base, order.aspect_ratio)
        sized = {"width": width, "height": height, **shared, **self._turn(self._first)}
        if self._refiner is None:
            return self._whole(self._base(**sized))
        begun = self._base(**sized, denoising_end=SPLIT, output_type="latent").images
        refined = self._refiner(**shared, **self._turn(self._second), image=begun, denoising_start=SPLIT)
        return self._whole(refined)

    def unread(self) -> bool:
        """Whether the prompt is longer than the models read."""
        tokenizer = self._base.tokenizer
        return len(tokenizer(self._order.prompt).input_ids) > int(tokenizer.model_max_length)

    def _whole(self, output: Any) -> Image.Image:  # noqa: ANN401 - the same
        picture = output.images[0]
        assert isinstance(picture, Image.Image), "pictures are what was asked for"  # noqa: S101 - narrows the type
        return picture

    def _turn(self, turn: Turn) -> dict[str, Any]:
        """Announce a model's turn, and return what makes its pipeline tell of every step."""
        if turn.own:
            self._told(turn, 0, b"")

        def after(pipeline: Any, index: int, _: Any, kept: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - the same
            self._told(turn, index + 1, self._previews.after(pipeline, kept["latents"]))
            return kept

        return {"callback_on_step_end": after, "callback_on_step_end_tensor_inputs": ["latents"]}

    def _told(self, turn: Turn, step: int, preview: bytes) -> None:
        if self._withdrawn.is_set():
            raise Withdrawn
        total = self._first.own + self._second.own
        own = {"part": turn.name, "part_step": step, "part_total": turn.own}
        self._tell({"step": turn.before + step, "total": total, **own}, preview)


def size_of(pipeline: Any, aspect_ratio: str) -> tuple[int, int]:  # noqa: ANN401 - the same
    """Return width and height in pixels: a megapixel in this shape, or as much as the model is made for."""
    side = pipeline.default_sample_size * pipeline.vae_scale_factor
    width, height = (round(each * side / NATIVE / GRAIN) * GRAIN for each in MEGAPIXEL[aspect_ratio])
    return width, height
