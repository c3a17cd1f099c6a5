"""Every setting: read once from the environment and `.env`, checked, frozen."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import (
    AliasChoices,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from atelier.errors import StartRefused

PREFIX = "ATELIER_"


def _split(value: object) -> object:
    """Read a comma list; blanks fall away."""
    return tuple(item.strip() for item in value.split(",") if item.strip()) if isinstance(value, str) else value


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Seconds = Annotated[float, Field(gt=0, le=30 * 86400)]
Days = Annotated[float, Field(ge=0, le=36500)]
Count = Annotated[int, Field(ge=1, le=1000)]


class Group(BaseModel):
    """A nested group of settings; an unknown name in it is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StoreSettings(Group):
    """Where jobs live."""

    kind: Literal["sqlite"] = Field("sqlite", description="Where jobs live: one SQLite file in the data directory.")


class QueueSettings(Group):
    """Who carries jobs to a worker."""

    kind: Literal["embedded"] = Field("embedded", description="Who carries jobs to a worker: this process itself.")


class StorageSettings(Group):
    """Where pictures live."""

    kind: Literal["disk"] = Field("disk", description="Where pictures live: files in the data directory.")


class Slots(Group):
    """How many jobs of a kind run at once in this process."""

    image: Count = Field(4, description="How many image jobs run at once in this process.")


class Deadlines(Group):
    """How long an accepted job may take."""

    image_seconds: Seconds = Field(600, description="Seconds from acceptance until an image job must have ended.")
    batch_seconds: Seconds = Field(
        3600, description="Seconds from acceptance until every picture of a batch must have ended."
    )


class Bounds(Group):
    """What one request may ask."""

    body_bytes: Annotated[int, Field(ge=1024, le=100_000_000)] = Field(
        1_000_000, description="Largest request body, in bytes; more answers 413."
    )
    queue: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        100_000, description="Most queued jobs of a kind; more are refused with 503 until some have gone."
    )
    rate_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        None, description="Requests a minute of one owner; 0 sets no limit; empty: none in open mode, else 600."
    )
    streams_per_owner: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        None, description="Streams one owner may have open; 0 sets no limit; empty: none in open mode, else 100."
    )
    anonymous_rate_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        60, description="Requests a minute of everybody without a key together, where `auth` is anonymous."
    )
    anonymous_daily_cost: Annotated[float, Field(ge=0, le=1_000_000)] = Field(
        1.0, description="US dollars that pictures of everybody without a key may cost in a UTC day, at list prices."
    )


class RetentionSettings(Group):
    """How long things are kept."""

    jobs_days: Days = Field(
        30, description="Days that records of ended single images and batches are kept; 0 keeps them for good."
    )
    pictures_days: Days = Field(0, description="Days that pictures are kept; 0 keeps them for good.")


