"""The whole tree of settings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, AnyHttpUrl, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from atelier.settings.backends import OidcSettings, QueueSettings, StorageSettings, StoreSettings, StoryboardSettings
from atelier.settings.encryption import EncryptionKeys
from atelier.settings.groups import (
    BlogSettings,
    Bounds,
    CommaList,
    Deadlines,
    MediaSettings,
    RetentionSettings,
    Seconds,
    Slots,
)
from atelier.settings.pools import Pools
from atelier.settings.providers import FetchSettings, Key, ProviderSettings

PREFIX = "ATELIER_"
NOBODY = ("none",)
"""How a list says that it is meant to be empty: an empty setting means its default."""


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
    host: str = Field(
        "127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface, :: for IPv6 as well."
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8000,
        description="Port to listen on; also read from PORT.",
        validation_alias=AliasChoices("ATELIER_PORT", "PORT"),
    )
    data_dir: Path = Field(Path("data"), description="Directory for the store, pictures, spool and the made secret.")
    public_url: AnyHttpUrl | None = Field(
        None,
        description="The service's address as callers see it; empty: taken from each request. Public names are answered in open"
        " mode only where one is named here or in CORS_ORIGINS.",
    )
    auth: Literal["open", "keys", "anonymous"] | None = Field(
        None,
        description="Who may do what: everybody is one owner (open), callers have API keys (keys), or the same and"
        " requests without one are limited (anonymous); empty: open, in production keys.",
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Secret behind ids, unguessable picture names and tickets; empty: made once in the data directory,"
        " but neither in production nor with firestore, where every process needs the same.",
    )
    encryption_keys: EncryptionKeys = Field(
        (),
        description="Comma list of Fernet keys that encrypt what owners bring of provider keys: the first encrypts, all"
        " decrypt. Empty: one is made in the data directory, but neither in production nor with firestore; there owners"
        " bring none.",
    )
    cors_origins: CommaList | None = Field(
        None,
        description="Comma list of origins whose pages may call, as browsers send them; empty: any port of localhost and"
        " 127.0.0.1.",
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
        ("sandbox",),
        min_length=1,
        description="Comma list of image providers in order; the first is the default; none: only owners' own keys draw.",
    )
    text_providers: CommaList = Field(
        ("sandbox",),
        min_length=1,
        description="Comma list of text providers in order; the first is the default. Where it is not set and the sandbox"
        " is off, nobody writes.",
    )
    search_providers: CommaList = Field(
        (),
        description="Comma list of who searches the web for posts, in order: tavily, searxng, sandbox, or none; empty:"
        " tavily and searxng where they are configured, else the sandbox where it alone writes.",
    )
    own_keys: CommaList = Field(
        ("stable_horde", "hugging_face"),
        min_length=1,
        description="Comma list of vendors that owners may bring keys of their own for; none: for nobody.",
    )
    story_providers: CommaList = Field(
        ("stable_horde", "hugging_face"),
        min_length=1,
        description="Comma list of who draws a story's pictures, in order; those without a key are passed over. Where nobody"
        " has one, the sandbox draws if `auth` is open and it is on.",
    )
    google_cloud_project: str = Field(
        "",
        validation_alias="GOOGLE_CLOUD_PROJECT",
        description="Google Cloud project of store and queue where they name none themselves.",
    )
    firestore_emulator_host: str = Field(
        "",
        validation_alias="FIRESTORE_EMULATOR_HOST",
        description="host:port of a Firestore emulator, used instead of Google's service.",
    )
    cloudinary_url: SecretStr | None = Field(
        None, validation_alias="CLOUDINARY_URL", description="Used where STORAGE__URL is empty."
    )
    stability_api_key: Key = Field(
        None, validation_alias="STABILITY_API_KEY", description="Used where PROVIDERS__STABILITY_AI__API_KEY is empty."
    )
    gemini_api_key: Key = Field(
        None, validation_alias="GEMINI_API_KEY", description="Used where PROVIDERS__GEMINI__API_KEY is empty."
    )
    stable_horde_api_key: Key = Field(
        None,
        validation_alias="STABLE_HORDE_API_KEY",
        description="Used where PROVIDERS__STABLE_HORDE__API_KEY is empty.",
    )
    hf_token: Key = Field(
        None, validation_alias="HF_TOKEN", description="Used where PROVIDERS__HUGGING_FACE__API_KEY is empty."
    )
    openai_api_key: Key = Field(
        None, validation_alias="OPENAI_API_KEY", description="Used where PROVIDERS__OPENAI__API_KEY is empty."
    )
    openai_base_url: AnyHttpUrl | None = Field(
        None, validation_alias="OPENAI_BASE_URL", description="Used where PROVIDERS__OPENAI__BASE_URL is empty."
    )
    anthropic_api_key: Key = Field(
        None, validation_alias="ANTHROPIC_API_KEY", description="Used where PROVIDERS__ANTHROPIC__API_KEY is empty."
    )
    tavily_api_key: Key = Field(
        None, validation_alias="TAVILY_API_KEY", description="Used where PROVIDERS__TAVILY__API_KEY is empty."
    )
    providers: ProviderSettings = ProviderSettings()
    pools: Pools = Field(
        {},
        description='Pools of keys, as JSON: {"default": {"provider": "gemini", "rpm": 9, "keys": [{"alias": "i1", "key":'
        ' "…", "bucket": "p1"}]}}; keys of one bucket share its limit. A pool goes before a single API_KEY.',
    )
    fetch: FetchSettings = FetchSettings()
    store: StoreSettings = StoreSettings()
    queue: QueueSettings = QueueSettings()
    oidc: OidcSettings = OidcSettings()
    storage: StorageSettings = StorageSettings()
    storyboards: StoryboardSettings = StoryboardSettings()
    slots: Slots = Slots()
    deadlines: Deadlines = Deadlines()
    blog: BlogSettings = BlogSettings()
    limits: Bounds = Bounds()
    media: MediaSettings = MediaSettings()
    retention: RetentionSettings = RetentionSettings()

    @property
    def painters(self) -> tuple[str, ...]:
        """The image providers that the service itself has."""
        return () if self.image_providers == NOBODY else self.image_providers

    @property
    def brought(self) -> tuple[str, ...]:
        """The vendors that owners may bring keys for."""
        return () if self.own_keys == NOBODY else self.own_keys

    @property
    def writers(self) -> tuple[str, ...]:
        """The text providers; none where the sandbox would be it by default, but is off."""
        chosen = "text_providers" in self.model_fields_set
        return self.text_providers if chosen or self.sandbox_on else ()

    @property
    def searchers(self) -> tuple[str, ...]:
        """Who searches the web, in order; nobody where nobody is configured, or `none` is named."""
        if self.search_providers:
            return () if self.search_providers == ("none",) else self.search_providers
        known = {"tavily": self.key_of("tavily"), "searxng": self.providers.searxng.base_url}
        configured = tuple(name for name, value in known.items() if value is not None)
        return configured or (("sandbox",) if set(self.writers) == {"sandbox"} else ())

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

    @property
    def queue_per_owner(self) -> int | None:
        """Queued jobs of a kind that one owner may have; None: no limit but the queue's."""
        return self._limit(self.limits.queue_per_owner, max(1, self.limits.queue // 4))

    @property
    def projects_dir(self) -> Path:
        """The folder below which storyboards' projects are."""
        return self.storyboards.root or self.data_dir / "projects"

    def _limit(self, asked: int | None, otherwise: int) -> int | None:
        """Return a limit: what is asked, 0 for none; else none in open mode, which admits a load test."""
        if asked is None:
            return None if self.access == "open" else otherwise
        return asked or None

    @property
    def store_project(self) -> str:
        """The Google Cloud project of the store."""
        return self.store.project or self.google_cloud_project

    @property
    def queue_project(self) -> str:
        """The Google Cloud project of the queue."""
        return self.queue.project or self.google_cloud_project

    @property
    def storage_url(self) -> SecretStr | None:
        """The storage's address with its key and secret."""
        return self.storage.url or self.cloudinary_url

    def key_of(self, provider: str) -> SecretStr | None:
        """Return the key of a vendor; None where nobody set one."""
        vendors = self.providers
        keys = {
            "stability_ai": vendors.stability_ai.api_key or self.stability_api_key,
            "gemini": vendors.gemini.api_key or self.gemini_api_key,
            "stable_horde": vendors.stable_horde.api_key or self.stable_horde_api_key,
            "hugging_face": vendors.hugging_face.api_key or self.hf_token,
            "openai": vendors.openai.api_key or self.openai_api_key,
            "anthropic": vendors.anthropic.api_key or self.anthropic_api_key,
            "tavily": vendors.tavily.api_key or self.tavily_api_key,
        }
        return keys.get(provider)

    @property
    def lease(self) -> timedelta:
        """The lease's length."""
        return timedelta(seconds=self.lease_seconds)

    @property
    def grace(self) -> timedelta:
        """The shutdown's grace."""
        return timedelta(seconds=self.grace_seconds)
