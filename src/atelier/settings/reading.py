"""Reading the settings of this process, and naming what is wrong with them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from dotenv import dotenv_values
from pydantic import BaseModel, ValidationError
from pydantic_settings.exceptions import SettingsError

from atelier.errors import StartRefused
from atelier.settings.groups import Group
from atelier.settings.tree import PREFIX, Settings

FOREIGN = frozenset(
    {
        "PORT",
        "GOOGLE_CLOUD_PROJECT",
        "FIRESTORE_EMULATOR_HOST",
        "CLOUDINARY_URL",
        "STABILITY_API_KEY",
        "GEMINI_API_KEY",
        "STABLE_HORDE_API_KEY",
        "HF_TOKEN",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "ANTHROPIC_API_KEY",
        "TAVILY_API_KEY",
    }
)
"""Names without our prefix, which people have already."""


def read() -> Settings:
    """Read the settings of this process. Raises StartRefused with a sentence for each wrong value."""
    if wrong := [name for name in os.environ if _ours(name) and not _is_text(os.environ[name])]:
        raise StartRefused("\n".join(f"{name}: is not UTF-8 text; write it anew." for name in sorted(wrong)))
    try:
        return Settings()
    except ValidationError as error:
        raise StartRefused("\n".join(map(_sentence, _first_causes(error.errors())))) from error
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = PREFIX + (field.group(1).upper() if field else "…")
        raise StartRefused(f"{name}: names a group of settings; set {name}__… instead.") from error
    except UnicodeDecodeError as error:
        raise StartRefused("The file .env is not UTF-8 text.") from error


def _ours(name: str) -> bool:
    return name.upper().startswith(PREFIX) or name.upper() in FOREIGN


def _is_text(value: str) -> bool:
    """Whether a value of the environment is what its bytes say, without stand-ins for what is no UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def unknown_names() -> list[str]:
    """Return names with our prefix, of the environment and of .env, that no setting has: most likely misspelt."""
    known = {name for name, _, _ in catalogue()}
    given = {*os.environ, *dotenv_values(".env")}
    return sorted(name for name in given if name.startswith(PREFIX) and name not in known)


def catalogue() -> list[tuple[str, str, str]]:
    """List every setting: its name in the environment, its default and its description."""
    return list(_walk(Settings, PREFIX))


def _walk(model: type[BaseModel], prefix: str) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Group):
            rows += _walk(kind, f"{prefix}{name.upper()}__")
        else:
            full = alias if isinstance(alias := field.validation_alias, str) else f"{prefix}{name.upper()}"
            rows.append((full, _shown(field.default), field.description or ""))
    return rows


def _shown(default: object) -> str:
    if default is None or default == {}:
        return ""
    return ",".join(default) if isinstance(default, tuple) else str(default)


def _first_causes(items: Sequence[Any]) -> list[Any]:
    """Leave out lists that are too short because something in them is wrong."""
    places = [item["loc"] for item in items]
    return [
        item
        for item, loc in zip(items, places, strict=True)
        if item["type"] != "too_short" or not any(other[: len(loc)] == loc != other for other in places)
    ]


def _sentence(item: Any) -> str:  # noqa: ANN401 - pydantic's error details
    name = "__".join(str(part).upper() for part in item["loc"])
    full = name if name.startswith(PREFIX) or name in FOREIGN else PREFIX + name
    if item["loc"][0] in POOLS and item["type"] in OBJECTS:
        return f"{full}: must be a JSON object with a provider and keys, like {PREFIX}POOLS in docs/configuration.md."
    return f"{full}: {_PLAIN.get(item['type'], item['msg'].removeprefix('Value error, '))}."


POOLS, OBJECTS = {"pools", f"{PREFIX}POOLS"}, {"model_type", "model_attributes_type", "dict_type"}
_PLAIN = {
    "extra_forbidden": "there is no such setting",
    "too_short": "must name at least one",
    "model_type": "names a group of settings; set one of the group with __",
    "path_type": "must be a path",
}
