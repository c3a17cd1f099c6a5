"""What production refuses to start with, in words that say what to set."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import AnyHttpUrl

from atelier.errors import StartRefused
from atelier.settings import PREFIX, Settings

SECRET_CHARACTERS = 32


def check(settings: Settings) -> None:
    """Raise StartRefused with a sentence for everything that is unsafe; in development nothing is."""
    if settings.environment != "production":
        return
    sentences = [*_callers(settings), *_addresses(settings), *_backends(settings)]
    if sentences:
        raise StartRefused("\n".join(f"In production {PREFIX}{sentence}" for sentence in sentences))


def _callers(settings: Settings) -> Iterator[str]:
    if settings.access == "open":
        yield "AUTH must not be open, which lets everybody do everything; set it to keys or anonymous."
    secret = settings.secret_key.get_secret_value() if settings.secret_key is not None else ""
    if len(secret.strip()) < SECRET_CHARACTERS or len(set(secret)) == 1:
        yield (
            f"SECRET_KEY must be {SECRET_CHARACTERS} characters or longer, not one repeated, the same for every process and at every"
            " start; `openssl rand -hex 32` makes one."
        )


def _addresses(settings: Settings) -> Iterator[str]:
    if settings.public_url is None or settings.public_url.scheme != "https":
        yield "PUBLIC_URL must be the service's https address, like https://atelier.example.org."
    if settings.cors_origins is None:
        yield (
            "CORS_ORIGINS must name the pages that may call, like https://www.example.org; for the service's own page"
            " alone, name the service's own origin."
        )
    if settings.fetch.allow_private:
        yield "FETCH__ALLOW_PRIVATE must be off: it lets others make the service ask its own neighbours."
    for origin in settings.cors_origins or ():
        if not origin.startswith("https://"):
            yield f"CORS_ORIGINS must be https origins; {origin!r} is none."


def _backends(settings: Settings) -> Iterator[str]:
    """Refuse what belongs to tests, and addresses at which somebody on the way could read or answer."""
    if settings.store.kind == "firestore" and settings.firestore_emulator_host:
        yield "STORE__KIND=firestore must mean Google's own: take FIRESTORE_EMULATOR_HOST away, an emulator keeps nothing."
    if settings.queue.kind == "cloud_tasks":
        queue, oidc = settings.queue, settings.oidc
        if queue.endpoint:
            yield "QUEUE__ENDPOINT must be empty: it is for tests, without TLS and without credentials."
        yield from _not_https("QUEUE__WORKER_URL", queue.worker_url)
        yield from _not_https("OIDC__CERTS_URL", oidc.certs_url)
    if settings.storage.kind == "cloudinary":
        yield from _not_https("STORAGE__UPLOAD_PREFIX", settings.storage.upload_prefix)


def _not_https(name: str, url: AnyHttpUrl | None) -> Iterator[str]:
    if url is not None and url.scheme != "https":
        yield f"{name} must be an https address."
