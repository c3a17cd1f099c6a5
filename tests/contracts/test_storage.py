"""What every storage must do: disk and Cloudinary pass one suite."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.loopback_cloudinary import Cloudinary

from atelier import media
from atelier.media import Content
from atelier.pipelines.ports import Storage, Stored
from atelier.storage.cloudinary.account import Account
from atelier.storage.cloudinary.storage import CloudinaryStorage
from atelier.storage.disk import DiskStorage


@dataclass
class Place:
    """A storage, its like with another secret, and a look behind it."""

    storage: Storage
    stranger: Storage
    held: Callable[[], set[str]]
    """Names of the pictures it has, without suffix; thumbnails are not counted."""
    read: Callable[[str], bytes]
    make_old: Callable[[str], None]


def disk(folder: Path) -> Place:
    def held() -> set[str]:
        files = (path for path in folder.rglob("*") if path.is_file() and ".thumb" not in path.name)
        return {str(path.relative_to(folder)).rpartition(".")[0] for path in files}

    def read(location: str) -> bytes:
        return (folder / location.removeprefix("/pictures/")).read_bytes()

    def make_old(name: str) -> None:
        for path in folder.glob(f"{name}.*"):
            os.utime(path, (0, 0))

    return Place(DiskStorage(folder, b"secret"), DiskStorage(folder, b"other"), held, read, make_old)


def name_in(location: str) -> str:
    return "/".join(location.rpartition(".")[0].split("/")[-2:])


def cloud(server: Cloudinary) -> Place:
    account = Account.of(server.url, server.base)

    def make_old(name: str) -> None:
        server.assets[name].created_at = datetime(2000, 1, 1, tzinfo=UTC)

    return Place(
        CloudinaryStorage(account, b"secret"),
        CloudinaryStorage(account, b"other"),
        lambda: set(server.assets),
        lambda location: server.assets[name_in(location)].data,
        make_old,
    )


@pytest.fixture(params=["disk", "cloudinary"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "disk":
        yield disk(tmp_path / "pictures")
        return
    async with Cloudinary().serving() as server:
        yield cloud(server)


def content(colour: str = "red", size: tuple[int, int] = (40, 30)) -> Content:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return media.inspect(out.getvalue())


async def save(storage: Storage, job_id: str = "job-1", colour: str = "red", **fields: Any) -> Stored:
    return await storage.save(job_id, 1, content(colour), **{"alt": "A hill", "shared": False, **fields})


async def test_a_picture_is_kept_under_an_unguessable_name(place: Place) -> None:
    stored = await save(place.storage)
    assert place.read(stored.location) == content().data
    name = name_in(stored.location)
    assert place.held() == {name}
    folder, _, rest = name.partition("/")
    assert len(folder) == 32
    assert rest == f"1-{content().facts.content_hash[:32]}"
    assert "job-1" not in stored.location
    assert stored.thumbnail != stored.location
    assert stored.thumbnail.endswith(".webp")


async def test_names_tell_job_content_number_and_secret_apart(place: Place) -> None:
    stored = [
        await save(place.storage),
        await save(place.storage, "job-2"),
        await save(place.storage, colour="blue"),
        await place.storage.save("job-1", 0, content(), alt="", shared=False),
        await save(place.stranger),
    ]
    assert len({one.location for one in stored}) == 5
    assert len(place.held()) == 5


async def test_saving_again_stores_nothing_again(place: Place) -> None:
    first = await save(place.storage)
    assert await save(place.storage, alt="Another description") == first
    assert len(place.held()) == 1


async def test_what_is_shared_is_stored_once_for_all(place: Place) -> None:
    one = await save(place.storage, shared=True)
    assert await save(place.storage, "job-2", shared=True) == one
    assert await save(place.stranger, shared=True) == one
    assert place.held() == {f"shared/{content().facts.content_hash[:32]}"}


async def test_a_jobs_pictures_are_removed_and_nobody_elses(place: Place) -> None:
    await save(place.storage)
    await place.storage.save("job-1", 0, content("blue"), alt="", shared=False)
    other, shared = await save(place.storage, "job-2"), await save(place.storage, shared=True)
    await place.storage.remove("job-1")
    await place.storage.remove("job-1")
    assert place.held() == {name_in(other.location), name_in(shared.location)}


async def test_old_pictures_expire_and_shared_ones_never(place: Place) -> None:
    old, fresh = await save(place.storage), await save(place.storage, "job-2")
    shared = await save(place.storage, shared=True)
    for one in (old, shared):
        place.make_old(name_in(one.location))
    assert await place.storage.expire(datetime.now(UTC) - timedelta(days=1)) > 0
    assert place.held() == {name_in(fresh.location), name_in(shared.location)}
    assert await place.storage.expire(datetime.now(UTC) - timedelta(days=1)) == 0


async def test_previews_go_and_leave_the_pictures(place: Place) -> None:
    stored = await save(place.storage)
    for step in (1, 2):
        await place.storage.save_preview("job-1", step, b"jpeg")
    await place.storage.drop_previews("job-1")
    assert place.held() == {name_in(stored.location)}
    assert await place.storage.expire_previews(datetime.now(UTC)) == 0


async def test_ping_answers_and_leaves_nothing(place: Place) -> None:
    await place.storage.ping()
    assert place.held() == set()
