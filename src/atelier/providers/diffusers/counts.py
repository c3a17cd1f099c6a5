"""In how many steps a picture is made: asked of the schedulers, for cutting the number of steps in two comes out otherwise."""

from __future__ import annotations

from typing import Any

SPLIT = 0.8
"""The share of the noise that the base model removes where a refiner removes the rest."""

SECOND_ORDER = 2


def base_steps(scheduler: Any, steps: int, end: float | None) -> int:  # noqa: ANN401 - the library's schedulers share no type
    """Return how many of `steps` the base model takes until `end` of the noise is removed; None: all of it."""
    timesteps, cut = _timesteps(scheduler, steps), _cut(scheduler, end)
    return len(timesteps) if cut is None else sum(1 for each in timesteps if each >= cut)


def refiner_steps(scheduler: Any, steps: int, start: float) -> int:  # noqa: ANN401 - the same
    """Return how many of `steps` are left for a refiner that begins where `start` of the noise is removed."""
    cut = _cut(scheduler, start)
    left = sum(1 for each in _timesteps(scheduler, steps) if cut is not None and each < cut)
    halved = scheduler.order == SECOND_ORDER and left % 2 == 0  # a step in two halves is not cut between them
    return left + 1 if halved else left


def _timesteps(scheduler: Any, steps: int) -> list[float]:  # noqa: ANN401 - the same
    """Return the moments at which noise is removed; the scheduler itself may be in use, so another one is asked."""
    asked = type(scheduler).from_config(scheduler.config)
    asked.set_timesteps(steps)
    return [float(each) for each in asked.timesteps]


def _cut(scheduler: Any, share: float | None) -> float | None:  # noqa: ANN401 - the same
    whole = scheduler.config.num_train_timesteps
    return None if share is None else round(whole - share * whole)
