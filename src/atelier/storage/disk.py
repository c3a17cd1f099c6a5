"""Pictures as files below the data directory, served by the app itself.

{HMAC(job)}/{n}-{content hash}.png          a picture: unguessable, and the same bytes always get the same name
{HMAC(job)}/{n}-{content hash}.thumb.webp   its thumbnail
{HMAC(job)}/preview-{step}.jpg              a preview, gone when the job has ended
shared/{content hash}.png                   a picture that is the same for everybody
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
from datetime import datetime
from pathlib import Path

from atelier import media
from atelier.errors import StorageError
from atelier.media import Content
from atelier.pipelines.ports import Stored
from atelier.storage import names
from atelier.storage.files import is_there, remove_folder, remove_older, write_whole

ROUTE = "/pictures"
_NAME = re.compile(r"(?:[0-9a-f]{32}/(?:\d+-[0-9a-f]{32}|preview-\d+)|shared/[0-9a-f]{32})(?:\.thumb)?\.(png|jpg|webp)")


class DiskStorage:
    """`pipelines.ports.Storage` in one folder."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        self._folder, self._secret = folder, secret
        self._shared: dict[str, Stored] = {}

    async def save(self, job_id: str, number: int, content: Content, *, alt: str, shared: bool) -> Stored:  # noqa: ARG002 - files have no description
        """Write picture and thumbnail, each whole or not at all."""
        name = names.picture(self._secret, job_id, number, content.facts.content_hash, shared=shared)
        if not shared:
            return await asyncio.to_thread(self._save, name, content)
        if name not in self._shared:
            self._shared[name] = await asyncio.to_thread(self._save, name, content)
        return self._shared[name]

    async def save_preview(self, job_id: str, step: int, data: bytes) -> str | None:
        """Write the preview beside the picture's place."""
        name = f"{self._place(job_id)}/preview-{step}.jpg"
        await asyncio.to_thread(write_whole, self._folder / name, data)
        return f"{ROUTE}/{name}"

    async def drop_previews(self, job_id: str) -> None:
        """Remove the job's previews."""
        await asyncio.to_thread(self._drop_previews, job_id)

    async def remove(self, job_id: str) -> None:
        """Remove the job's folder."""
        await asyncio.to_thread(remove_folder, self._folder / self._place(job_id))

    async def expire(self, before: datetime) -> int:
        """Remove files written before a moment, and folders left empty."""
        return await asyncio.to_thread(remove_older, self._folder, f"{names.PLACE}/*", before)

    async def expire_previews(self, before: datetime) -> int:
        """Remove previews written before a moment, and folders left empty."""
        return await asyncio.to_thread(remove_older, self._folder, "*/preview-*.jpg", before)

    async def ping(self) -> None:
        """Write and remove a small file."""
        await asyncio.to_thread(self._ping)

    def find(self, name: str) -> tuple[Path, str] | None:
        """Return the file behind a public name and its content type; None for any name this storage does not make."""
        match = _NAME.fullmatch(name)
        return (self._folder / name, media.CONTENT_TYPES[match.group(1)]) if match else None

    def _save(self, stem: str, content: Content) -> Stored:
        picture, small = f"{stem}.{media.EXTENSIONS[content.facts.format]}", f"{stem}.thumb.webp"
        if not is_there(self._folder / small):
            write_whole(self._folder / small, media.thumbnail(content))
        write_whole(self._folder / picture, content.data)
        return Stored(location=f"{ROUTE}/{picture}", thumbnail=f"{ROUTE}/{small}")

    def _place(self, job_id: str) -> str:
        return names.place(self._secret, job_id)

    def _drop_previews(self, job_id: str) -> None:
        """What cannot be removed now is removed when its time is over."""
        with contextlib.suppress(OSError):
            for preview in (self._folder / self._place(job_id)).glob("preview-*.jpg"):
                preview.unlink(missing_ok=True)

    def _ping(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder) as file:
                file.write(b"ready")
        except OSError as error:
            raise StorageError(f"The folder for pictures cannot be written: {error.strerror}.") from error
