"""The service's secret: the configured one, or one that is made once."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from atelier.errors import StartRefused
from atelier.settings import Settings

SECRET_BYTES = 32


def secret_of(settings: Settings) -> bytes:
    """Return the configured secret, or the one made once in the data directory."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    path = settings.data_dir / "secret.key"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        _make_secret(path)
        secret = path.read_bytes()
    except OSError as error:
        raise StartRefused(f"The data directory {settings.data_dir} cannot be used: {error.strerror}.") from error
    if len(secret) < SECRET_BYTES:
        raise StartRefused(f"The secret in {path} is too short; restore it, or delete the file to have a new one made.")
    return secret


def _make_secret(path: Path) -> None:
    """Create the file whole or not at all, so that two processes starting together agree on it."""
    if path.exists():
        return
    temporary = path.with_name(f".{secrets.token_hex(8)}.key")
    temporary.touch(mode=0o600)
    with temporary.open("w") as file:
        file.write(secrets.token_hex(SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink()
