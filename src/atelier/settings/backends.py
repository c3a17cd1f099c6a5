"""The settings of what stands behind the ports: store, queue, storage."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AnyHttpUrl, Field, SecretStr

from atelier.settings.groups import Group


class StoreSettings(Group):
    """Where jobs live."""

    kind: Literal["sqlite", "firestore"] = Field(
        "sqlite", description="Where jobs live: one SQLite file in the data directory (sqlite), or Google's Firestore."
    )
    project: str = Field("", description="Google Cloud project of the Firestore; empty: GOOGLE_CLOUD_PROJECT.")


class QueueSettings(Group):
    """Who carries jobs to a worker."""

    kind: Literal["embedded", "cloud_tasks"] = Field(
        "embedded",
        description="Who carries jobs to a worker: this process itself (embedded; goes with sqlite), or Google's Cloud"
        " Tasks (goes with firestore).",
    )
    project: str = Field("", description="Google Cloud project of the queue; empty: GOOGLE_CLOUD_PROJECT.")
    location: str = Field("", description="Region of the Cloud Tasks queue, like europe-west1.")
    name: str = Field("", description="Name of the Cloud Tasks queue.")
    worker_url: AnyHttpUrl | None = Field(
        None, description="Address of the worker's service; Cloud Tasks posts to its /api/v1/worker."
    )
    endpoint: str = Field(
        "", description="host:port of a Cloud Tasks server without TLS, for tests; empty: Google's own."
    )


class OidcSettings(Group):
    """Whose signed tokens the worker's routes believe."""

    audience: str = Field("", description="Audience of the deliveries' tokens; empty: QUEUE__WORKER_URL.")
    email: str = Field("", description="Service account whose tokens the worker's routes take; deliveries carry its.")
    issuer: str = Field("https://accounts.google.com", description="Issuer of the deliveries' tokens.")
    certs_url: AnyHttpUrl = Field(
        AnyHttpUrl("https://www.googleapis.com/oauth2/v1/certs"),
        description="Where the issuer's certificates are, as PEM by key id.",
    )


class StorageSettings(Group):
    """Where pictures live."""

    kind: Literal["disk", "cloudinary"] = Field(
        "disk", description="Where pictures live: files in the data directory (disk), or Cloudinary."
    )
    url: SecretStr | None = Field(None, description="cloudinary://key:secret@cloud; empty: CLOUDINARY_URL.")
    upload_prefix: AnyHttpUrl = Field(
        AnyHttpUrl("https://api.cloudinary.com"), description="Where Cloudinary takes uploads."
    )


class StoryboardSettings(Group):
    """Where storyboards' projects are."""

    root: Path | None = Field(
        None, description="Folder below which storyboards' projects are; empty: DATA_DIR/projects."
    )
    style_reference: Path | None = Field(
        None, description="Picture whose style hard cuts have where a project brings none; empty: none."
    )