class Settings(BaseSettings):
    """The whole tree. Names in the environment have the prefix ATELIER_ and `__` between levels."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    environment: Literal["development", "production"] = Field(
        "development", description="Which defaults hold. `production` refuses to start with unsafe ones."
    )
    role: Literal["all", "web", "worker"] = Field(
        "all", description="What this process does: everything, only answer callers (web), or only run jobs (worker)."
    )
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8000,
        description="Port to listen on; also read from PORT.",
        validation_alias=AliasChoices("ATELIER_PORT", "PORT"),
    )
    data_dir: Path = Field(Path("data"), description="Directory for the store, pictures, spool and the made secret.")
    public_url: AnyHttpUrl | None = Field(
        None, description="The service's address as callers see it; empty: taken from each request."
    )
    auth: Literal["open", "keys", "anonymous"] | None = Field(
        None,
        description="Who may do what: everybody is one owner (open), callers have API keys (keys), or the same and"
        " requests without one are limited (anonymous); empty: open, in production keys.",
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Secret behind unguessable picture names and tickets; empty: made once in the data directory, but"
        " not in production.",
    )
    cors_origins: CommaList | None = Field(
        None, description="Comma list of origins whose pages may call; empty: any port of localhost and 127.0.0.1."
    )
    sandbox: Literal["on", "off"] | None = Field(
        None, description="Whether the sandbox provider may be used; empty: on, in production off."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    lease_seconds: Annotated[float, Field(ge=0.3, le=3600)] = Field(
        30, description="Seconds a worker holds a job without a sign of life."
    )
    max_attempts: Annotated[int, Field(ge=1, le=20)] = Field(3, description="Attempts at a job before it fails.")
    retry_base_seconds: Seconds = Field(2, description="Seconds before the second attempt; doubles with each.")
    sweep_seconds: Seconds = Field(5, description="Seconds between two sweeps for lost workers and passed deadlines.")
    grace_seconds: Annotated[float, Field(ge=0, le=600)] = Field(
        8, description="Seconds that running jobs may take to finish when the service is told to stop."
    )
    image_providers: CommaList = Field(
        ("sandbox",), min_length=1, description="Comma list of image providers in order; the first is the default."
    )
    store: StoreSettings = StoreSettings()
    queue: QueueSettings = QueueSettings()
    storage: StorageSettings = StorageSettings()
    slots: Slots = Slots()
    deadlines: Deadlines = Deadlines()
    limits: Bounds = Bounds()
    retention: RetentionSettings = RetentionSettings()

    @property
    def access(self) -> Literal["open", "keys", "anonymous"]:
        """Who may do what."""
        return self.auth or ("keys" if self.environment == "production" else "open")

    @property
    def sandbox_on(self) -> bool:
        """Whether the sandbox may be used."""
        return self.sandbox == "on" or (self.sandbox is None and self.environment != "production")

    @property
    def rate_per_minute(self) -> int | None:
        """Requests a minute of one owner; None: no limit."""
        return self._limit(self.limits.rate_per_minute, 600)

    @property
    def streams_per_owner(self) -> int | None:
        """Streams one owner may have open; None: no limit."""
        return self._limit(self.limits.streams_per_owner, 100)

    def _limit(self, asked: int | None, otherwise: int) -> int | None:
        """Return a limit: what is asked, 0 for none; else none in open mode, which admits a load test."""
        if asked is None:
            return None if self.access == "open" else otherwise
        return asked or None

    @property
    def lease(self) -> timedelta:
        """The lease's length."""
        return timedelta(seconds=self.lease_seconds)

    @property
    def grace(self) -> timedelta:
        """The shutdown's grace."""
        return timedelta(seconds=self.grace_seconds)


def read() -> Settings:
    """Read the settings of this process. Raises StartRefused with a sentence for each wrong value."""
    try:
        return Settings()
    except ValidationError as error:
        raise StartRefused("\n".join(_sentence(item) for item in error.errors())) from error
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = PREFIX + (field.group(1).upper() if field else "…")
        raise StartRefused(f"{name}: names a group of settings; set {name}__… instead.") from error
    except UnicodeDecodeError as error:
        raise StartRefused("The file .env is not UTF-8 text.") from error


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
            rows.append((f"{prefix}{name.upper()}", _shown(field.default), field.description or ""))
    return rows


def _shown(default: object) -> str:
    if default is None:
        return ""
    return ",".join(default) if isinstance(default, tuple) else str(default)


def _sentence(item: Any) -> str:  # noqa: ANN401 - pydantic's error details
    name = "__".join(str(part).upper() for part in item["loc"])
    full = name if name.startswith(PREFIX) or name == "PORT" else PREFIX + name
    return f"{full}: {_PLAIN.get(item['type'], item['msg'])}."


_PLAIN = {
    "extra_forbidden": "there is no such setting",
    "too_short": "must name at least one",
    "model_type": "names a group of settings; set one of the group with __",
    "path_type": "must be a path",
}


def check_origins(settings: Settings) -> None:
    """Refuse origins that are not `scheme://host[:port]`; a star would let every page in."""
    for origin in settings.cors_origins or ():
        try:
            url = TypeAdapter(AnyHttpUrl).validate_python(origin)
        except ValidationError as error:
            raise StartRefused(
                f"{PREFIX}CORS_ORIGINS: {origin!r} is not an origin like https://example.org."
            ) from error
        if (url.path or "/") != "/" or origin.endswith("/"):
            raise StartRefused(f"{PREFIX}CORS_ORIGINS: {origin!r} must be scheme, host and port only.")
