"""`main.py` with the adapters of `faults` put before the real ones, and with the constants that the test wants."""

from __future__ import annotations

import runpy
from pathlib import Path

from tests.process import faults

from atelier import wiring
from atelier.settings import Settings
from atelier.wiring import Adapters

ROOT = Path(__file__).parent.parent.parent
build = wiring.build_adapters


def build_faulty(settings: Settings) -> Adapters:
    folder = settings.data_dir.parent
    faults.Constants(folder).apply()
    return faults.wrapped(build(settings), folder)


if __name__ == "__main__":
    wiring.build_adapters = build_faulty
    runpy.run_path(str(ROOT / "main.py"), run_name="__main__")
