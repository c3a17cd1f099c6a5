"""Storyboards' pictures at Cloudinary under their projects' paths: copies that Cloudinary makes itself, and no progress files.

{project}/generated_images/{style}/Shot_{shot}/Beat_{beat}     a beat's picture; `.png` behind it in an address converts it
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence

import cloudinary.api
import cloudinary.uploader
from pydantic import BaseModel

from atelier.errors import StorageError
from atelier.pipelines.projects import Copy, Projects, Spot, StyleReference
from atelier.storage.cloudinary.storage import CloudinaryStorage, Uploaded, read

KNOWN_SECONDS = 600.0
"""How long a copy is taken to be where it was seen: somebody may remove it."""

KNOWN_MOST = 20_000
"""So many copies are remembered; the others are looked up."""

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

    def __init__(
        self, disk: Projects, storage: CloudinaryStorage, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._disk, self._storage, self._clock = disk, storage, clock
        self._seen: dict[tuple[str, str], float] = {}  # when each copy was, the latest last

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
        """Let Cloudinary copy what this process has not seen there lately; several, or one seen before, are looked up first."""
        missing = [copy for copy in copies if not self._seen_lately(copy)]
        if len(missing) > 1 or any(_key(copy) in self._seen for copy in missing):
            missing = await self._missing(missing)
        await asyncio.gather(*(self._copy(copy) for copy in missing))

    async def _missing(self, copies: Sequence[Copy]) -> list[Copy]:
        """Return those that are not there; one that was drawn again is there where its mark is."""
        known = {
            name: tags for project in {copy.spot.project for copy in copies} for name, tags in await self._list(project)
        }
        found = [copy for copy in copies if _is_there(copy, known.get(name_of(copy)))]
        for copy in found:
            self._see(copy)
        return [copy for copy in copies if copy not in found]

    def _seen_lately(self, copy: Copy) -> bool:
        seen = self._seen.get(_key(copy))
        return seen is not None and self._clock() < seen + KNOWN_SECONDS

    def _see(self, copy: Copy) -> None:
        """Remember that a copy is there; forget those that were seen first, beyond the bound."""
        self._seen.pop(_key(copy), None)
        self._seen[_key(copy)] = self._clock()
        if len(self._seen) > KNOWN_MOST:
            del self._seen[next(iter(self._seen))]

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
        answer = await self._storage.ask(
            cloudinary.uploader.upload,
            copy.location,
            public_id=name_of(copy),
            overwrite=copy.over,
            unique_filename=False,
            resource_type="image",
            upload_preset=None,
            tags=[mark_of(copy)],
        )
        read(Uploaded, answer)
        self._see(copy)


def name_of(copy: Copy) -> str:
    """Return a copy's public id."""
    spot = copy.spot
    return f"{spot.project}/generated_images/{spot.style}/Shot_{spot.shot}/Beat_{spot.beat}"


def mark_of(copy: Copy) -> str:
    """Return by what a copy is known to be of this picture."""
    return f"copy-{hashlib.sha256(copy.location.encode()).hexdigest()[:16]}"


def _key(copy: Copy) -> tuple[str, str]:
    return name_of(copy), mark_of(copy)


def _is_there(copy: Copy, tags: Sequence[str] | None) -> bool:
    return tags is not None and (not copy.over or mark_of(copy) in tags)
