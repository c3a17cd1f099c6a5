"""A pool of keys from the settings, at a vendor whose address nobody answers: no key is ever seen."""

from __future__ import annotations

import socket
from typing import Any

from tests.images import ROOT, ended, submit
from tests.live import Serve

KEYS = [
    {"alias": "i1", "key": "canary-of-the-first-key-in-the-pool", "bucket": "p1"},
    {"alias": "i2", "key": "canary-of-the-second-key-in-the-pool", "bucket": "p2"},
]
"""Watched for in everything that leaves the service, as every secret of the settings is."""


async def test_a_configured_pool_draws_under_its_aliases(serve: Serve) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, and not listened to
        settings: dict[str, Any] = {
            "image_providers": ("gemini", "sandbox"),
            "pools": {"default": {"provider": "gemini", "rpm": 9, "keys": KEYS}},
            "providers": {"gemini": {"base_url": f"http://127.0.0.1:{nobody.getsockname()[1]}/v1beta"}},
            "retry_base_seconds": 0.05,
            "max_attempts": 2,
        }
        async with serve(**settings) as live:
            job = await ended(live, await submit(live, {"prompt": "A hill", "quality": "draft"}))
            assert (job["status"], job["result"]["provider"]) == ("completed", "sandbox")
            (warning,) = job["warnings"]
            assert warning.startswith("gemini was passed over: ")
            alone = await ended(live, await submit(live, {"prompt": "A hill", "provider": "gemini"}))
            assert (alone["status"], alone["error_code"]) == ("failed", "provider_unavailable")
            answer = (await live.client.get(f"{ROOT}/providers")).json()["providers"]
            listed = {each["name"]: each for each in answer}
    assert [(key["alias"], key["bucket"], key["state"]) for key in listed["gemini"]["keys"]] == [
        ("i1", "p1", "ok"),
        ("i2", "p2", "ok"),
    ]
    assert (listed["gemini"]["default"], listed["gemini"]["health"]["state"]) == (True, "failing")
    assert listed["sandbox"]["keys"] == []
