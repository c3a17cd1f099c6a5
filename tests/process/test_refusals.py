"""A store that cannot be trusted or written refuses the start: exit code 78, the path in the sentence, nothing changed.

One that is only away for now refuses it with 75.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.history import History
from tests.process.servers import FAULTY, HERE, free_port, log_of, running, start

PAGE = 4096
PLAIN = HERE / "plain_server.py"
LATE_LOCK = HERE / "late_lock_server.py"


async def filled(data: Path) -> Path:
    """Let a server do some work and end in order; its store."""
    port = free_port()
    async with History(port) as history, running(data, script=FAULTY, port=port) as server:
        for _ in range(10):
            await history.submit(prompt="A hill " * 500)
        await history.settle()
        await server.signal(signal.SIGTERM)
    return data / "atelier.db"


async def refused(data: Path, *, code: int = 78, script: Path = PLAIN, **settings: Any) -> str:
    """Start where that is refused; what it says."""
    port = free_port()
    process = await start(data, script=script, port=port, **settings)
    try:
        assert await asyncio.wait_for(process.wait(), 100) == code, log_of(data, port)
    finally:
        process.kill()
    text = log_of(data, port)
    assert "Traceback" not in text or script is LATE_LOCK
    return text


def one_page(store: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    chance = random.Random(seed)
    with store.open("r+b") as file:
        file.seek(PAGE * chance.randrange(store.stat().st_size // PAGE))
        file.write(chance.randbytes(PAGE))


def half_of_it(store: Path) -> None:
    with store.open("r+b") as file:
        file.truncate(store.stat().st_size // PAGE // 2 * PAGE)


def the_first_bytes(store: Path) -> None:
    with store.open("r+b") as file:
        file.write(b"PNG, perhaps")


def in_a_read_only_folder(store: Path) -> None:
    store.parent.chmod(0o500)


@pytest.mark.parametrize("harm", [one_page, half_of_it, the_first_bytes, in_a_read_only_folder])
async def test_a_store_that_is_not_as_it_was_refuses_the_start(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    store = await filled(tmp_path / "data")
    harm(store)
    before = store.read_bytes()
    try:
        text = await refused(tmp_path / "data")
        assert str(tmp_path / "data") in text
        assert store.read_bytes() == before
    finally:
        store.parent.chmod(0o700)


async def test_mended_permissions_are_enough(tmp_path: Path) -> None:
    store = await filled(tmp_path / "data")
    before = store.read_bytes()
    store.chmod(0o400)
    assert str(store) in await refused(tmp_path / "data")
    assert store.read_bytes() == before
    store.chmod(0o600)
    async with running(tmp_path / "data", script=PLAIN) as server:
        jobs = (await server.client.get("/api/v1/images/jobs")).json()["jobs"]
    assert [job["status"] for job in jobs] == ["completed"] * 10


async def test_a_store_that_is_locked_is_worth_another_start(tmp_path: Path) -> None:
    store = await filled(tmp_path / "data")
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        assert "is locked by another process" in await refused(tmp_path / "data", code=75)


async def test_a_store_that_is_locked_while_the_service_starts_is_worth_another_start(tmp_path: Path) -> None:
    text = await refused(tmp_path / "data", code=75, script=LATE_LOCK)
    assert "is locked by another process" in text
    assert text.splitlines()[-2] == "atelier does not start:"


async def test_a_firestore_that_does_not_answer_is_worth_another_start(tmp_path: Path) -> None:
    away = f"127.0.0.1:{free_port()}"
    cloud: dict[str, Any] = {
        "firestore_emulator_host": away,
        "store__kind": "firestore",
        "store__project": "p",
        "secret_key": "s3cret-" * 6,
        "queue__kind": "cloud_tasks",
        "queue__project": "p",
        "queue__location": "europe-west1",
        "queue__name": "jobs",
        "queue__worker_url": f"http://{away}",
        "queue__endpoint": away,
        "oidc__email": "worker@example.org",
    }
    assert "Firestore in project 'p'" in await refused(tmp_path / "data", code=75, **cloud)
