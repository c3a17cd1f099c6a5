"""What computes, and in which numbers: the best there is, unless something else was asked for."""

from __future__ import annotations

from typing import Any

import torch

from atelier.providers.diffusers.failures import NoDevice


def device_of(wanted: str) -> Any:  # noqa: ANN401 - torch is an optional part, seen without its types
    """Return the device of this name; empty: CUDA, else Apple's GPU, else the CPU. Raises NoDevice."""
    if not wanted:
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _mps() else "cpu")
    kind, _, number = wanted.partition(":")
    there = {"cuda": torch.cuda.device_count(), "mps": int(_mps()), "cpu": 1}
    if there.get(kind, 0) <= int(number or 0):
        found = ", ".join(f"{name} ({count})" for name, count in there.items() if count)
        raise NoDevice(f"There is no device {wanted}; there is {found}.")
    return torch.device(wanted)


def dtype_of(wanted: str, device: Any) -> Any:  # noqa: ANN401 - the same
    """Return the numbers of this name; empty: float16 on a GPU, else float32, for few CPUs compute faster in halves."""
    return getattr(torch, wanted or ("float32" if device.type == "cpu" else "float16"))


def _mps() -> bool:
    return bool(torch.backends.mps.is_available())
