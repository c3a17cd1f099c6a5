"""`main.py` as people and init systems use it: its commands, what it refuses, what it never writes down."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.images import NOOP, ROOT, events_of
from tests.live import ROOT as REPOSITORY
from tests.process.servers import MAIN, Nursery, Process, free_port, log_of, running, start

SECRET = "the-secret-of-this-test"
SAFE = {
    "ATELIER_ENVIRONMENT": "production",
    "ATELIER_SECRET_KEY": "s3cret-" * 6,
    "ATELIER_PUBLIC_URL": "https://atelier.example.org",
    "ATELIER_CORS_ORIGINS": "https://www.example.org",
    "ATELIER_SANDBOX": "on",
}


async def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run main.py to its end by the nursery; its exit code and what it said."""
    return await _ran(folder, arguments, environment, fresh=False)


async def run_fresh(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Do the same in a new interpreter, which takes seconds to begin."""
    return await _ran(folder, arguments, environment, fresh=True)


async def _ran(
    folder: Path, arguments: tuple[str, ...], environment: dict[str, str], *, fresh: bool
) -> tuple[int, str, str]:
    settings = {"ATELIER_DATA_DIR": str(folder / "data"), "PYTHONPATH": str(REPOSITORY / "src"), **environment}
    process, output, said = await _begun(folder, arguments, {**os.environ, **settings}, fresh=fresh)
    try:
        await asyncio.wait_for(process.wait(), 100)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    written = output.read_text(), said.read_text()
    output.unlink()
    said.unlink()
    return process.returncode or 0, *written


async def _begun(
    folder: Path, arguments: tuple[str, ...], environment: dict[str, str], *, fresh: bool
) -> tuple[Process, Path, Path]:
    output, said = folder / "output", folder / "said"
    if not fresh:
        return await Nursery.fork(MAIN, environment, output, *arguments, errors=said), output, said
    with output.open("wb") as out, said.open("wb") as errors:
        command = (sys.executable, str(MAIN), *arguments)
        process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=out, stderr=errors)
    return process, output, said


async def test_a_start_that_is_not_safe_is_refused_in_words(tmp_path: Path) -> None:
    code, output, said = await run_fresh(tmp_path, ATELIER_ENVIRONMENT="production", ATELIER_AUTH="open")
    assert (code, output) == (78, "")
    assert "Traceback" not in said
    for name in ("AUTH", "SECRET_KEY", "PUBLIC_URL", "CORS_ORIGINS"):
        assert f"In production ATELIER_{name} must " in said
    code, _, said = await run(tmp_path, **{**SAFE, "ATELIER_SECRET_KEY": "short"})
    assert code == 78
    assert said.splitlines()[0] == "atelier does not start:"
    assert "short" not in said
    assert len(said.splitlines()) == 2


async def test_a_safe_production_serves_with_keys_alone(tmp_path: Path) -> None:
    settings: dict[str, Any] = {name.removeprefix("ATELIER_").lower(): value for name, value in SAFE.items()}
    code, key, _ = await run(tmp_path, "keys", "create", "ann", **SAFE)
    assert code == 0
    async with running(tmp_path / "data", **settings) as server:
        assert (await server.client.get(f"{ROOT}/jobs")).status_code == 401
        headers = {"Authorization": f"Bearer {key.strip()}"}
        made = await server.client.post(f"{ROOT}/generate", json=NOOP, headers=headers)
        assert made.json()["urls"]["self"].startswith("https://atelier.example.org/api/")
        page = {**headers, "Origin": "http://localhost:3000"}
        assert (await server.client.post(f"{ROOT}/generate", json=NOOP, headers=page)).status_code == 403


async def test_keys_are_made_listed_and_revoked_beside_a_running_server(tmp_path: Path) -> None:
    async with running(tmp_path / "data", auth="keys") as server:
        code, key, said = await run_fresh(tmp_path, "keys", "create", "ann")
        assert (code, said) == (0, "")
        assert re.fullmatch(r"atelier_\w{16}_[\w-]{43}\n", key), "the key alone"
        headers = {"Authorization": f"Bearer {key.strip()}"}
        assert (await server.client.get(f"{ROOT}/jobs", headers=headers)).status_code == 200
        _, listed, _ = await run(tmp_path, "keys", "list")
        key_id, created_at, owner = listed.split()
        assert owner == "ann"
        assert key_id in key
        assert created_at.endswith("+00:00")
        assert key.split("_", 2)[2].strip() not in listed
        assert (await run(tmp_path, "keys", "revoke", key_id))[0] == 0
        async with asyncio.timeout(60):
            while (await server.client.get(f"{ROOT}/jobs", headers=headers)).status_code != 401:
                await asyncio.sleep(0.2)
        assert (await run(tmp_path, "keys", "list"))[1] == ""


WRONG = {
    ("keys", "create", "local"): "The names anonymous and local are the service's own.",
    ("keys", "create", "a b"): "An owner's name is 1 to 64 letters",
    ("keys", "revoke", "\udcff"): "There is no key with this id; `keys list` shows them.",
    ("keys", "revoke", "0123"): "There is no key with this id; `keys list` shows them.",
}


async def test_wrong_uses_are_told_in_one_sentence(tmp_path: Path) -> None:
    for arguments, sentence in WRONG.items():
        code, output, said = await run(tmp_path, *arguments)
        assert (code, output) == (64, "")
        assert said.startswith(sentence)
        assert len(said.splitlines()) == 1


async def test_no_key_and_no_ticket_is_ever_in_the_log_or_the_store(tmp_path: Path) -> None:
    data = tmp_path / "data"
    _, key, _ = await run(tmp_path, "keys", "create", "ann")
    key = key.strip()
    headers = {"Authorization": f"Bearer {key}"}
    async with running(data, auth="keys", log_level="debug", secret_key=SECRET) as server:
        made = await server.client.post(f"{ROOT}/generate", json=NOOP, headers=headers)
        path = f"{ROOT}/jobs/{made.json()['job_id']}"
        ticket = (await server.client.post(f"{path}/ticket", headers=headers)).json()["ticket"]
        watched = await server.client.get(f"{path}/stream", params={"ticket": ticket})
        assert events_of(watched.text)
        for wrong in ({"ticket": ticket + "x"}, {"ticket": key}, {"key": key}):
            assert (await server.client.get(path, params=wrong)).status_code == 401
        await server.client.post(f"{ROOT}/generate?key={key}", content=b"{", headers={"Authorization": f"Basic {key}"})
        broken = await server.client.get(f"{ROOT}/nowhere/{made.json()['job_id']}", params={"ticket": ticket})
        assert broken.status_code == 404
        port = int(str(server.client.base_url).rsplit(":", 1)[1].strip("/"))
        await server.signal(signal.SIGTERM)
    log = log_of(data, port)
    assert any(json.loads(line)["action"] == "request" for line in log.splitlines() if line.startswith("{"))
    written = log.encode() + b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
    for secret in (key, key.split("_", 2)[2], ticket, ticket.split(".")[1], SECRET):
        assert secret.encode() not in written


async def into(target: str, folder: Path, *arguments: str) -> tuple[int, str]:
    """Run main.py with its standard output somewhere; its exit code and what it said on the other one."""
    command = f"exec {shlex.join([sys.executable, str(MAIN), *arguments])} {target}"
    settings = {"ATELIER_DATA_DIR": str(folder / "data"), "PYTHONPATH": str(REPOSITORY / "src")}
    process = await asyncio.create_subprocess_shell(
        command, cwd=folder, env={**os.environ, **settings}, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), 100)
    return process.returncode or 0, said.decode()


async def test_a_key_that_nobody_saw_is_taken_back(tmp_path: Path) -> None:
    for target in (">/dev/full", ">&-"):
        code, said = await into(target, tmp_path, "keys", "create", "zoe")
        assert (code, said) == (74, "The key cannot be written and was taken back; see where standard output goes.\n")
    assert (await run(tmp_path, "keys", "list"))[1] == ""


async def test_an_answer_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    await run(tmp_path, "keys", "create", "zoe")
    for arguments in (("keys", "list"), ("doctor",)):
        code, said = await into(">/dev/full", tmp_path, *arguments)
        assert (code, said.splitlines()[-1]) == (74, "The answer cannot be written; see where standard output goes.")
        assert "Traceback" not in said
    _, said = await into("| head -c1 >/dev/null; sleep 5", tmp_path, "doctor")
    assert "Traceback" not in said


async def test_a_host_that_is_not_ours_is_blamed_and_not_the_port(tmp_path: Path) -> None:
    for host in ("192.0.2.1", "2001:db8::1", "999.1.1.1", "no such host", "a" * 100, "ü" * 70):
        code, _, said = await run(tmp_path, ATELIER_HOST=host, PORT=str(free_port()))
        assert code == 78, host
        assert "ATELIER_HOST" in said, said
        assert "Set PORT" not in said, said
        assert "Traceback" not in said, said


@pytest.mark.parametrize(("host", "asked"), [("::1", ("[::1]",)), ("::", ("[::1]", "127.0.0.1"))])
async def test_ipv6_is_listened_on(tmp_path: Path, host: str, asked: tuple[str, ...]) -> None:
    port = free_port()
    process = await start(tmp_path / "data", port=port, host=host)
    try:
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=10), timeout=60) as client:
            for each in asked:
                assert (await client.get(f"http://{each}:{port}/health")).status_code == 200
        assert f"atelier is at http://localhost:{port}" in log_of(tmp_path / "data", port)
    finally:
        process.kill()
        await process.wait()
