"""`main.py` whose store another program locks when it has been tried and the service is about to open it."""

from __future__ import annotations

import runpy
import sqlite3
from pathlib import Path

from atelier import wiring
from atelier.settings import Settings

ROOT = Path(__file__).parent.parent.parent
check = wiring.check_start
LOCKS: list[sqlite3.Connection] = []


async def check_and_lock(settings: Settings) -> None:
    await check(settings)
    lock = sqlite3.connect(settings.data_dir / "atelier.db", isolation_level=None)
    lock.execute("PRAGMA locking_mode = EXCLUSIVE")
    lock.execute("BEGIN EXCLUSIVE")
    LOCKS.append(lock)


if __name__ == "__main__":
    wiring.check_start = check_and_lock
    runpy.run_path(str(ROOT / "main.py"), run_name="__main__")
