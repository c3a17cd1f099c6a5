"""What tests in the browser stand on: a server whose port and data outlast its process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.live import ROOT

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
PATIENCE = 20_000


class Server:
    """`main.py` on a port and a data directory that outlast its process."""

    def __init__(self, data: Path, **settings: str) -> None:
        self._settings = settings
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._data = data
        self.start()

    def start(self) -> None:
        settings = {
            "PORT": str(self.port),
            "ATELIER_DATA_DIR": str(self._data),
            "ATELIER_LEASE_SECONDS": "2",
            "ATELIER_SWEEP_SECONDS": "0.5",
            "ATELIER_GRACE_SECONDS": "0",
            "ATELIER_LOG_LEVEL": "warning",
            **self._settings,
        }
        self._process = subprocess.Popen([sys.executable, "main.py"], cwd=ROOT, env={**os.environ, **settings})
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                self.read("/health")
            except OSError:
                time.sleep(0.1)
            else:
                return
        pytest.fail("The server did not start.")

    def run(self, *arguments: str) -> str:
        """Run a command of main.py on the same data; what it prints."""
        settings = {"ATELIER_DATA_DIR": str(self._data), **self._settings}
        command = [sys.executable, "main.py", *arguments]
        environment = {**os.environ, **settings}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, check=True, timeout=20, text=True
        )
        return done.stdout.strip()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def read(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=5) as response:  # noqa: S310 - our own server
            return json.load(response)

    def ask(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - our own server
            return json.load(response)
