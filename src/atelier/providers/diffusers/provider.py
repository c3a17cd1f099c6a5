"""Diffusers: Stable Diffusion XL on this machine, with or without its refiner. Nothing to pay; one picture at a time."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import secrets
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

from atelier.errors import ProviderUnavailable
from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest, Offer, Terms
from atelier.providers.diffusers.host import Host
from atelier.providers.likeness import RATIOS, STYLES, worded

MODEL: Final = "stabilityai/stable-diffusion-xl-base-1.0"
REFINER: Final = "stabilityai/stable-diffusion-xl-refiner-1.0"
SHARES: Final = {"draft": 0.3, "standard": 0.6, "high": 1.0, "ultra": 1.0}
"""Which part of the steps a quality takes; a refined picture takes all, unless it is a draft."""

REFINED: Final = "ultra"
"""The quality that is refined without being asked to."""

LARGEST_SEED: Final = 4294967294
LIBRARIES: Final = ("torch", "diffusers", "transformers", "accelerate", "safetensors")
LOOK: Final = "atelier.providers.diffusers.look"
LOOK_SECONDS: Final = 14.0


class Diffusers:
    """`pipelines.ports.ImageProvider` that draws here. Models are directories or names on Hugging Face's hub.

    `refiner` empty: there is none. `device` and `dtype` empty: the best there is. `steps`: of a picture of high quality,
    over both models. `timeout`: for drawing one picture, the wait for its turn and for the models not counted.
    `preview`: how far apart previews come at least.
    """

    name = "diffusers"

    def __init__(
        self,
        *,
        model: str,
        refiner: str,
        device: str,
        dtype: str,
        steps: int,
        timeout: timedelta,
        preview: timedelta = timedelta(seconds=1),
    ) -> None:
        self._model, self._refiner, self._preview = model, refiner, preview
        self._which = {"model": _at_home(model), "refiner": _at_home(refiner), "device": device, "dtype": dtype}
        self._steps = {quality: max(round(steps * share), 1) for quality, share in SHARES.items()} | {"": steps}
        self._host = Host(self._which, timeout)
        self.terms = Terms(
            abort="confirmed_by_provider", abort_billed="no", billed="no", prices=dict.fromkeys(SHARES, 0.0)
        )
        self.offer = Offer(
            models=tuple(_shown(each) for each in (model, refiner) if each),
            styles=tuple(STYLES),
            aspect_ratios=RATIOS,
            qualities=tuple(SHARES),
            formats=("png", "jpeg", "webp"),
            steps={quality: self._steps[quality] for quality in SHARES},
            refines=bool(refiner),
            at_once=1,
        )

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:
        """Draw when everybody before has had theirs. Cancelling stops within a step."""
        refine = bool(self._refiner) and (request.refine or request.quality == REFINED)
        seed = request.seed if request.seed is not None else secrets.randbelow(LARGEST_SEED + 1)
        steps = self._steps["" if refine and request.quality != "draft" else request.quality]
        order = {
            "prompt": worded(request.prompt, request.style),
            "negative_prompt": request.negative_prompt,
            "aspect_ratio": request.aspect_ratio,
            "steps": steps,
            "refine": refine,
            "seed": seed,
            "preview_seconds": self._preview.total_seconds(),
        }
        drawn = await self._host.draw({"order": order, "format": request.output_format}, desk)
        model = " + ".join(_shown(each) for each in ((self._model, self._refiner) if refine else (self._model,)))
        return GeneratedImage(
            data=drawn.data, provider=self.name, model=model, seed=seed, cost=0.0, warnings=drawn.warnings
        )

    async def ping(self) -> None:
        """Answer if the libraries are here and the directories there. Raises ProviderUnavailable."""
        lacking = await asyncio.to_thread(missing, self._model, self._refiner)
        if lacking is not None:
            raise ProviderUnavailable(lacking)

    async def examine(self) -> str:
        """Say what draws, in which numbers, and where the models are; nothing is loaded. Raises ProviderUnavailable."""
        await self.ping()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", LOOK, json.dumps(self._which), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )  # fmt: skip
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                printed, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        seen = (
            json.loads(printed) if printed else {"wrong": "The libraries of the extra `diffusers` cannot be imported."}
        )
        if "wrong" in seen:
            raise ProviderUnavailable(seen["wrong"])
        return str(seen["seen"])

    async def close(self) -> None:
        """End the models' process."""
        await self._host.close()


def missing(*models: str) -> str | None:
    """Return what is not here, as a sentence: the libraries, or a directory. Blocking."""
    absent = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if absent:
        return f"The optional part diffusers is not installed ({', '.join(absent)}): run `make local-gpu`."
    for model in models:
        if is_directory(model) and not (Path(model).expanduser() / "model_index.json").is_file():
            return f"{model} is no directory with a model (it has no model_index.json)."
    return None


def is_directory(model: str) -> bool:
    """Whether a model's name is that of a directory, not one on the hub. Blocking."""
    return model.startswith((".", "/", "~")) or (bool(model) and Path(model).is_dir())


def _at_home(model: str) -> str:
    return str(Path(model).expanduser()) if model.startswith("~") else model


def _shown(model: str) -> str:
    """Return a model's name without the directories above it."""
    return Path(model).name if Path(model).is_absolute() or model.startswith((".", "~")) else model
