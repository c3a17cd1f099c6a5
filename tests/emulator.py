"""Google's own Firestore emulator, started from its jar: one process, one pid."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.loopback import TRUSTS_NOBODY

MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
JAR = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
START_SECONDS = 60
JAVA = ("java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Duser.language=en")
"""It lives for minutes: what the second compiler and more collectors would take pays off in hours."""


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """A running emulator: where it listens, and its process."""

    address: str
    process: subprocess.Popen[bytes]


def find_jar() -> Path | None:
    """Return the emulator's jar below the Cloud SDK, where java is there to run it."""
    gcloud = shutil.which("gcloud")
    if gcloud is None or shutil.which("java") is None:
        return None
    roots = Path(gcloud).resolve().parents
    return next((root / JAR for root in roots if (root / JAR).is_file()), None)


@contextmanager
def running(jar: Path, logs: Path) -> Iterator[Emulator]:
    """Run an emulator for the length of the block; it is warm when the block begins."""
    port = _free_port()
    command = [*JAVA, "-cp", str(jar), MAIN, "start", "--host=127.0.0.1"]
    with logs.open("wb") as out:
        process = subprocess.Popen([*command, f"--port={port}"], stdout=out, stderr=out, start_new_session=True)
    emulator = Emulator(address=f"127.0.0.1:{port}", process=process)
    try:
        _warm_up(emulator)
        yield emulator
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _warm_up(emulator: Emulator) -> None:
    """Wait until it answers, then write and read once: the first time takes a second."""
    documents = f"http://{emulator.address}/v1/projects/warm/databases/(default)/documents/warm"
    until = time.monotonic() + START_SECONDS
    with httpx.Client(timeout=START_SECONDS, verify=TRUSTS_NOBODY) as client:
        while True:
            assert emulator.process.poll() is None, "the emulator ended"
            assert time.monotonic() < until, "the emulator does not start"
            try:
                client.post(documents, json={"fields": {}}).raise_for_status()
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            client.get(documents).raise_for_status()
            return
