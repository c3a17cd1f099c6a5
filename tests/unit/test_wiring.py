"""What is behind the ports, and what is not even imported."""

from __future__ import annotations

import subprocess
import sys

VENDORS = ("google.api_core", "google.auth", "google.cloud.tasks_v2", "grpc")


def test_the_default_backends_import_nothing_of_google_s() -> None:
    script = f"import sys, atelier.app; print([name for name in {VENDORS} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert printed.stdout == "[]\n"
