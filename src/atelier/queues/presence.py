"""Which worker processes have ended. On one machine each holds a lock on a file for as long as it lives.

The kernel lets go of the lock however the process died, and not before: a process that is merely stopped holds it.
So a restart can take up its predecessor's jobs at once, without waiting for their leases to run out.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import socket
from pathlib import Path

from atelier.errors import StorageError

SUFFIX = ".alive"


class DiskPresence:
    """`jobs.ports.Presence` in one folder, shared by the processes that share the store."""

    def __init__(self, folder: Path) -> None:
        self.name = secrets.token_hex(8)
        self._folder = folder
        self._handle: int | None = None

    async def open(self) -> None:
        """Begin to be present."""
        await asyncio.to_thread(self._open)

    async def close(self) -> None:
        """Leave, in order."""
        await asyncio.to_thread(self._close)

    async def gone(self) -> frozenset[str]:
        """Try every other process's lock."""
        return await asyncio.to_thread(self._gone)

    async def forget(self, name: str) -> None:
        """Remove the file of a process that has ended."""
        await asyncio.to_thread(self._forget, name)

    def _open(self) -> None:
        """Lock the file before it gets its name, so that nobody ever sees it unlocked while we live."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unnamed = self._folder / f".{self.name}"
            self._handle = os.open(unnamed, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            unnamed.rename(self._file(self.name))
        except OSError as error:
            raise StorageError(f"The folder {self._folder} cannot be used: {error.strerror}.") from error

    def _close(self) -> None:
        """Others find out by the lock where the file cannot be removed."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                self._file(self.name).unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def _forget(self, name: str) -> None:
        try:
            self._file(name).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"The folder {self._folder} cannot be written: {error.strerror}.") from error

    def _gone(self) -> frozenset[str]:
        files = [path for path in self._folder.glob(f"*{SUFFIX}") if path.stem != self.name]
        return frozenset(path.stem for path in files if _unlocked(path))

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"


class DistantPresence:
    """`jobs.ports.Presence` where processes are on many machines: nobody is ever known to have ended, leases decide."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}-{secrets.token_hex(8)}"

    async def open(self) -> None:
        """There is nothing to leave anywhere."""

    async def close(self) -> None:
        """Nothing was left."""

    async def gone(self) -> frozenset[str]:
        """Return nobody."""
        return frozenset()

    async def forget(self, name: str) -> None:
        """Know nobody to forget."""


def _unlocked(path: Path) -> bool:
    """Whether its process has certainly ended; what cannot be told now is asked again."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(handle)
