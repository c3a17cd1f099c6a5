"""What is wrong between settings that are each well: refused in words, before anything starts."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

from atelier.errors import StartRefused
from atelier.settings.tree import PREFIX, Settings


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


PAIRS = {"sqlite": "embedded", "firestore": "cloud_tasks"}


def check_backends(settings: Settings) -> None:
    """Refuse a store and a queue that do not go together, and a backend whose address is not told."""
    sentences = [
        *_pair(settings),
        *(f"{PREFIX}{name} must be set for {PREFIX}{for_}." for name, for_ in _missing(settings)),
    ]
    if sentences:
        raise StartRefused("\n".join(sentences))


def _pair(settings: Settings) -> Iterator[str]:
    goes_with = PAIRS[settings.store.kind]
    if settings.queue.kind != goes_with:
        yield (
            f"{PREFIX}STORE__KIND={settings.store.kind} goes with {PREFIX}QUEUE__KIND={goes_with}, not with"
            f" {settings.queue.kind}."
        )


def _missing(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.store.kind == "firestore":
        if not settings.store_project:
            yield "STORE__PROJECT (or GOOGLE_CLOUD_PROJECT without the prefix)", "STORE__KIND=firestore"
        if settings.secret_key is None:  # ids come from it, the same on every instance
            yield "SECRET_KEY", "STORE__KIND=firestore"
    if settings.queue.kind == "cloud_tasks":
        queue = settings.queue
        needed = {"LOCATION": queue.location, "NAME": queue.name, "WORKER_URL": queue.worker_url}
        for name, value in needed.items():
            if not value:
                yield f"QUEUE__{name}", "QUEUE__KIND=cloud_tasks"
        if not settings.oidc.email:
            yield "OIDC__EMAIL", "QUEUE__KIND=cloud_tasks"
    if settings.storage.kind == "cloudinary" and settings.storage_url is None:
        yield "STORAGE__URL (or CLOUDINARY_URL without the prefix)", "STORAGE__KIND=cloudinary"
