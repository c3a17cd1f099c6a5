"""Prints what only the libraries know: `python tests/providers/library_facts.py MODELS FOLDER`.

In how many steps both models draw, as counted before and as drawn; how models fail that must not be loaded; and what it
costs to tell of every step.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from bench import progress
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler

from atelier.providers.diffusers.counts import SPLIT, base_steps, refiner_steps
from atelier.providers.diffusers.drawing import Drawing, Order
from atelier.providers.diffusers.failures import kind_of, story_of
from atelier.providers.diffusers.models import Models

SCHEDULERS = (EulerDiscreteScheduler, DPMSolverMultistepScheduler, DDIMScheduler, HeunDiscreteScheduler)
ASKED = (50, 40, 30, 25, 10, 4, 2, 1)


def loading(_: str) -> None:
    """Take no notice."""


def counted(models: Models, steps: int) -> list[int]:
    base, refiner = models.base(loading), models.refiner(loading)
    return [base_steps(base.scheduler, steps, SPLIT), refiner_steps(refiner.scheduler, steps, SPLIT)]


def drawn(models: Models, steps: int) -> list[int]:
    """Return how many steps each model told of, when it really drew."""
    told: list[dict[str, Any]] = []
    order = Order(
        prompt="a", negative_prompt="", aspect_ratio="1:1", steps=steps, refine=True, seed=1, preview_seconds=9
    )
    base, refiner = models.base(loading), models.refiner(loading)
    Drawing(order, base, refiner, tell=lambda step, _: told.append(step), withdrawn=threading.Event()).picture()
    return [sum(step["part"] == part and step["part_step"] > 0 for step in told) for part in ("base_model", "refiner_model")]  # fmt: skip


def schedulers(models: Models) -> dict[str, list[list[list[int]]]]:
    base, refiner = models.base(loading), models.refiner(loading)
    found: dict[str, list[list[list[int]]]] = {}
    for kind in SCHEDULERS:
        base.scheduler = refiner.scheduler = kind.from_config(base.scheduler.config)
        found[kind.__name__] = [[counted(models, steps), drawn(models, steps)] for steps in (10, 7, 3)]
    return found


def failure(**which: str) -> tuple[str, str]:
    """Return the kind and the story of what loading the base model raises."""
    try:
        Models(**{"refiner": "", "device": "", "dtype": "", **which}).base(loading)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is asked for
        return kind_of(error), story_of(error)
    return "loaded", ""


def failures(models: Path, folder: Path) -> dict[str, tuple[str, str]]:
    """Return how each failed, by what it has to say."""
    pickled = folder / "pickled"
    shutil.copytree(models / "base", pickled)
    weights = pickled / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    return {
        "no file named diffusion_pytorch_model.safetensors": failure(model=str(pickled)),
        "it is a refiner": failure(model=str(models / "refiner")),
        "nobody/has-this": failure(model="nobody/has-this"),
        "no device cuda:9": failure(model=str(models / "base"), device="cuda:9"),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    models = Models(model=str(folder / "base"), refiner=str(folder / "refiner"), device="cpu", dtype="")
    found = {
        "telling": progress.told(models, 60),
        "table": {steps: counted(models, steps) for steps in ASKED},
        "schedulers": schedulers(models),
        "failures": failures(folder, Path(sys.argv[2])),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
