"""Owners' own keys between processes and on disk: a wrong encryption key, a rotation, a stolen database, a removal."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from tests.api.test_own_keys import ANNS, PATH, SERVICES, TOKEN, asked_with
from tests.api.test_vendors import noise
from tests.images import ROOT
from tests.process.servers import Server, free_port, log_of, running
from tests.process.test_main import run
from tests.providers.fakes import Fake, fake
from tests.providers.subjects import horde_error, horde_service
from tests.stories import DRAWN
from tests.stories import ROOT as STORIES

from atelier.stores.owner_keys import CACHE_SECONDS

__all__ = ["fake"]

BODY = {"stable_horde_api_key": ANNS, "hugging_face_api_token": TOKEN}
FIRST, SECOND = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def at(fake: Fake, **more: Any) -> dict[str, Any]:
    return {
        "image_providers": "none",
        "providers__stable_horde__base_url": fake.base,
        "fetch__allow_private": "true",
        "log_level": "debug",
        **more,
    }


async def drawn(server: Server) -> dict[str, Any]:
    made = await server.client.post(f"{ROOT}/generate", json={"prompt": "A hill"})
    return await ended(server, f"{ROOT}/jobs/{made.json()['job_id']}")


async def ended(server: Server, path: str) -> dict[str, Any]:
    async with asyncio.timeout(100):
        while True:
            found: dict[str, Any] = (await server.client.get(path)).json()
            if found["status"] in {"completed", "failed"}:
                return found
            await asyncio.sleep(0.1)


async def told(server: Server) -> str:
    """Have an illustrated story made; how it ended."""
    story = {**DRAWN, "image_count": 1}
    made = await server.client.post(f"{STORIES}/", json=story)
    assert made.status_code == 200, made.text
    await server.client.get(f"{STORIES}/{made.json()['id']}/images/stream/")
    return str((await ended(server, f"{STORIES}/{made.json()['id']}/"))["status"])


def rows(data: Path) -> list[tuple[str, ...]]:
    """Return every document about keys as the file has it."""
    store = sqlite3.connect(data / "atelier.db")
    found = store.execute("SELECT kind, name, rev, body FROM documents WHERE kind LIKE 'owner_keys%' ORDER BY 1, 2")
    kept = [tuple(row) for row in found]
    store.close()
    return kept


async def test_the_made_key_is_its_user_s_alone_and_the_thief_of_the_rest_has_nothing(
    tmp_path: Path, fake: Fake
) -> None:
    data, port = tmp_path / "data", free_port()
    fake.answer = horde_service(data=await asyncio.to_thread(noise, 256, 256))
    stories = {"text_providers": "sandbox", "providers__hugging_face__base_url": fake.base}
    settings = at(fake, encryption_keys="", secret_key="", **stories)
    async with running(data, port=port, **settings) as server:
        assert (await server.client.put(PATH, json=BODY)).status_code == 200
        assert (await drawn(server))["status"] == "completed"
        await server.client.put(PATH, json={"hugging_face_api_token": "not a token"})
        assert await told(server) == "completed"
        fake.answer = horde_service(placing=horde_error(403, "KudosUpfront", f"Your key {ANNS} has too little."))
        assert await told(server) == "failed"
        assert (data / "atelier.db-wal").stat().st_size, "what was written last is searched, too"
    assert asked_with(fake)[0] == ANNS
    assert {ANNS, f"Bearer {TOKEN}"} <= set(asked_with(fake))
    key = data / "encryption.key"
    assert key.stat().st_mode & 0o777 == 0o600
    made = key.read_bytes()
    for path in data.rglob("*"):
        if path.is_file() and path != key:
            content = path.read_bytes()
            assert not [secret for secret in (ANNS.encode(), TOKEN.encode(), made) if secret in content], path
    log = log_of(data, port)
    assert not [secret for secret in (ANNS, TOKEN, made.decode()) if secret in log]
    before = rows(data)
    key.unlink()  # the thief has everything else
    code, _, said = await run(tmp_path, ATELIER_IMAGE_PROVIDERS="none", ATELIER_ENVIRONMENT="development")
    assert (code, "does not open the provider keys" in said) == (78, True)
    assert rows(data) == before
    key.write_bytes(made)
    async with running(data, port=port, **settings) as server:
        assert (await server.client.get(PATH)).json() == dict.fromkeys(BODY, True)


def files(data: Path) -> dict[str, bytes]:
    """Return every file that holds anything, as it is on the disk."""
    return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}


async def test_a_wrong_encryption_key_refuses_the_start_unsaid_and_changes_nothing(tmp_path: Path, fake: Fake) -> None:
    """Not a byte of what the last process left when it ended."""
    data = tmp_path / "data"
    async with running(data, **at(fake, encryption_keys=FIRST, secret_key="")) as server:
        await server.client.put(PATH, json=BODY)
        await server.signal(signal.SIGTERM)
    before, left = rows(data), files(data)
    assert len(before) == 2
    for wrong in (SECOND, f"{SECOND},{FIRST[1:]}"):
        code, output, said = await run(tmp_path, ATELIER_ENCRYPTION_KEYS=wrong)
        assert (code, output) == (78, "")
        assert "ATELIER_ENCRYPTION_KEYS" in said
        assert not [part for part in (*wrong.split(","), FIRST) if part in said]
        assert files(data) == left
        assert rows(data) == before
    async with running(data, **at(fake, encryption_keys=FIRST)) as server:
        assert (await server.client.get(PATH)).json() == dict.fromkeys(BODY, True)


async def test_keys_are_rotated_by_a_command_beside_a_running_server(tmp_path: Path, fake: Fake) -> None:
    data = tmp_path / "data"
    async with running(data, **at(fake, encryption_keys=FIRST)) as server:
        await server.client.put(PATH, json=BODY)
    async with running(data, **at(fake, encryption_keys=f"{SECOND}, {FIRST}")) as server:
        assert (await server.client.get(PATH)).json() == dict.fromkeys(BODY, True)
        code, output, said = await run(tmp_path, "keys", "rotate", ATELIER_ENCRYPTION_KEYS=f"{SECOND},{FIRST}")
        assert (code, output, said) == (0, "2 keys of owners are encrypted with the first encryption key now.\n", "")
    async with running(data, **at(fake, encryption_keys=SECOND)) as server:
        assert (await server.client.get(PATH)).json() == dict.fromkeys(BODY, True)
    lost = {"ATELIER_ENCRYPTION_KEYS": FIRST}
    code, output, _ = await run(tmp_path, "keys", "rotate", "--forget-unreadable", **lost)
    assert (code, "2 cannot be read with any of the encryption keys and were removed." in output) == (0, True)
    async with running(data, **at(fake, encryption_keys=FIRST)) as server:
        assert (await server.client.get(PATH)).json() == dict.fromkeys(BODY, False)


async def test_a_key_removed_in_one_process_is_soon_out_of_use_in_the_other(tmp_path: Path, fake: Fake) -> None:
    data = tmp_path / "data"
    fake.answer = horde_service(data=await asyncio.to_thread(noise, 256, 256))
    settings = at(fake, image_providers="stable_horde", providers__stable_horde__api_key=SERVICES)
    async with running(data, role="web", **settings) as web, running(data, role="worker", **settings):
        await web.client.put(PATH, json=BODY)
        await drawn(web)
        assert asked_with(fake) == [ANNS]
        assert (await web.client.delete(PATH)).status_code == 204
        removed = time.monotonic()
        assert (await web.client.get(PATH)).json() == dict.fromkeys(BODY, False)
        await asyncio.sleep(max(0.0, removed + CACHE_SECONDS - time.monotonic()))
        assert (await drawn(web))["status"] == "completed"
        assert asked_with(fake) == [ANNS, SERVICES]
