"""`main.py` with the adapters of `faults` put before the real ones.

A file `patience` beside the data directory may say for how many seconds another process's lock is waited for (`busy`),
and a client that takes nothing (`unread`).
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from tests.process import faults

from atelier import wiring
from atelier.api import streams
from atelier.settings import Settings
from atelier.stores.sqlite import schema
from atelier.wiring import Adapters

ROOT = Path(__file__).parent.parent.parent
build = wiring.build_adapters


def build_faulty(settings: Settings) -> Adapters:
    folder = settings.data_dir.parent
    if (folder / "patience").exists():
        patience = json.loads((folder / "patience").read_text())
        schema.BUSY_SECONDS = patience.get("busy", schema.BUSY_SECONDS)
        streams.SEND_SECONDS = streams.UNREAD_SECONDS = patience.get("unread", streams.SEND_SECONDS)
    return faults.wrapped(build(settings), folder)


if __name__ == "__main__":
    wiring.build_adapters = build_faulty
    runpy.run_path(str(ROOT / "main.py"), run_name="__main__")
