"""The service's secret and its encryption keys: the configured ones, or ones that are made once."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from atelier.errors import StartRefused
from atelier.settings import Settings
from atelier.settings.encryption import FERNET_KEY

SECRET_BYTES = 32


def secret_of(settings: Settings) -> bytes:
    """Return the configured secret, or the one made once in the data directory."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    path = settings.data_dir / "secret.key"
    secret = _made_once(path, lambda: secrets.token_hex(SECRET_BYTES))
    if len(secret) < SECRET_BYTES:
        raise StartRefused(f"The secret in {path} is too short; restore it, or delete the file to have a new one made.")
    return secret


def encryption_keys_of(settings: Settings) -> tuple[str, ...]:
    """Return the configured keys, or the one made once in the data directory; none where every process needs the same."""
    if settings.encryption_keys:
        return tuple(key.get_secret_value() for key in settings.encryption_keys)
    if settings.environment == "production" or settings.store.kind != "sqlite":
        return ()
    path = settings.data_dir / "encryption.key"
    key = _made_once(path, _fernet_key).decode(errors="replace").strip()
    if not FERNET_KEY.fullmatch(key):
        raise StartRefused(f"The encryption key in {path} is not whole; restore it.")
    return (key,)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _made_once(path: Path, make: Callable[[], str]) -> bytes:
    """Return what the file holds, made if it is not there yet. Raises StartRefused."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path, make)
        return path.read_bytes()
    except OSError as error:
        raise StartRefused(
            f"The data directory {path.parent} cannot be used: {error.strerror}. Set ATELIER_DATA_DIR to a folder that"
            " can be written."
        ) from error


def _make(path: Path, make: Callable[[], str]) -> None:
    """Create the file whole or not at all, so that two processes starting together agree on it."""
    if path.exists():
        return
    temporary = path.with_name(f".{secrets.token_hex(8)}.key")
    temporary.touch(mode=0o600)
    with temporary.open("w") as file:
        file.write(make())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink()
