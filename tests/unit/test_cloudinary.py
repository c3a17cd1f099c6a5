"""Pictures at Cloudinary: what is sent, how often, and what every kind of trouble becomes."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cloudinary
import pytest
from tests.contracts.test_storage import content, save
from tests.live import ROOT
from tests.loopback_cloudinary import CLOUD, KEY, SECRET, Cloudinary, signature

from atelier.errors import InvalidImage, StartRefused, StorageError, StorageRefused
from atelier.media import Content
from atelier.pipelines.ports import Stored
from atelier.pipelines.projects import Copy, Spot
from atelier.settings import Settings
from atelier.storage.cloudinary.account import Account
from atelier.storage.cloudinary.storage import AT_ONCE, CloudinaryStorage
from atelier.storage.projects.cloudinary import KNOWN_SECONDS, CloudinaryProjects, name_of
from atelier.storage.threads import Threads
from atelier.wiring import build_adapters
from atelier.wiring.upkeep import check_storage

SECOND = timedelta(seconds=1)


@pytest.fixture
async def server() -> AsyncIterator[Cloudinary]:
    async with Cloudinary().serving() as server:
        yield server


def storage_of(server: Cloudinary, timeout: timedelta = SECOND, patience: timedelta = 2 * SECOND) -> CloudinaryStorage:
    return CloudinaryStorage(Account.of(server.url, server.base), b"secret", timeout=timeout, patience=patience)


async def test_the_account_is_told_with_each_call_and_not_to_the_process(
    server: Cloudinary, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {"cloud_name": "other", "api_key": "k", "api_secret": "s", "oauth_token": "t", "upload_preset": "p"}
    for name, value in others.items():
        monkeypatch.setattr(cloudinary.config(), name, value, raising=False)
    storage = storage_of(server)
    await save(storage)
    assert all("upload_preset" not in asset.fields for asset in server.assets.values())
    await storage.remove("job-1")
    await storage.ping()
    assert all(f"/v1_1/{CLOUD}/" in asked for asked in server.asked)
    assert {name: getattr(cloudinary.config(), name) for name in others} == others


async def test_the_picture_is_described_in_words_that_cannot_break_out(server: Cloudinary) -> None:
    await save(storage_of(server), alt="A | b = c & d \\ “é” 🏔")
    (asset,) = server.assets.values()
    assert asset.fields["context"] == "alt=A \\| b \\= c & d \\ “é” 🏔"
    assert asset.data == content().data


async def test_what_is_shared_has_nobodys_words(server: Cloudinary) -> None:
    await save(storage_of(server), shared=True, alt="Somebody's prompt")
    (asset,) = server.assets.values()
    assert "context" not in asset.fields
    assert "tags" not in asset.fields


async def test_the_thumbnail_is_an_address_of_the_same_picture(server: Cloudinary) -> None:
    stored = await save(storage_of(server))
    start, version, folder, name = stored.location.rsplit("/", 3)
    small = f"{start}/c_limit,h_384,q_80,w_384/{version}/{folder}/{name.replace('.png', '.webp')}"
    assert stored.thumbnail == small
    assert len(stored.thumbnail.encode()) <= 300
    assert len(server.asked) == 1


async def test_no_bytes_are_not_sent(server: Cloudinary) -> None:
    with pytest.raises(InvalidImage):
        await storage_of(server).save("job-1", 1, Content(b"", content().facts), alt="", shared=False)
    assert server.asked == []


RETRYABLE = ["limit", "limit_429", "broken", "html", "drop", "drop_after", "hang", "away", "null", "stranger", "drip"]


@pytest.mark.parametrize("trouble", RETRYABLE)
async def test_trouble_that_passes_is_worth_another_upload(server: Cloudinary, trouble: str) -> None:
    storage = storage_of(server, timeout=0.3 * SECOND, patience=SECOND)
    server.troubles.append(trouble)
    began = time.monotonic()
    with pytest.raises(StorageError) as raised:
        await save(storage)
    assert time.monotonic() - began < 30, "who hangs does so for a minute"
    assert (raised.value.retryable, raised.value.code) == (True, "storage_unavailable")
    await save(storage)
    assert len(server.assets) == 1
    async with asyncio.timeout(60):
        while trouble != "drip" and any(thread.name == "cloudinary" for thread in threading.enumerate()):
            await asyncio.sleep(0.02)  # the call itself has an end, too


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        ("bad", "larger"),
        ("forbidden", "permission"),
        ("secret", "ATELIER_STORAGE__URL"),
        ("clock", "clock"),
        ("cloud", "cloud"),
    ],
)
async def test_trouble_that_stays_says_what_to_mend(server: Cloudinary, trouble: str, word: str) -> None:
    storage = storage_of(server)
    if trouble == "secret":
        server.secret = "another-secret-altogether"
    elif trouble == "clock":
        server.now = lambda: time.time() + 2 * 3600
    elif trouble == "cloud":
        storage = CloudinaryStorage(Account.of(f"cloudinary://{KEY}:{SECRET}@elsewhere", server.base), b"secret")
    else:
        server.troubles.append(trouble)
    with pytest.raises(StorageRefused) as raised:
        await save(storage)
    assert not raised.value.retryable
    assert word in raised.value.message


async def test_the_vendors_words_are_not_even_kept(server: Cloudinary, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.secret = "another-secret-altogether"
    with pytest.raises(StorageRefused) as raised:
        await save(storage_of(server), alt="What was signed")
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert "What was signed" not in f"{raised.value!r}{caplog.text}"
    assert SECRET not in repr(storage_of(server)._account)


async def test_a_lost_answer_leaves_one_picture_and_one_address(server: Cloudinary) -> None:
    server.troubles.append("drop_after")
    with pytest.raises(StorageError):
        await save(storage_of(server))
    stored = await save(storage_of(server))
    assert await save(storage_of(server)) == stored
    assert len(server.assets) == 1
    assert len(server.uploads) == 3


async def test_it_is_signed_when_it_is_sent(server: Cloudinary) -> None:
    """A place in the queue of uploads may be waited for; the signature is made behind it."""
    storage = storage_of(server, timeout=SECOND, patience=20 * SECOND)
    server.troubles.extend(["hang"] * AT_ONCE)
    before = time.time()
    first = [asyncio.create_task(save(storage, f"job-{n}")) for n in range(AT_ONCE)]
    while len(server.asked) < AT_ONCE:
        await asyncio.sleep(0.01)
    late = asyncio.create_task(save(storage, "late"))
    await asyncio.wait([*first, late])
    (asset,) = server.assets.values()
    assert int(asset.fields["timestamp"]) >= int(before + 1)
    assert all(isinstance(one.exception(), StorageError) for one in first)


async def test_few_are_sent_at_once(server: Cloudinary) -> None:
    storage = storage_of(server)
    server.always = "hang"
    waiting = [asyncio.create_task(save(storage, f"job-{n}")) for n in range(3 * AT_ONCE)]
    await asyncio.sleep(0.5)
    assert len(server.asked) == AT_ONCE
    for one in waiting:
        one.cancel()
    await asyncio.wait(waiting)


async def test_ping_signs_costs_little_and_says_what_is_wrong(server: Cloudinary) -> None:
    storage = storage_of(server)
    for _ in range(10):
        await storage.ping()
    assert server.asked == [f"POST /v1_1/{CLOUD}/image/destroy"], "not of the API that is counted, and once a minute"
    server.secret = "another-secret-altogether"
    other = storage_of(server)
    for _ in range(3):
        with pytest.raises(StorageRefused, match="ATELIER_STORAGE__URL"):
            await other.ping()
    assert len(server.asked) == 2


async def test_very_many_old_pictures_go_in_lots(server: Cloudinary) -> None:
    storage = storage_of(server)
    first = await save(storage)
    (name, asset), *_ = server.assets.items()
    asset.created_at = datetime(2000, 1, 1, tzinfo=UTC)
    server.assets.update({f"{name[:-6]}{n:06}": asset for n in range(650)})
    now = datetime.now(UTC)
    assert await storage.expire(now) == 500
    assert await storage.expire(now) == 151
    assert first.location
    assert not server.assets


async def test_a_service_removes_only_its_own(server: Cloudinary) -> None:
    await save(storage_of(server))
    other = CloudinaryStorage(Account.of(server.url, server.base), b"another secret")
    assert await other.expire(datetime.now(UTC) + SECOND) == 0
    assert len(server.assets) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://k:s@cloud",
        "cloudinary://cloud",
        "cloudinary://key@cloud",
        "cloudinary://k:s@",
        "cloudinary://k:s@c?signature_algorithm=md5",
    ],
)
def test_an_address_that_is_none_is_refused_without_its_words(url: str) -> None:
    with pytest.raises(StartRefused) as raised:
        Account.of(url, "https://api.cloudinary.com")
    assert "ATELIER_STORAGE__URL" in raised.value.message
    assert not url or url not in raised.value.message


def test_the_signature_is_the_one_the_account_asks_for() -> None:
    account = Account.of("cloudinary://k:s@c?signature_algorithm=sha256", "https://api.cloudinary.com/")
    assert account.options["signature_algorithm"] == "sha256"
    assert account.options["upload_prefix"] == "https://api.cloudinary.com"


@pytest.mark.parametrize(("kind", "imported"), [("disk", False), ("cloudinary", True)])
def test_the_sdk_is_imported_only_where_it_is_used(kind: str, imported: bool) -> None:  # noqa: FBT001 - a parameter of the test
    code = (
        "import sys, pathlib; from atelier.settings import Settings; from atelier.app import create_app;"
        f"create_app(Settings(data_dir=pathlib.Path('d'), storage={{'kind': {kind!r}, 'url': 'cloudinary://k:s@c'}}));"
        "print(sorted(name for name in sys.modules if name in ('cloudinary', 'urllib3')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == (str(["cloudinary", "urllib3"]) if imported else "[]")


def test_a_bad_name_of_the_sdks_own_stops_the_start_in_words() -> None:
    settings = {
        "ATELIER_STORAGE__KIND": "cloudinary",
        "ATELIER_STORAGE__URL": "cloudinary://k:s@c",
        "CLOUDINARY_URL": "http://x",
    }
    run = subprocess.run(
        [sys.executable, ROOT / "main.py"], env=settings, capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 78
    assert "CLOUDINARY_URL must look like" in run.stderr
    assert "Traceback" not in run.stderr


async def test_the_start_waits_for_no_cloudinary_but_refuses_a_wrong_secret(server: Cloudinary, tmp_path: Path) -> None:
    storage = {"kind": "cloudinary", "url": server.url, "upload_prefix": server.base}
    settings = Settings(data_dir=tmp_path / "data", storage=storage)
    server.troubles.append("away")
    await check_storage(settings, storage_of(server))
    server.secret = "another-secret-altogether"
    with pytest.raises(StorageRefused, match="ATELIER_STORAGE__URL"):
        await check_storage(settings, storage_of(server))


async def test_a_thread_that_hangs_keeps_nobody() -> None:
    threads, let_go = Threads(1, "hung"), threading.Event()
    with pytest.raises(TimeoutError):
        await threads.run(let_go.wait, 0.05 * SECOND)
    with pytest.raises(TimeoutError):
        await threads.run(lambda: 1, 0.05 * SECOND)
    let_go.set()
    assert await threads.run(lambda: 2, 5 * SECOND) == 2


def test_a_process_ends_though_an_upload_hangs() -> None:
    code = (
        "import asyncio, contextlib, time; from datetime import timedelta; from atelier.storage.threads import Threads\n"
        "async def main():\n"
        "    with contextlib.suppress(TimeoutError):\n"
        "        await Threads(1, 'hung').run(lambda: time.sleep(60), timedelta(seconds=0.1))\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"public_id": "sample_image"}, "b4ad47fb4e25c7bf5f92a20089f9db59bc302313"),
        (
            {"public_id": "jobs/abc", "tags": "a,b", "context": "alt=a & b", "file": "x", "api_key": "k"},
            "c70517b8e0b3f1eaf8e6e1f4ea52d670c376dcc0",
        ),
    ],
)
def test_the_loopback_signs_as_the_vendor_does(fields: dict[str, str], expected: str) -> None:
    assert signature({"timestamp": "1315060510", **fields}, "abcd") == expected


@pytest.mark.parametrize("trouble", ["away", "null", "html", "limit"])
async def test_what_was_not_removed_is_not_taken_for_removed(server: Cloudinary, trouble: str) -> None:
    storage, tomorrow = storage_of(server), datetime.now(UTC) + timedelta(days=1)
    await save(storage)
    server.troubles.append(trouble)
    with pytest.raises(StorageError):
        await storage.remove("job-1")
    server.troubles.extend(["", trouble])
    with pytest.raises(StorageError):
        await storage.expire(tomorrow)
    assert len(server.assets) == 1
    assert await storage.expire(tomorrow) == 1
    await storage.remove("job-1")
    assert server.assets == {}


async def test_a_refused_removal_is_no_picture_that_is_too_large(server: Cloudinary) -> None:
    server.troubles.append("bad")
    with pytest.raises(StorageRefused, match="refuses this request"):
        await storage_of(server).remove("job-1")


class Later:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def copy_of(stored: Stored, beat: int = 1, *, over: bool = False) -> Copy:
    spot = Spot(project="films/a", style="clear", shot="1", beat=str(beat))
    return Copy(spot=spot, location=stored.location, format="png", made_at=datetime.now(UTC), over=over)


@pytest.fixture
async def projects(server: Cloudinary, tmp_path: Path) -> tuple[CloudinaryProjects, Later]:
    adapters = await asyncio.to_thread(build_adapters, Settings(data_dir=tmp_path))
    clock = Later()
    return CloudinaryProjects(adapters.projects, storage_of(server), clock=clock), clock


@pytest.mark.parametrize("count", [1, 3])
async def test_a_copy_that_somebody_removed_is_brought_back(
    server: Cloudinary, projects: tuple[CloudinaryProjects, Later], count: int
) -> None:
    folder, clock = projects
    copies = [copy_of(await save(storage_of(server), f"job-{n}"), n, over=n == 1) for n in range(1, count + 1)]
    await folder.bring(copies)
    asked = len(server.asked)
    await folder.bring(copies)
    assert len(server.asked) == asked, "what was seen a moment ago is not asked for"
    clock.seconds += KNOWN_SECONDS
    await folder.bring(copies)
    uploads = len(server.uploads)
    assert len(server.asked) > asked
    del server.assets[name_of(copies[0])]
    clock.seconds += KNOWN_SECONDS
    await folder.bring(copies)
    assert name_of(copies[0]) in server.assets
    assert len(server.uploads) == uploads + 1, "what is there is not copied again"


async def test_copies_are_not_remembered_without_end(
    server: Cloudinary, projects: tuple[CloudinaryProjects, Later], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier.storage.projects.cloudinary.KNOWN_MOST", 2)
    folder, _ = projects
    stored = await save(storage_of(server))
    for beat in range(5):
        await folder.bring([copy_of(stored, beat)])
    assert len(folder._seen) == 2


async def test_a_copy_that_was_not_made_is_not_taken_for_made(
    server: Cloudinary, projects: tuple[CloudinaryProjects, Later]
) -> None:
    folder, _ = projects
    copy = copy_of(await save(storage_of(server)))
    server.troubles.append("away")
    with pytest.raises(StorageError):
        await folder.bring([copy])
    await folder.bring([copy])
    assert name_of(copy) in server.assets
