"""`main.py doctor` finds what is wrong, names it, and ends in time."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from tests.canaries import WATCH
from tests.cloud_tasks.place import cloud
from tests.emulator import Emulator
from tests.live import Live, serving
from tests.loopback_cloudinary import SECRET, Cloudinary
from tests.providers.fakes import Fake, as_json, fake
from tests.providers.subjects import KEY
from tests.proxy import Proxy

from atelier.api import streams
from atelier.doctor import Finding, address, examine, findings
from atelier.doctor import visit as visiting
from atelier.doctor.findings import Verdict, finding, well
from atelier.errors import StorageError
from atelier.settings import Settings

__all__ = ["fake"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PROBE_SECONDS", 0.1)


async def visit(url: str | None = None, **settings: Any) -> dict[str, Verdict]:
    found: list[Finding] = [one async for one in examine(Settings(**settings), url)]
    for one in found:
        WATCH.search(one.line.encode(), "a line of the doctor")
        assert "\n" not in one.line
    return {one.name: one.verdict for one in found}


def wrong(verdicts: dict[str, Verdict]) -> dict[str, str]:
    return {name: verdict.text for name, verdict in verdicts.items() if not verdict.well}


async def test_all_is_well(live: Live, tmp_path: Path) -> None:
    found = await visit(live.base, data_dir=tmp_path / "other")
    assert wrong(found) == {}
    assert list(found) == [
        "settings", "data directory", "store", "own keys", "storage", "spool", "provider sandbox", "text provider sandbox", "search", "clock", "address", "stream",
    ]  # fmt: skip
    assert re.fullmatch(r"5 events came as they were sent, over 0\.[3-9] seconds", found["stream"].text)
    assert found["clock"].text == "agrees with that of 127.0.0.1"


async def test_a_service_that_is_not_known_by_its_address(fake: Fake, tmp_path: Path) -> None:
    ready, refused = as_json({"ready": True, "checks": {"store": "ok"}}), as_json({"code": "origin_refused"}, 403)
    fake.answer = lambda seen: ready if seen.target == "/ready" else refused
    assert "Set ATELIER_PUBLIC_URL" in wrong(await visit(fake.base, data_dir=tmp_path))["stream"]


async def test_who_writes_is_asked_with_the_key(fake: Fake, tmp_path: Path) -> None:
    WATCH.know(KEY, "the key of a vendor")
    own = {"base_url": f"{fake.base}/v1", "model": "m", "api_key": KEY}
    writing: dict[str, Any] = {
        "data_dir": tmp_path / "data",
        "text_providers": ("openai",),
        "providers": {"openai": own},
    }
    fake.says(as_json({"data": []}))
    assert (await visit(**writing))["text provider openai"] == well("can be asked")
    assert [(seen.method, seen.target) for seen in fake.seen] == [("GET", "/v1/models")]
    fake.says(as_json({"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}, 401))
    assert wrong(await visit(**writing)) == {"text provider openai": "OpenAI does not know the key."}


async def test_what_owners_have_brought_is_tried(tmp_path: Path) -> None:
    own: dict[str, Any] = {"data_dir": tmp_path / "data"}
    assert (await visit(**own))["own keys"] == well("what owners bring of stable_horde, hugging_face can be read")
    assert "OWN_KEYS is none" in (await visit(**own, own_keys=("none",)))["own keys"].text
    async with serving(tmp_path / "data", encryption_keys=Fernet.generate_key().decode()) as live:
        await live.client.put("/api/settings/image-keys", json={"stable_horde_api_key": KEY})
    found = wrong(await visit(**own))
    assert list(found) == ["own keys"]
    assert "ATELIER_ENCRYPTION_KEYS does not open" in found["own keys"]


async def test_a_data_directory_that_cannot_be_written(tmp_path: Path) -> None:
    await asyncio.to_thread((tmp_path / "file").write_text, "in the way")
    found = wrong(await visit(data_dir=tmp_path / "file" / "data"))
    assert "ATELIER_DATA_DIR" in found["data directory"]
    assert "cannot be used" in found["parts"]


async def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visiting, "LEAST_FREE", 1 << 62)
    found = wrong(await visit(data_dir=tmp_path / "data"))
    assert list(found) == ["data directory"]
    assert "Make room" in found["data directory"]


async def test_settings_that_are_refused_or_misspelt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv("ATELIER_SLOT__IMAGE", "9")
    assert "ATELIER_SLOT__IMAGE" in wrong(await visit(data_dir=data))["settings"]
    monkeypatch.delenv("ATELIER_SLOT__IMAGE")
    found = wrong(await visit(data_dir=data, environment="production", sandbox="on"))
    assert "SECRET_KEY" in found["settings"]


async def test_a_wrong_secret_of_cloudinary_and_a_wrong_clock(tmp_path: Path) -> None:
    WATCH.know(SECRET, "Cloudinary's secret")
    async with Cloudinary().serving() as server:
        storage = {"kind": "cloudinary", "url": server.url, "upload_prefix": server.base}
        server.secret = "another-secret-altogether"
        found = wrong(await visit(data_dir=tmp_path / "data", storage=storage))
        assert list(found) == ["storage"]
        server.now = lambda: time.time() - 7200
        clock = wrong(await visit(data_dir=tmp_path / "data", storage=storage))["clock"]
        assert re.search(r"720[0-9] seconds ahead of that of 127\.0\.0\.1", clock)
        assert "ATELIER_STORAGE__URL" in found["storage"]
        bad = wrong(await visit(data_dir=tmp_path / "data", storage={**storage, "url": "cloudinary://nobody"}))
        assert "cloudinary://key:secret@cloud" in bad["parts"]


async def test_all_of_google_s_side(emulator: Emulator, tmp_path: Path) -> None:
    async with Cloudinary().serving() as server, cloud(tmp_path / "data") as around:
        storage = {"kind": "cloudinary", "url": server.url, "upload_prefix": server.base}
        parts = {
            **around._settings(),
            "storage": storage,
            "firestore_emulator_host": emulator.address,
            "secret_key": "s" * 32,
        }
        assert wrong(found := await visit(data_dir=tmp_path / "data", **parts)) == {}
        assert [found[part].text for part in ("store", "queue", "storage")] == [
            "firestore reads and writes", "cloud_tasks answers", "cloudinary takes pictures",
        ]  # fmt: skip
        elsewhere = {**parts["queue"], "name": "no-such-queue"}
        assert list(wrong(await visit(data_dir=tmp_path / "data", **{**parts, "queue": elsewhere}))) == ["queue"]
        nobody = {**parts, "firestore_emulator_host": "127.0.0.1:9"}
        assert list(wrong(await visit(data_dir=tmp_path / "data", **nobody))) == ["store"]


@pytest.mark.parametrize(("hours", "word"), [(-2, "2 seconds ahead"), (2, "behind")])
def test_a_clock_that_is_wrong(hours: int, word: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=hours))
    request = httpx.Request("HEAD", "https://api.example.org")
    verdict = address._compared(httpx.Response(200, headers={"Date": date}, request=request))
    assert verdict is not None
    assert not verdict.well
    assert word.rpartition(" ")[2] in verdict.text
    assert "api.example.org" in verdict.text
    assert address._compared(httpx.Response(200, headers={"Date": "gestern"}, request=request)) is None


FAULTS = [
    ("collect", {}, "Content-Length"),
    ("compress", {}, "turn compression off"),
    ("compress", {"Via": "1.1 squid"}, "Via: 1.1 squid"),
    ("hold", {"Server": "nginx/1.27"}, "proxy_buffering off;"),
    ("hold", {"Cache-Control": "max-age=0"}, "no-transform"),
    ("hold", {"CF-Ray": "8f-FRA"}, "CF-Ray: 8f-FRA"),
    ("cut", {}, "cut"),
]


@pytest.mark.parametrize(("fault", "says", "word"), FAULTS)
async def test_a_proxy_that_holds_events_back_is_found_and_named(
    live: Live, fault: str, says: dict[str, str], word: str
) -> None:
    async with Proxy(live.base, fault, says).serving() as proxy:
        verdict = await address.stream(proxy.base)
    assert not verdict.well
    assert word in verdict.text


class Silent:
    """Somebody who takes connections and says nothing."""

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0))
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.close()


async def test_addresses_that_are_wrong_in_other_ways(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    with Silent() as silent, monkeypatch.context() as impatient:
        impatient.setattr(address, "ANSWER_SECONDS", 0.3)
        assert "no answer within" in (await address.ready(silent)).text
        assert "no answer within" in (await address.stream(silent)).text
    assert "nobody answers" in (await address.ready(silent)).text
    assert "not atelier" in (await address.ready(f"{live.base}/studio")).text
    assert "not with a stream" in (await address.stream(f"{live.base}/studio")).text


async def test_a_service_that_is_not_ready_says_which_part(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> None:
        raise StorageError("The folder for pictures cannot be written: Read-only file system.")

    monkeypatch.setitem(live.app.state.surroundings.checks, "storage", broken)
    assert "storage: The folder for pictures" in (await address.ready(live.base)).text


async def test_no_check_hangs_and_none_tells_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "PATIENCE_SECONDS", 0.1)

    async def hanging() -> Verdict:
        await asyncio.sleep(60)
        return well("never")

    async def breaking() -> Verdict:
        raise ValueError("password=hunter2")

    began = time.monotonic()
    found = [await finding("one", hanging), await finding("two", breaking)]
    assert time.monotonic() - began < 10
    assert [one.line[0] for one in found] == ["✗", "✗"]
    assert "within 0.1 seconds" in found[0].line
    assert "hunter2" not in found[1].line


@pytest.mark.parametrize(
    ("arrivals", "good"),
    [([0, 0.4, 0.8], True), ([5, 5.4, 5.8], True), ([9, 9, 9], False), ([9, 9.1, 9.2], False), ([1], False)],
)
def test_what_counts_as_held_back(arrivals: Sequence[float], good: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert address.judge(arrivals, [0, 0.4, 0.8][: len(arrivals)], {}).well is good
