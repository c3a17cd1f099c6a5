"""Projects as folders on disk, for tools that look there.

{root}/{project}/generated_images/{style}/Shot_{shot}/Beat_{beat}.png     a beat's picture
{root}/{project}/image_progress_{style}.json                              which beats of a style have one
{root}/{project}/style_reference_{style}.png, style_reference.png         what hard cuts shall look like
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO

from atelier import media
from atelier.errors import StorageError
from atelier.jobs.ports import Clock
from atelier.pipelines.projects import Copy, Spot, StyleReference
from atelier.storage.projects import confined
from atelier.storage.projects.confined import failures
from atelier.storage.threads import Threads

PICTURES = "generated_images"
LARGEST = 64_000_000
"""Bytes of a file that is read."""

AT_ONCE = 4
TURN_SECONDS, AGAIN_SECONDS = 5.0, 0.05
"""How long another process's turn at a project's progress is waited for, and how often it is looked for."""

PATIENCE = timedelta(seconds=20)
"""Longest wait for a place among those who tell a project's progress, and for its turn."""

NOTHING = (FileNotFoundError, NotADirectoryError)

_SHOT, _BEAT = re.compile(r"Shot_(.+)"), re.compile(r"Beat_(.+)\.png")
_NUMBERS = re.compile(r"(\d+)")

Find = Callable[[str], tuple[Path, str] | None]
"""Finds the file of a stored picture by its name."""


