"""What the models' process would work with: `python -m atelier.providers.diffusers.look WHICH`; loads no model."""

from __future__ import annotations

import json
import sys

import torch
from huggingface_hub import try_to_load_from_cache

from atelier.providers.diffusers.devices import device_of, dtype_of
from atelier.providers.diffusers.failures import NoDevice
from atelier.providers.diffusers.provider import is_directory


def seen(which: dict[str, str]) -> dict[str, str]:
    """Return a sentence: what was `seen`, or what is `wrong`."""
    try:
        device = device_of(which["device"])
    except NoDevice as error:
        return {"wrong": str(error)}
    dtype = str(dtype_of(which["dtype"], device)).removeprefix("torch.")
    models = "; ".join(f"{name} {_place_of(name)}" for name in (which["model"], which["refiner"]) if name)
    return {"seen": f"draws on {device} in {dtype} with torch {torch.__version__}; {models}"}


def _place_of(model: str) -> str:
    if is_directory(model) or isinstance(try_to_load_from_cache(model, "model_index.json"), str):
        return "is here"
    return "is fetched from the hub with the first picture (several GB)"


if __name__ == "__main__":
    print(json.dumps(seen(json.loads(sys.argv[1]))))  # noqa: T201 - the answer
