"""Pictures on disk and the spool."""

from __future__ import annotations

import asyncio
import errno
import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from atelier import media
from atelier.errors import StorageError, StorageFull
from atelier.media import Content
from atelier.storage.disk import DiskStorage
from atelier.storage.spool import DiskSpool


def content(colour: str = "red") -> Content:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, "PNG")
    return media.inspect(out.getvalue())


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    return DiskStorage(tmp_path / "pictures", b"secret")


def path_of(storage: DiskStorage, location: str) -> Path:
    found = storage.find(location.removeprefix("/pictures/"))
    assert found is not None
    return found[0]


async def preview_in(storage: DiskStorage, job_id: str, step: int) -> str:
    location = await storage.save_preview(job_id, step, b"jpeg")
    assert location is not None
    return location


async def test_names_are_unguessable_and_stable(storage: DiskStorage, tmp_path: Path) -> None:
    first = await storage.save("job-1", 1, content(), alt="A hill", shared=False)
    assert await storage.save("job-1", 1, content(), alt="A hill", shared=False) == first
    other = await storage.save("job-2", 1, content(), alt="A hill", shared=False)
    stranger = await DiskStorage(tmp_path / "pictures", b"other").save(
        "job-1", 1, content(), alt="A hill", shared=False
    )
    assert len({first.location, other.location, stranger.location}) == 3
    assert "job-1" not in first.location
    assert path_of(storage, first.location).read_bytes() == content().data
    with Image.open(path_of(storage, first.thumbnail)) as thumbnail:
        assert thumbnail.format == "WEBP"


async def test_a_shared_picture_is_stored_once(storage: DiskStorage) -> None:
    one = await storage.save("job-1", 1, content(), alt="A hill", shared=True)
    assert await storage.save("job-2", 1, content(), alt="A hill", shared=True) == one


async def test_previews_come_and_go(storage: DiskStorage) -> None:
    location = await preview_in(storage, "job-1", 7)
    picture = await storage.save("job-1", 1, content(), alt="A hill", shared=False)
    assert path_of(storage, location).read_bytes() == b"jpeg"
    await storage.drop_previews("job-1")
    assert not path_of(storage, location).exists()
    assert path_of(storage, picture.location).exists()


@pytest.mark.parametrize(
    "name",
    [
        "../secret.key",
        "shared/../../secret.key",
        "shared/" + "a" * 32 + ".svg",
        "shared/" + "a" * 32 + ".png/..",
        "shared/" + "a" * 32 + ".png\x00",
        "shared/" + "A" * 32 + ".png",
        "/etc/passwd",
        "shared/.0123.part",
        "",
    ],
)
def test_only_names_it_makes_are_looked_for(storage: DiskStorage, name: str) -> None:
    assert storage.find(name) is None


async def test_old_pictures_expire(storage: DiskStorage) -> None:
    old = await storage.save("job-1", 1, content("red"), alt="A hill", shared=False)
    fresh = await storage.save("job-2", 1, content("blue"), alt="A hill", shared=False)
    for location in (old.location, old.thumbnail):
        os.utime(path_of(storage, location), (0, 0))
    assert await storage.expire(datetime.now(UTC) - timedelta(days=1)) == 2
    assert not path_of(storage, old.location).parent.exists()
    assert path_of(storage, fresh.location).exists()


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StorageFull), (errno.EROFS, StorageError)])
async def test_a_failing_disk_is_said_and_leaves_nothing_half_written(
    storage: DiskStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StorageError]
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(kind):
        await storage.save("job-1", 1, content(), alt="A hill", shared=False)
    assert [path for path in (tmp_path / "pictures").rglob("*") if path.is_file()] == []


async def test_leftovers_expire_and_nothing_else_does(storage: DiskStorage, tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool")
    picture = await storage.save("job-1", 1, content(), alt="A hill", shared=False)
    preview = await preview_in(storage, "job-1", 1)
    await spool.keep("job-1", 1, b"bytes", {})
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert await storage.expire_previews(tomorrow - timedelta(days=2)) == 0
    assert await storage.expire_previews(tomorrow) == 1
    assert await spool.expire(tomorrow) == 1
    assert not path_of(storage, preview).exists()
    assert path_of(storage, picture.location).exists()
    assert await spool.read("job-1", 1) is None


async def test_ping_tells_whether_pictures_can_be_saved(tmp_path: Path) -> None:
    await asyncio.to_thread((tmp_path / "file").write_text, "in the way")
    await DiskStorage(tmp_path / "good", b"s").ping()
    with pytest.raises(StorageError):
        await DiskStorage(tmp_path / "file" / "below", b"s").ping()


async def test_the_spool_keeps_replaces_and_drops(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool")
    assert await spool.read("job-1", 1) is None
    await spool.keep("job-1", 1, b"first", {"seed": 1})
    await spool.keep("job-1", 1, b"oth\ner", {"seed": 2})
    assert await spool.read("job-1", 1) == (b"oth\ner", {"seed": 2})
    await spool.drop("job-1", 1)
    await spool.drop("job-1", 1)
    assert await spool.read("job-1", 1) is None
