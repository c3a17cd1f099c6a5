"""Files: written so that a crash never leaves half of one under its name, removed by age. Blocking; call in a thread."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from atelier import logs
from atelier.errors import StorageError, StorageFull

PICTURES = "disk for pictures"


def write_whole(path: Path, data: bytes, *, replace: bool = False, place: str = PICTURES) -> None:
    """Write, flush to disk, then rename. A file that is there is left alone, as names tell contents, or replaced.

    Raises StorageFull and StorageError, which name the `place`, leaving nothing behind.
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
            raise StorageFull(f"The {place} is full.") from error
        raise StorageError(f"The {place} cannot be written: {error.strerror}.") from error


def is_there(path: Path) -> bool:
    """Whether something has this name. Raises StorageError where that cannot be told."""
    try:
        return path.exists()
    except OSError as error:
        raise StorageError(f"The {PICTURES} cannot be read: {error.strerror}.") from error


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
    old = older(folder, pattern, before)
    removed = remove_files(old)
    for parent in {path.parent for path in old} - {folder}:
        with contextlib.suppress(OSError):  # not empty
            parent.rmdir()
    return removed


def older(folder: Path, pattern: str, before: datetime) -> list[Path]:
    """Return files written before a moment. One that is gone meanwhile is not old; nor is one of which it cannot be told."""
    old, failures = [], []
    for path in folder.glob(pattern):
        try:
            if path.stat().st_mtime < before.timestamp():
                old.append(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            failures.append(error)
    _tell(failures)
    return old


def remove_files(paths: Sequence[Path]) -> int:
    """Remove files; how many. One that cannot be removed keeps none of the others."""
    failures = []
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            failures.append(error)
    _tell(failures)
    return len(paths) - len(failures)


def _tell(failures: Sequence[OSError]) -> None:
    """Say once what kept files from being removed, however many there are."""
    if failures:
        logs.warning("files_not_removed", files=len(failures), reason=failures[0].strerror)


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
