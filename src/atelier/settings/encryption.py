"""The keys behind what is encrypted at rest, checked as they are read and never repeated."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from atelier.settings.groups import split

FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
"""32 bytes in URL-safe base64."""


def _are_keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for place, key in enumerate(keys, 1):
        if not FERNET_KEY.fullmatch(key.get_secret_value()):
            raise ValueError(
                f"number {place} of the list is no Fernet key, which is 32 random bytes in URL-safe base64; `openssl rand"
                " -base64 32 | tr +/ -_` makes one"
            )
    return keys


EncryptionKeys = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split), AfterValidator(_are_keys)]
