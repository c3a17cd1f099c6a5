"""Bytes that were made and not yet stored, as files in the data directory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from atelier.errors import StorageError
from atelier.jobs.models import Json
from atelier.storage.files import older, remove_files, write_whole

PLACE = "spool"


class DiskSpool:
    """`pipelines.ports.Spool` in one folder; job ids are the service's own, so they are safe as names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def keep(self, job_id: str, number: int, data: bytes, note: Json) -> None:
        """Write one file durably: the note as a line of JSON, then the bytes."""
        whole = json.dumps(note).encode() + b"\n" + data
        await asyncio.to_thread(write_whole, self._path(job_id, number), whole, replace=True, place=PLACE)

    async def read(self, job_id: str, number: int) -> tuple[bytes, Json] | None:
        """Read them, if they are here."""
        return await asyncio.to_thread(self._read, job_id, number)

    async def drop(self, job_id: str, number: int) -> None:
        """Remove them; what cannot be removed now is removed when its time is over."""
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._path(job_id, number).unlink, missing_ok=True)

    async def ping(self) -> None:
        """Take every step of keeping a picture, with a few bytes."""
        await asyncio.to_thread(self._ping)

    async def expire(self, before: datetime, over: Callable[[str], Awaitable[bool]]) -> int:
        """Remove files written before a moment, of jobs that are over."""
        removed = 0
        for job_id, paths in (await asyncio.to_thread(self._old, before)).items():
            if not job_id or await over(job_id):
                removed += await asyncio.to_thread(remove_files, paths)
        return removed

    def _ping(self) -> None:
        path = self._path(f"ping-{secrets.token_hex(8)}", 0)
        write_whole(path, b"ready", place=PLACE)
        try:
            with _failures("read"):
                path.read_bytes()
        finally:
            with _failures("written"):
                path.unlink(missing_ok=True)

    def _old(self, before: datetime) -> Mapping[str, Sequence[Path]]:
        """Return by job what was written before a moment; what a crash left of a write is nobody's, under ""."""
        found: dict[str, list[Path]] = {"": older(self._folder, "*.part", before)}
        for path in older(self._folder, "*.bytes", before):
            found.setdefault(path.stem.rpartition("-")[0], []).append(path)
        return found

    def _read(self, job_id: str, number: int) -> tuple[bytes, Json] | None:
        try:
            with _failures("read"):
                note, _, data = self._path(job_id, number).read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        return data, json.loads(note)

    def _path(self, job_id: str, number: int) -> Path:
        return self._folder / f"{job_id}-{number}.bytes"


@contextmanager
def _failures(how: str) -> Iterator[None]:
    """Translate what the disk says of being read or written; that nothing is there is no failure."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(f"The {PLACE} cannot be {how}: {error.strerror}.") from error
