"""The models: loaded once, from a directory or Hugging Face's hub, and kept."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

from atelier.providers.diffusers.devices import device_of, dtype_of
from atelier.providers.diffusers.failures import Unloadable, kind_of

Loading = Callable[[str], None]
"""Is told which model is being loaded."""


class Models:
    """The base model and its refiner on one device. One picture at a time: they keep what they compute in themselves."""

    def __init__(self, *, model: str, refiner: str, device: str, dtype: str) -> None:
        self._names = {"base": model, "refiner": refiner}
        self.device = device_of(device)
        self._dtype = dtype_of(dtype, self.device)
        self._base: Any = None
        self._refiner: Any = None

    def base(self, loading: Loading) -> Any:  # noqa: ANN401 - diffusers is an optional part, seen without its types
        """Return the base model's pipeline. Raises Unloadable."""
        if self._base is None:
            loading("base")
            found = self._loaded(StableDiffusionXLPipeline, "base")
            if found.tokenizer is None:
                raise Unloadable("The base model has no words of its own: it is a refiner.")
            self._base = found
        return self._base

    def refiner(self, loading: Loading) -> Any:  # noqa: ANN401 - the same
        """Return the refiner's pipeline, which shares what it can with the base model's. Raises Unloadable."""
        if self._refiner is None:
            base = self.base(loading)
            loading("refiner")
            shared = {"text_encoder_2": base.text_encoder_2, "vae": base.vae}
            self._refiner = self._loaded(StableDiffusionXLImg2ImgPipeline, "refiner", **shared)
        return self._refiner

    def tidy(self) -> None:
        """Give back what a picture that did not fit left behind; the models stay."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.device.type == "mps":
            torch.mps.empty_cache()

    def _loaded(self, kind: Any, which: str, **shared: Any) -> Any:  # noqa: ANN401 - the same
        try:
            pipeline = self._read(kind, self._names[which], **shared)
            pipeline.to(self.device)
        except Exception as error:  # the libraries raise what they like: a file, a network, a shape
            if kind_of(error) == "out_of_memory":
                raise
            raise Unloadable(f"The {which} model cannot be loaded.") from error
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def _read(self, kind: Any, name: str, **shared: Any) -> Any:  # noqa: ANN401 - the same
        """Read the weights in half precision, which is half to fetch and to read, else as they are. Never a pickle, never code."""
        safely = {"use_safetensors": True, "trust_remote_code": False, "add_watermarker": False, "dtype": self._dtype}
        try:
            return kind.from_pretrained(name, variant="fp16", **safely, **shared)
        except (OSError, ValueError):  # no such variant; where it is something else, the second try says what
            return kind.from_pretrained(name, **safely, **shared)
