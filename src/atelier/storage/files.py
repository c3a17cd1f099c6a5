"""Files: written so that a crash never leaves half of one under its name, removed by age. Blocking; call in a thread."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from datetime import datetime
from pathlib import Path

from atelier.errors import StorageError, StorageFull


def write_whole(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write, flush to disk, then rename. A file that is there is left alone, as names tell contents, or replaced.

    Raises StorageFull and StorageError, leaving nothing behind.
    """
    try:
        if path.exists() and not replace:
            return
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _flush_folder(path.parent.parent)
        temporary = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            _write_durably(temporary, data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _flush_folder(path.parent)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull("The disk for pictures is full.") from error
        raise StorageError(f"The disk for pictures cannot be written: {error.strerror}.") from error


def remove_folder(folder: Path) -> None:
    """Remove a folder and everything in it. Raises StorageError where that fails, so that it can be tried again."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"The pictures cannot be removed: {error.strerror}.") from error


def remove_older(folder: Path, pattern: str, before: datetime) -> int:
    """Remove files written before a moment, and folders below `folder` left empty by that; how many files."""
    old = [path for path in folder.glob(pattern) if _written(path) < before.timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    for parent in {path.parent for path in old} - {folder}:
        with contextlib.suppress(OSError):  # not empty
            parent.rmdir()
    return len(old)


def _written(path: Path) -> float:
    """Return when a file was written; one that is gone meanwhile is not old."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the new name itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
