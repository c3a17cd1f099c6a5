"""Files below a root that nothing leads out of: every folder is opened from the one above it, no link is followed. Blocking."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from atelier.errors import StorageError, StorageFull, StorageRefused

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
NO_FILE = -1
"""As old as what is no file: a link, which is never followed, is replaced."""

END = 32
"""Bytes of a file's beginning and of its end."""

LINKED = frozenset({errno.ELOOP, errno.ENOTDIR})


@contextmanager
def failures(what: str) -> Iterator[None]:
    """Translate what the disk says."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull("The disk for storyboards' projects is full.") from error
        raise StorageError(f"{what}: {error.strerror}.") from error


def below(root: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Return the real folders that names lead to, with every link in them resolved. Raises StorageRefused outside the root."""
    base = root.resolve()
    try:
        found = base.joinpath(*names).resolve()
    except (RuntimeError, ValueError, OSError) as error:
        raise _out() from error
    if not found.is_relative_to(base):
        raise _out()
    return found.relative_to(base).parts


@contextmanager
def folder(root: Path, names: Sequence[str], *, make: bool) -> Iterator[int]:
    """Open a folder below the root, made where it is not there, for as long as the block lasts; its descriptor.

    Raises FileNotFoundError, and StorageRefused where something on the way was swapped for a link since it was resolved.
    """
    if make:
        root.mkdir(parents=True, exist_ok=True)
    parts = below(root, names)
    opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts:
            inner = _inner(opened, part, make=make)
            os.close(opened)
            opened = inner
        yield opened
    finally:
        os.close(opened)


def _inner(outer: int, name: str, *, make: bool) -> int:
    try:
        return os.open(name, DIRECTORY, dir_fd=outer)
    except FileNotFoundError:
        if not make:
            raise
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=outer)
            os.fsync(outer)
        return _inner(outer, name, make=False)
    except OSError as error:
        linked = error.errno in LINKED and stat.S_ISLNK(os.stat(name, dir_fd=outer, follow_symlinks=False).st_mode)
        raise (_out() if linked else error) from error


def read(directory: int, name: str, most: int) -> bytes | None:
    """Return a file of a folder; None where there is none, or no plain file of at most so many bytes."""
    with _opened(directory, name, most) as opened:
        return opened.read() if opened is not None else None


def ends(directory: int, name: str, most: int) -> tuple[bytes, bytes] | None:
    """Return the first and last bytes of such a file; None as above."""
    with _opened(directory, name, most) as opened:
        if opened is None:
            return None
        head, size = opened.read(END), opened.seek(0, os.SEEK_END)
        opened.seek(max(size - END, 0))
        return head, opened.read()


@contextmanager
def _opened(directory: int, name: str, most: int) -> Iterator[BinaryIO | None]:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ELOOP, errno.ENXIO}:
            raise
        yield None
        return
    with os.fdopen(file, "rb") as opened:
        known = os.fstat(file)
        yield opened if stat.S_ISREG(known.st_mode) and known.st_size <= most else None


def written_at(directory: int, name: str) -> int | None:
    """Return when a file of a folder was written, in nanoseconds; None where there is nothing, NO_FILE for what is no file."""
    try:
        known = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return known.st_mtime_ns if stat.S_ISREG(known.st_mode) else NO_FILE


def write(directory: int, name: str, data: bytes, *, replace: bool, at: int | None = None) -> bool:
    """Write a file whole or not at all, durably, as of a moment in nanoseconds; whether it is the one that is there now.

    Without `replace` one that is there stays as it is.
    """
    temporary = f".{secrets.token_hex(8)}.part"
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=directory)
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(data)
            opened.flush()
            if at is not None:
                os.utime(file, ns=(at, at))
            os.fsync(file)
        placed = _place(directory, temporary, name, replace=replace)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
    os.fsync(directory)
    return placed


def _place(directory: int, temporary: str, name: str, *, replace: bool) -> bool:
    if replace:
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        return True
    try:
        os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except FileExistsError:
        return False
    return True


def _out() -> StorageRefused:
    return StorageRefused("This project's folder leads out of the folder for projects.")
