"""What is wrong between settings that are each well: refused in words, before anything starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

from atelier.errors import StartRefused
from atelier.settings.tree import PREFIX, Settings

PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
PORTS = {"http": 80, "https": 443}


def check_origins(settings: Settings) -> None:
    """Refuse origins that no browser sends, and a public address that is not one for every caller to see."""
    url = settings.public_url
    if url is not None and (url.username or url.password or url.query is not None or url.fragment is not None):
        raise StartRefused(
            f"{PREFIX}PUBLIC_URL: it stands in every answer: set scheme, host, port and path only, without a user, a"
            " password, ? and #."
        )
    for place, origin in enumerate(settings.cors_origins or (), 1):
        _check_origin(place, origin)


def _check_origin(place: int, origin: str) -> None:
    """Refuse what is not `scheme://host[:port]` as browsers write it; a star would let every page in."""
    if "@" in origin:
        raise StartRefused(f"{PREFIX}CORS_ORIGINS: number {place} of the list must not have a user or a password.")
    try:
        url = TypeAdapter(AnyHttpUrl).validate_python(origin)
    except ValidationError as error:
        raise StartRefused(f"{PREFIX}CORS_ORIGINS: {origin!r} is not an origin like https://example.org.") from error
    if (url.path or "/") != "/" or origin.endswith("/") or "*" in origin or "?" in origin or "#" in origin:
        raise StartRefused(f"{PREFIX}CORS_ORIGINS: {origin!r} must be scheme, host and port only, and no pattern.")
    port = "" if url.port == PORTS[url.scheme] else f":{url.port}"
    sent = f"{url.scheme}://{url.host}{port}"
    if origin != sent:
        raise StartRefused(f"{PREFIX}CORS_ORIGINS: no browser sends {origin!r}; write {sent}.")


def check_files(settings: Settings) -> None:
    """Refuse paths at which something else lies, or nothing where something must."""
    boards = settings.storyboards
    folders = {"DATA_DIR": settings.data_dir, "STORYBOARDS__ROOT": boards.root}
    sentences = [
        f"{PREFIX}{name}: {path} is no folder; set it to one, or to where one can be made."
        for name, path in folders.items()
        if path is not None and (mode := _mode(path)) and not S_ISDIR(mode)
    ]
    if boards.style_reference is not None and not S_ISREG(_mode(boards.style_reference)):
        sentences.append(
            f"{PREFIX}STORYBOARDS__STYLE_REFERENCE: there is no file {boards.style_reference} that can be read; name a picture, or"
            " leave it empty."
        )
    if sentences:
        raise StartRefused("\n".join(sentences))


def _mode(path: Path) -> int:
    """Return what lies at a path; 0 where nothing does, or nothing that we may see."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


PAIRS = {"sqlite": "embedded", "firestore": "cloud_tasks"}


def check_backends(settings: Settings) -> None:
    """Refuse a store and a queue that do not go together, and a backend whose address is not told."""
    sentences = [
        *_pair(settings),
        *(f"{PREFIX}{name} must be set for {PREFIX}{for_}." for name, for_ in _missing(settings)),
        *(
            f"{PREFIX}{name}: {value!r} is no project's id like my-project-123."
            for name, value in _no_projects(settings)
        ),
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


def _no_projects(settings: Settings) -> Iterator[tuple[str, str]]:
    project = "PROJECT (or GOOGLE_CLOUD_PROJECT without the prefix)"
    found = {f"STORE__{project}": settings.store_project, f"QUEUE__{project}": settings.queue_project}
    for name, value in found.items():
        if value and not PROJECT.fullmatch(value):
            yield name, value


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
