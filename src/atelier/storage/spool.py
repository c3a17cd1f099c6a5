"""Bytes that were made and not yet stored, as files in the data directory."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import datetime
from pathlib import Path

from atelier.errors import StorageError
from atelier.jobs.models import Json
from atelier.storage.files import remove_older, write_whole


class DiskSpool:
    """`pipelines.ports.Spool` in one folder; job ids are the service's own, so they are safe as names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def keep(self, job_id: str, number: int, data: bytes, note: Json) -> None:
        """Write one file durably: the note as a line of JSON, then the bytes."""
        whole = json.dumps(note).encode() + b"\n" + data
        await asyncio.to_thread(write_whole, self._path(job_id, number), whole, replace=True)

    async def read(self, job_id: str, number: int) -> tuple[bytes, Json] | None:
        """Read them, if they are here."""
        return await asyncio.to_thread(self._read, job_id, number)

    async def drop(self, job_id: str, number: int) -> None:
        """Remove them; what cannot be removed now is removed when its time is over."""
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._path(job_id, number).unlink, missing_ok=True)

    async def expire(self, before: datetime) -> int:
        """Remove files written before a moment."""
        return await asyncio.to_thread(remove_older, self._folder, "*.bytes", before)

    def _read(self, job_id: str, number: int) -> tuple[bytes, Json] | None:
        try:
            note, _, data = self._path(job_id, number).read_bytes().partition(b"\n")
            return data, json.loads(note)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"The spool cannot be read: {error.strerror}.") from error

    def _path(self, job_id: str, number: int) -> Path:
        return self._folder / f"{job_id}-{number}.bytes"
