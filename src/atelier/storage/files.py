"""Writing files so that a crash never leaves half of one under its name. Blocking; call in a thread."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from atelier.errors import StorageError, StorageFull


def write_whole(path: Path, data: bytes) -> None:
    """Write, flush to disk, then rename; a file that is there with the same size is left alone.

    Raises StorageFull and StorageError, leaving nothing behind.
    """
    try:
        if path.exists() and path.stat().st_size == len(data):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
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
