"""What tests in the browser stand on: a server whose port and data outlast its process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.live import ROOT
from tests.process.servers import MAIN, Nursery, free_port

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
PATIENCE = 40_000


class Server:
    """`main.py` on a port and a data directory that outlast its process, which the nursery forks."""

    def __init__(self, data: Path, **settings: str) -> None:
        self._settings = settings
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._data = data
        self.start()

    def start(self) -> None:
        settings = {
            "PORT": str(self.port),
            "ATELIER_DATA_DIR": str(self._data),
            "ATELIER_SWEEP_SECONDS": "0.5",
            "ATELIER_GRACE_SECONDS": "0",
            "ATELIER_LOG_LEVEL": "warning",
            "PYTHONPATH": str(ROOT),
            **self._settings,
        }
        self._process = Nursery.order(MAIN, {**os.environ, **settings}, self._data.parent / f"server-{self.port}.log")
        until = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < until:
            try:
                self.read("/health")
            except OSError:
                time.sleep(0.02)
            else:
                return
        self.kill()
        pytest.fail("The server did not start.")

    def run(self, *arguments: str) -> str:
        """Run a command of main.py on the same data; what it prints."""
        settings = {"ATELIER_DATA_DIR": str(self._data), **self._settings}
        command = [sys.executable, "main.py", *arguments]
        environment = {**os.environ, **settings}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, check=True, timeout=PATIENCE / 1000, text=True
        )
        return done.stdout.strip()

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        """Send the signal and wait for the process's end; who goes without an answer takes the process along."""
        with self._process as process, contextlib.suppress(BrokenPipeError):
            process.sendall(b"%d\n" % number)
            process.recv(16)

    def read(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE / 1000) as response:  # noqa: S310 - our own server
            return json.load(response)

    def ask(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=PATIENCE / 1000) as response:  # noqa: S310 - our own server
            return json.load(response)
