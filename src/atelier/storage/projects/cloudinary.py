"""Storyboards' pictures at Cloudinary under their projects' paths: copies that Cloudinary makes itself, and no progress files.

{project}/generated_images/{style}/Shot_{shot}/Beat_{beat}     a beat's picture; `.png` behind it in an address converts it
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import cloudinary.api
import cloudinary.uploader
from pydantic import BaseModel

from atelier.errors import StorageError
from atelier.pipelines.projects import Copy, Projects, Spot, StyleReference
from atelier.storage.cloudinary.storage import CloudinaryStorage, read

PAGE = 500
"""Most pictures that one listing tells of; each counts against the account's hourly limit."""


class Listed(BaseModel):
    """A picture in a listing."""

    public_id: str
    tags: list[str] = []


class Page(BaseModel):
    """What is read of a listing."""

    resources: list[Listed]
    next_cursor: str | None = None


class CloudinaryProjects:
    """`pipelines.projects.Projects` that copies to Cloudinary, and reads what a project brings from disk."""

    def __init__(self, disk: Projects, storage: CloudinaryStorage) -> None:
        self._disk, self._storage = disk, storage
        self._copied: set[tuple[str, str]] = set()

    async def check(self, project: str) -> None:
        """Look on disk."""
        await self._disk.check(project)

    async def earlier(self, spot: Spot) -> bytes | None:
        """Look on disk."""
        return await self._disk.earlier(spot)

    async def there(self, spots: Sequence[Spot]) -> frozenset[Spot]:
        """Look on disk."""
        return await self._disk.there(spots)

    async def set_aside(self, spot: Spot) -> None:
        """Rename it on disk."""
        await self._disk.set_aside(spot)

    async def reference(self, spot: Spot) -> StyleReference | None:
        """Look on disk."""
        return await self._disk.reference(spot)

    async def bring(self, copies: Sequence[Copy]) -> None:
        """Let Cloudinary copy what this process does not know to be there; several at once are looked up first."""
        missing = [copy for copy in copies if (name_of(copy), mark_of(copy)) not in self._copied]
        if len(missing) > 1:
            missing = await self._missing(missing)
        await asyncio.gather(*(self._copy(copy) for copy in missing))

    async def _missing(self, copies: Sequence[Copy]) -> list[Copy]:
        """Return those that are not there; one that was drawn again is there where its mark is."""
        known = {
            name: tags for project in {copy.spot.project for copy in copies} for name, tags in await self._list(project)
        }
        found = [copy for copy in copies if _is_there(copy, known.get(name_of(copy)))]
        self._copied |= {(name_of(copy), mark_of(copy)) for copy in found}
        return [copy for copy in copies if copy not in found]

    async def _list(self, project: str) -> list[tuple[str, list[str]]]:
        found: list[tuple[str, list[str]]] = []
        cursor: str | None = None
        while True:
            answer = await self._storage.ask(
                cloudinary.api.resources,
                type="upload",
                prefix=f"{project}/generated_images/",
                max_results=PAGE,
                tags=True,
                next_cursor=cursor,
            )
            page = read(Page, answer)
            found += [(one.public_id, one.tags) for one in page.resources]
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def _copy(self, copy: Copy) -> None:
        """Let Cloudinary fetch its own picture: the address is ours, from its own answer, and never a caller's."""
        if not copy.location.startswith("https://"):
            raise StorageError("This picture does not lie at Cloudinary.")
        await self._storage.ask(
            cloudinary.uploader.upload,
            copy.location,
            public_id=name_of(copy),
            overwrite=copy.over,
            unique_filename=False,
            resource_type="image",
            upload_preset=None,
            tags=[mark_of(copy)],
        )
        self._copied.add((name_of(copy), mark_of(copy)))


def name_of(copy: Copy) -> str:
    """Return a copy's public id."""
    spot = copy.spot
    return f"{spot.project}/generated_images/{spot.style}/Shot_{spot.shot}/Beat_{spot.beat}"


def mark_of(copy: Copy) -> str:
    """Return by what a copy is known to be of this picture."""
    return f"copy-{hashlib.sha256(copy.location.encode()).hexdigest()[:16]}"


def _is_there(copy: Copy, tags: Sequence[str] | None) -> bool:
    return tags is not None and (not copy.over or mark_of(copy) in tags)
