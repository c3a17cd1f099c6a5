"""Kill it, stop it, start it again: every accepted job ends, no event is lost."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.images import ROOT, STAGES, events_of
from tests.live import needs
from tests.process.faults import Fuse
from tests.process.pairs import BOTH, UNLOST, Pair
from tests.process.servers import FAULTY, HOLDING, Server, free_port, log_of, running, start

TERMINAL = {"completed", "failed", "cancelled"}


async def submit(server: Server, **body: Any) -> str:
    response = await server.client.post(f"{ROOT}/generate", json={"prompt": "A hill", "quality": "draft", **body})
    assert response.status_code == 200, response.text
    return str(response.json()["job_id"])


async def job(server: Server, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await server.client.get(f"{ROOT}/jobs/{job_id}")).json()
    return found


async def until(server: Server, job_id: str, within: float = 60, **wanted: object) -> dict[str, Any]:
    async with asyncio.timeout(within):
        while True:
            found = await job(server, job_id)
            if all(found[name] == value for name, value in wanted.items()):
                return found
            await asyncio.sleep(0.05)


async def thirty(server: Server) -> dict[str, str]:
    """Bring thirty jobs into every non-terminal state and stage; the place of each."""
    places = {}
    for _ in range(3):
        job_id = await submit(server, sandbox={"scenario": "provider_down_then_ok"})
        await until(server, job_id, state_reason="retrying")
        places[job_id] = "retrying"
    for place, number in {"claimed": 6, "generating": 7, "uploading": 7}.items():
        held = [await submit(server, blog_id=f"hold-{place}") for _ in range(number)]
        stage = "queued" if place == "claimed" else place
        for job_id in held:
            await until(server, job_id, status="processing", current_stage=stage)
            places[job_id] = place
    for _ in range(3):
        held_until = time.time() + 5
        job_id = await submit(server, sandbox={"scenario": "noop", "hold_until": held_until})
        await until(server, job_id, state_reason="waiting_until")
        places[job_id] = "waiting_until"
    for _ in range(4):
        job_id = await submit(server, sandbox={"scenario": "noop"})
        await until(server, job_id, state_reason="waiting_for_slot")
        places[job_id] = "waiting_for_slot"
    return places


@pytest.mark.parametrize("round_", [pytest.param(n, marks=pytest.mark.soak) if n else n for n in range(10)])
async def test_kill_9_with_thirty_jobs_in_every_state(pair: Pair, round_: int) -> None:  # noqa: ARG001
    shape: dict[str, Any] = {"slots__image": 20, "retry_base_seconds": 4}
    async with pair.running(script=HOLDING, **shape) as server:
        places = await thirty(server)
        assert len(places) == 30
        assert not TERMINAL & {(await job(server, job_id))["status"] for job_id in places}
        assert await server.signal(signal.SIGKILL) == -signal.SIGKILL
    async with pair.running(sweep_seconds=0.5) as server:
        for job_id, place in places.items():
            done = await until(server, job_id, within=100, status="completed")
            numbers = [update["seq"] for update in done["progress_updates"]]
            stages = [update["stage"] for update in done["progress_updates"]]
            assert numbers == list(range(1, len(numbers) + 1)), place
            assert set(stages) == set(STAGES), place
            assert stages.count("completed") == 1, place
            picture = await server.client.get(done["result"]["images"][0]["image_url"])
            assert picture.status_code == 200, place


async def test_what_was_drawn_is_not_drawn_again(pair: Pair) -> None:
    async with pair.running(script=HOLDING) as server:
        job_id = await submit(server, blog_id="hold-uploading")
        before = await until(server, job_id, current_stage="uploading")
        await server.signal(signal.SIGKILL)
    assert list((pair.data / "spool").iterdir()), "the bytes wait in the spool"
    async with pair.running() as server:
        done = await until(server, job_id, status="completed")
        async with asyncio.timeout(60):  # the end is told first, then the bytes are let go
            while list((pair.data / "spool").iterdir()):
                await asyncio.sleep(0.02)
    stages = [update["stage"] for update in done["progress_updates"]]
    assert stages == [*STAGES[:4], "uploading", "completed"], "generating is not entered twice"
    assert done["seq"] == before["seq"] + 2


async def test_spooled_bytes_are_not_ordered_again(tmp_path: Path) -> None:
    """Killed after the bytes were spooled and before that was recorded."""
    needs(Path("/proc/self/task").exists(), "Linux's /proc")
    async with running(tmp_path / "data", script=HOLDING) as server:
        job_id = await submit(server, blog_id="hold-uploading")
        await until(server, job_id, current_stage="uploading")
        await server.signal(signal.SIGKILL)

    def forget() -> None:
        connection = sqlite3.connect(tmp_path / "data" / "atelier.db")
        connection.execute("DELETE FROM parts WHERE key = 'state'")
        connection.commit()
        connection.close()

    await asyncio.to_thread(forget)
    async with running(tmp_path / "data") as server:
        done = await until(server, job_id, status="completed")
        stages = [update["stage"] for update in done["progress_updates"]]
        assert stages == [*STAGES[:4], *STAGES[1:]], "every stage was entered again"
        pid = server.process.pid
        assert Path(f"/proc/{pid}/task/{pid}/children").read_text() == "", "no drawing process: nothing was drawn"


async def read_stream(server: Server, job_id: str, after: int, begun: asyncio.Event | None = None) -> tuple[str, bool]:
    """Read until the server ends it; the text and whether it ended cleanly."""
    text = ""
    try:
        async with server.client.stream("GET", f"{ROOT}/jobs/{job_id}/stream?after={after}") as response:
            async for chunk in response.aiter_text():
                text += chunk
                if begun is not None:
                    begun.set()
    except httpx.RemoteProtocolError:
        return text, False
    return text, True


@BOTH
async def test_sigterm_ends_in_its_grace_and_streams_resume(pair: Pair) -> None:
    port, fuse = free_port(), Fuse(pair.folder)
    shape: dict[str, Any] = {"port": port, "script": FAULTY, **UNLOST}
    async with pair.running(**shape, fresh=True, grace_seconds=1, slots__image=3) as server:
        fuse.hold()
        ids = [await submit(server, sandbox={"scenario": "ok"}) for _ in range(3)]
        for job_id in ids:
            await until(server, job_id, current_stage="generating")
        waiting = [await submit(server, sandbox={"scenario": "noop"}) for _ in range(2)]
        begun = [asyncio.Event() for _ in ids + waiting]
        streams = [
            asyncio.create_task(read_stream(server, job_id, 0, event))
            for job_id, event in zip(ids + waiting, begun, strict=True)
        ]
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in begun)), 60)
        assert await server.signal(signal.SIGTERM) in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
        endings = await asyncio.gather(*streams)
    for text, clean in endings:
        assert clean, "the stream is ended, not cut"
        assert text.endswith(": come back with the last id\nretry: 1000\n\n"), text[-200:]
        assert '"stage":"error"' not in text
    for text, _ in endings[: len(ids)]:
        assert '"stage":"completed"' not in text, "what takes longer than the grace is not waited for"
    fuse.let_go()
    async with pair.running(**shape) as server:
        for job_id, (text, _) in zip(ids + waiting, endings, strict=True):
            seen = events_of(text)
            rest, _ = await read_stream(server, job_id, seen[-1][0])
            records = [one for one in [*seen, *events_of(rest)] if "max_attempts" not in one[1]]
            numbers = [
                number for number, _ in records
            ]  # between records the present state is told, under the last number
            done = await until(server, job_id, status="completed")
            assert numbers == [update["seq"] for update in done["progress_updates"]], "nothing missing, nothing twice"
            assert done["attempt"] == 1, "a graceful stop gives the attempt back"


async def test_a_second_signal_is_still_consistent(pair: Pair) -> None:
    async with pair.running(grace_seconds=300) as server:
        job_id = await submit(server, sandbox={"scenario": "stall"})
        await until(server, job_id, current_stage="generating")
        server.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            while '"draining"' not in server.log.read_text():
                await asyncio.sleep(0.05)
        await server.signal(signal.SIGINT, within=60)
    async with pair.running(lease_seconds=1, sweep_seconds=0.3, deadlines__image_seconds=600) as server:
        found = await job(server, job_id)
        assert found["status"] not in TERMINAL
        await server.client.post(f"{ROOT}/jobs/{job_id}/cancel")
        await until(server, job_id, status="cancelled")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"lease_seconds": "soon"}, "ATELIER_LEASE_SECONDS"),
        ({"slots__image": "0"}, "ATELIER_SLOTS__IMAGE"),
        ({"store__kind": "oracle"}, "ATELIER_STORE__KIND"),
        ({"store__kidn": "sqlite"}, "ATELIER_STORE__KIDN"),
        ({"image_providers": "dalle"}, "ATELIER_IMAGE_PROVIDERS"),
        ({"sandbox": "off"}, "ATELIER_SANDBOX"),
        ({"auth": "nobody"}, "ATELIER_AUTH"),
        ({"environment": "production", "secret_key": ""}, "ATELIER_SECRET_KEY"),
        ({"cors_origins": "*"}, "ATELIER_CORS_ORIGINS"),
        ({"image_providers": ","}, "ATELIER_IMAGE_PROVIDERS: must name at least one."),
        ({"store": "sqlite"}, "ATELIER_STORE: names a group of settings"),
    ],
)
async def test_wrong_settings_refuse_the_start_in_words(
    tmp_path: Path, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AssertionError) as refusal:
        async with running(tmp_path / "data", **settings):
            pass
    assert sentence in str(refusal.value)
    assert "Traceback" not in str(refusal.value)


async def test_a_damaged_store_refuses_the_start_with_its_path(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running(data):
        pass
    (data / "atelier.db").write_bytes(b"not a database at all" * 500)
    with pytest.raises(AssertionError) as refusal:
        async with running(data):
            pass
    assert str(data / "atelier.db") in str(refusal.value)
    assert (data / "atelier.db").read_bytes() == b"not a database at all" * 500


async def test_a_start_on_a_taken_port_is_refused_and_takes_no_job(tmp_path: Path) -> None:
    async with running(tmp_path / "data", slots__image=1) as server:
        first = await submit(server, sandbox={"scenario": "stall"})
        await until(server, first, current_stage="generating")
        ids = [await submit(server, sandbox={"scenario": "noop"}) for _ in range(3)]
        port = int(str(server.client.base_url).rsplit(":", 1)[1].strip("/"))
        for number in range(3):
            second = await start(tmp_path / "data", port=port, fresh=number == 0)
            assert await asyncio.wait_for(second.wait(), 60) == 78
        assert f"Port {port}" in log_of(tmp_path / "data", port)
        assert {(await job(server, job_id))["status"] for job_id in ids} == {"queued"}, "one slot, and it is taken"
        await server.client.post(f"{ROOT}/jobs/{first}/cancel")
        for job_id in ids:
            assert (await until(server, job_id, status="completed"))["attempt"] == 1


@pytest.mark.parametrize("name", ["workers", "pictures", "secret.key"])
async def test_a_file_in_the_way_refuses_the_start(tmp_path: Path, name: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_text("")
    with pytest.raises(AssertionError) as refusal:
        async with running(tmp_path / "data", secret_key=""):
            pass
    assert name in str(refusal.value) or "pictures" in str(refusal.value)
    assert "Traceback" not in str(refusal.value)


async def test_misspelt_names_are_told_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ATELIER_SLOT__IMAGE=1\nATELIER_SLOTS__IMAGE=2\n")
    async with running(tmp_path / "data", prot=1) as server:
        text = server.log.read_text()
    assert "ATELIER_SLOT__IMAGE" in text
    assert "ATELIER_PROT" in text
    assert "ATELIER_SLOTS__IMAGE" not in text
