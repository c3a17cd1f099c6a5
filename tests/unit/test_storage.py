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


async def over(_: str) -> bool:
    return True


async def test_leftovers_expire_and_nothing_else_does(storage: DiskStorage, tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool")
    picture = await storage.save("job-1", 1, content(), alt="A hill", shared=False)
    preview = await preview_in(storage, "job-1", 1)
    await spool.keep("job-1", 1, b"bytes", {})
    (tmp_path / "spool" / ".0123.part").write_bytes(b"half")  # of a write that was killed
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert await storage.expire_previews(tomorrow - timedelta(days=2)) == 0
    assert await storage.expire_previews(tomorrow) == 1
    assert await spool.expire(tomorrow - timedelta(days=2), over) == 0
    assert await spool.expire(tomorrow, over) == 2
    assert not path_of(storage, preview).exists()
    assert path_of(storage, picture.location).exists()
    assert await spool.read("job-1", 1) is None
    assert list((tmp_path / "spool").iterdir()) == []


async def test_the_spool_asks_whose_job_is_over(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool")
    for job_id in ("live", "ended"):
        for number in (0, 1):
            await spool.keep(job_id, number, b"bytes", {})
    asked = []

    async def ended(job_id: str) -> bool:
        asked.append(job_id)
        return job_id == "ended"

    assert await spool.expire(datetime.now(UTC) + timedelta(days=1), ended) == 2
    assert (await spool.read("ended", 0), await spool.read("live", 1)) == (None, (b"bytes", {}))
    assert sorted(asked) == ["ended", "live"]


async def test_a_file_that_cannot_be_removed_keeps_no_other(
    storage: DiskStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stored = [await storage.save(f"job-{n}", 1, content(), alt="A hill", shared=False) for n in range(4)]
    kept = {path_of(storage, one.location).parent for one in stored[1:3]}
    unlink, stat = Path.unlink, Path.stat
    locked, closed = kept

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        if path.parent == locked:
            raise PermissionError(errno.EACCES, "Permission denied")
        unlink(path, missing_ok=missing_ok)

    def hide(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.parent == closed:
            raise PermissionError(errno.EACCES, "Permission denied")
        return stat(path, follow_symlinks=follow_symlinks)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", refuse)
        broken.setattr(Path, "stat", hide)
        assert await storage.expire(datetime.now(UTC) + timedelta(days=1)) == 4
    assert [path_of(storage, one.location).exists() for one in stored] == [False, True, True, False]
    told = [(line.message, vars(line)["fields"]["files"]) for line in caplog.records]
    assert told == [("files_not_removed", 2)] * 2, "one line for all of a kind"


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


async def test_the_spool_s_ping_tells_whether_a_picture_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = DiskSpool(tmp_path / "spool")
    await spool.ping()
    assert list((tmp_path / "spool").iterdir()) == []

    def fail(_: int) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "fsync", fail)
    for trouble in (spool.ping(), spool.keep("job-1", 1, b"bytes", {})):
        with pytest.raises(StorageError, match=r"^The spool cannot be written: Read-only file system\.$"):
            await trouble


async def test_the_spool_s_ping_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    spool = DiskSpool(tmp_path / "spool")
    for trouble in (spool.ping(), spool.read("job-1", 1)):
        with pytest.raises(StorageError, match=r"^The spool cannot be read: Permission denied\.$"):
            await trouble
    assert list((tmp_path / "spool").iterdir()) == []


async def test_a_folder_that_cannot_be_looked_into_is_a_storage_that_is_away(
    storage: DiskStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(StorageError, match=r"^The disk for pictures cannot be read: Permission denied\.$") as raised:
        await storage.save("job-1", 1, content(), alt="A hill", shared=False)
    assert raised.value.retryable