class DiskProjects:
    """`pipelines.projects.Projects` below one folder. `locks` is where processes that share it take turns."""

    def __init__(self, root: Path, *, locks: Path, pictures: Find, route: str, style: Path | None, now: Clock) -> None:
        self._root, self._locks, self._pictures, self._route = root, locks, pictures, route
        self._style, self._now = style, now
        self._threads = Threads(AT_ONCE, "projects")

    async def check(self, project: str) -> None:
        """Resolve the folder."""
        await asyncio.to_thread(confined.below, self._root, project.split("/"))

    async def earlier(self, spot: Spot) -> bytes | None:
        """Read the file."""
        return await asyncio.to_thread(self._read, _folder(spot), file_of(spot))

    async def there(self, spots: Sequence[Spot]) -> frozenset[Spot]:
        """Look at each."""
        return await asyncio.to_thread(lambda: frozenset(spot for spot in spots if self._is_there(spot)))

    async def set_aside(self, spot: Spot) -> None:
        """Rename the file, over one of that name."""
        await asyncio.to_thread(self._set_aside, spot)

    async def reference(self, spot: Spot) -> StyleReference | None:
        """Read the first there is."""
        return await asyncio.to_thread(self._reference, spot)

    async def bring(self, copies: Sequence[Copy]) -> None:
        """Write pictures, then each style's progress, which is derived from what lies there."""
        await asyncio.to_thread(self._copy_all, copies)
        for project, style in sorted({(copy.spot.project, copy.spot.style) for copy in copies}):
            await self._progress(project, style)

    def _read(self, names: Sequence[str], file: str) -> bytes | None:
        with failures("The projects cannot be read"):
            try:
                with confined.folder(self._root, names, make=False) as folder:
                    return confined.read(folder, file, LARGEST)
            except NOTHING:
                return None

    def _is_there(self, spot: Spot) -> bool:
        with (
            failures("The projects cannot be read"),
            contextlib.suppress(*NOTHING),
            confined.folder(self._root, _folder(spot), make=False) as folder,
        ):
            ends = confined.ends(folder, file_of(spot), LARGEST)
            looks = ends is not None and media.looks_whole(*ends)
            return looks or media.is_whole(confined.read(folder, file_of(spot), LARGEST) or b"")
        return False

    def _set_aside(self, spot: Spot) -> None:
        with (
            failures("The projects cannot be written"),
            contextlib.suppress(*NOTHING),
            confined.folder(self._root, _folder(spot), make=False) as folder,
        ):
            os.replace(file_of(spot), f"{file_of(spot)}.unreadable", src_dir_fd=folder, dst_dir_fd=folder)

    def _reference(self, spot: Spot) -> StyleReference | None:
        for name in (f"style_reference_{spot.style}.png", "style_reference.png"):
            data = self._read(spot.project.split("/"), name)
            if data is not None:
                return StyleReference(name=name, data=data)
        if self._style is None:
            return None
        with failures("The configured style reference cannot be read"):
            return StyleReference(name=self._style.name, data=self._style.read_bytes())

    async def _progress(self, project: str, style: str) -> None:
        """Tell a style's progress, in a thread of its own kind: who waits for another process's turn is in nobody's way."""
        try:
            await self._threads.run(partial(self._tell_progress, project, style), PATIENCE)
        except TimeoutError as error:
            raise _taken() from error

    def _copy_all(self, copies: Sequence[Copy]) -> None:
        for copy in copies:
            self._copy(copy)

    def _copy(self, copy: Copy) -> None:
        at = _nanoseconds(copy.made_at)
        with (
            failures("The projects cannot be written"),
            confined.folder(self._root, _folder(copy.spot), make=True) as folder,
        ):
            there = confined.written_at(folder, file_of(copy.spot))
            replaced = there is not None and there < at and (copy.over or there == confined.NO_FILE)
            if there is None or replaced:
                confined.write(folder, file_of(copy.spot), self._stored(copy), replace=replaced, at=at)

    def _stored(self, copy: Copy) -> bytes:
        found = self._pictures(copy.location.removeprefix(f"{self._route}/"))
        if found is None:
            raise StorageError("This picture does not lie on this machine.")
        data = found[0].read_bytes()
        return data if copy.format == "png" else media.as_png(data)

    def _tell_progress(self, project: str, style: str) -> None:
        """Write which beats have pictures, where that is news. One at a time, so that no older list comes last."""
        name = f"image_progress_{style}.json"
        with (
            failures("The projects cannot be written"),
            self._turn(project),
            confined.folder(self._root, project.split("/"), make=True) as folder,
        ):
            beats = list(self._beats(project, style))
            if _beats_in(confined.read(folder, name, LARGEST)) != beats:
                told = {"completedBeats": beats, "lastUpdated": _stamp(self._now())}
                confined.write(folder, name, json.dumps(told, ensure_ascii=False, indent=2).encode(), replace=True)

    def _beats(self, project: str, style: str) -> Iterator[str]:
        """Yield the beats whose pictures lie there, in the order of shots and beats."""
        shots = sorted(self._matching((*project.split("/"), PICTURES, style), _SHOT), key=_natural)
        for shot in shots:
            folder = (*project.split("/"), PICTURES, style, f"Shot_{shot}")
            yield from sorted(self._matching(folder, _BEAT), key=_natural)

    def _matching(self, names: Sequence[str], pattern: re.Pattern[str]) -> list[str]:
        try:
            with confined.folder(self._root, names, make=False) as folder:
                entries = os.listdir(folder)  # noqa: PTH208 - of an open folder
        except NOTHING:
            return []
        return [found[1] for entry in entries if (found := pattern.fullmatch(entry))]

    @contextmanager
    def _turn(self, project: str) -> Iterator[None]:
        """Keep other processes from this project's progress. Raises StorageError where one of them keeps us too long."""
        self._locks.mkdir(parents=True, exist_ok=True)
        with (self._locks / hashlib.sha256(project.encode()).hexdigest()[:16]).open("w") as lock:
            ends = time.monotonic() + TURN_SECONDS
            while not _locked(lock):
                if time.monotonic() >= ends:
                    raise _taken()
                time.sleep(AGAIN_SECONDS)
            yield


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _taken() -> StorageError:
    return StorageError(
        "Another process keeps this project's progress locked; the pictures are there, their list is not."
    )


def file_of(spot: Spot) -> str:
    """Return how a beat's picture is called."""
    return f"Beat_{spot.beat}.png"


def _folder(spot: Spot) -> tuple[str, ...]:
    return (*spot.project.split("/"), PICTURES, spot.style, f"Shot_{spot.shot}")


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort 2 before 10, and numbers before words."""
    return [
        (int(part), "") if part.isascii() and part.isdigit() else (10**9, part) for part in _NUMBERS.split(name) if part
    ]


def _beats_in(data: bytes | None) -> object:
    try:
        told = json.loads(data or b"{}")
    except ValueError:
        return None
    return told.get("completedBeats") if isinstance(told, dict) else None


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
