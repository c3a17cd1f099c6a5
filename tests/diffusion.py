"""Small models of SDXL's shape on this disk, and a provider that draws with them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.live import ROOT, needs

from atelier.providers.diffusers.provider import Diffusers, missing

ALONE = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}
"""Nothing is fetched, and as many run at once as the machine has to give."""


SIDES = (64, 256, 512)
"""The pictures' sizes; each is one file's own, for its tests may move its models away."""


def run(script: str, *arguments: str) -> str:
    """Run one of the scripts that load the libraries, outside of this process; return what it prints."""
    command = [sys.executable, str(ROOT / "tests" / "providers" / script), *arguments]
    environment = {**os.environ, **ALONE, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def built(factory: pytest.TempPathFactory, *sides: int) -> list[Path]:
    """Return models that draw pictures of so many pixels. Skips, or fails in CI, where the libraries are missing.

    They are built once for all files, whichever process asks first: to load the libraries takes a processor ten seconds.
    """
    needs(missing() is None, "the optional part diffusers (make local-gpu)")
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "models").exists():
            run("tiny_models.py", str(shared / "building"), *map(str, SIDES))
            (shared / "building").rename(shared / "models")
    return [shared / "models" / str(side) for side in sides]


def provider(models: Path, **more: Any) -> Diffusers:
    usual: dict[str, Any] = {
        "model": str(models / "base"),
        "refiner": str(models / "refiner"),
        "device": "cpu",
        "dtype": "",
        "steps": 50,
        "timeout": timedelta(seconds=100),
        "preview": timedelta(0),
    }
    return Diffusers(**{**usual, **more})


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
