"""The server with a disk of one megabyte for storyboards' projects, which nobody else sees. Exits 77 where that cannot be."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from tests.live import ROOT
from tests.process.small_disk_server import own_disk

if __name__ == "__main__":
    projects = Path(os.environ["ATELIER_STORYBOARDS__ROOT"])
    projects.mkdir(parents=True)
    own_disk(projects, 1)
    runpy.run_path(str(ROOT / "main.py"), run_name="__main__")
