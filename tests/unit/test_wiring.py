"""What is behind the ports, and what is not even imported."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from atelier.queues.cloud_tasks import CloudTasksQueue
from atelier.queues.embedded import EmbeddedQueue
from atelier.settings import Settings
from atelier.wiring import Services, build_adapters, build_services

VENDORS = ("google.api_core", "google.auth", "google.cloud.tasks_v2", "grpc")
CLOUD: dict[str, Any] = {
    "google_cloud_project": "everything",
    "store": {"kind": "firestore"},
    "queue": {
        "kind": "cloud_tasks",
        "location": "europe-west1",
        "name": "jobs",
        "worker_url": "https://worker.example/",
    },
    "oidc": {"email": "carrier@project.iam.gserviceaccount.com"},
}


def services(folder: Path, **settings: Any) -> Services:
    """Build on the default store, whatever the settings say."""
    return build_services(Settings(data_dir=folder, **settings), build_adapters(Settings(data_dir=folder)))


def test_the_default_backends_import_nothing_of_google_s() -> None:
    script = f"import sys, atelier.app; print([name for name in {VENDORS} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert printed.stdout == "[]\n"


def test_jobs_are_carried_inside_unless_told_otherwise(tmp_path: Path) -> None:
    made = services(tmp_path)
    assert isinstance(made.queue, EmbeddedQueue)
    assert made.deliveries is None
    assert made.engine._runner._policy.longest_run is None


@pytest.mark.parametrize(
    ("oidc", "queue", "audience", "project"),
    [({}, {}, "https://worker.example", "everything"), ({"audience": "told"}, {"project": "own"}, "told", "own")],
)
def test_cloud_tasks_is_told_what_the_worker_believes(
    tmp_path: Path, oidc: dict[str, str], queue: dict[str, str], audience: str, project: str
) -> None:
    made = services(tmp_path, **{**CLOUD, "oidc": CLOUD["oidc"] | oidc, "queue": CLOUD["queue"] | queue})
    assert isinstance(made.queue, CloudTasksQueue)
    assert made.queue._queue == f"projects/{project}/locations/europe-west1/queues/jobs"
    target = made.queue._target
    assert (target.url, target.audience) == ("https://worker.example/api/v1/worker", audience)
    assert made.deliveries is not None
    believed = made.deliveries._issuer._expected  # type: ignore[attr-defined]
    assert (believed["aud"], believed["email"]) == (target.audience, target.email)
    longest = made.engine._runner._policy.longest_run
    assert longest is not None
    assert target.longest - longest == timedelta(minutes=1), "it is handed back before the delivery is given up"
