"""Pictures at Cloudinary, through its SDK in threads.

{HMAC(job)}/{n}-{content hash}   a picture's public id: the disk's name, so sending it again stores nothing again
shared/{content hash}            a picture that is the same for everybody
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import cloudinary.api
import cloudinary.uploader
from cloudinary import exceptions
from pydantic import BaseModel, ValidationError

from atelier.errors import InvalidImage, StorageError, StorageRefused
from atelier.media import THUMBNAIL_SIDE, Content
from atelier.pipelines.ports import Stored
from atelier.storage import names
from atelier.storage.cloudinary.account import Account
from atelier.storage.threads import Threads

AT_ONCE = 8
"""Calls at once; Cloudinary advises about ten."""

TIMEOUT = timedelta(seconds=30)
"""Longest silence of a connection; the SDK has no limit of its own."""

PATIENCE = timedelta(seconds=60)
"""Longest wait for an answer, whatever the connection does."""

PING_PATIENCE = timedelta(seconds=5)
WELL_SECONDS, UNWELL_SECONDS = 60.0, 10.0
"""How long a ping's answer holds."""

THUMBNAIL = f"c_limit,h_{THUMBNAIL_SIDE},q_80,w_{THUMBNAIL_SIDE}"
LOT, LOTS = 100, 5
"""How many old pictures are removed with one call, and how many lots at once."""

URL = re.compile(r"(https://[^\s/]+/(?:[^\s/]+/)?image/upload)/(v\d+)/([0-9a-z/-]+)\.\w+")

logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # warns of each connection it does not keep


Answer = TypeVar("Answer", bound=BaseModel)


class Uploaded(BaseModel):
    """What is read of an upload's answer, the first one's and a repeated one's alike."""

    public_id: str
    secure_url: str


class Resource(BaseModel):
    """A picture in a listing."""

    public_id: str
    created_at: datetime


class Listing(BaseModel):
    """What is read of a listing."""

    resources: list[Resource]


class Removal(BaseModel):
    """What is read of the answer to removing one picture."""

    result: str


class Deleted(BaseModel):
    """What is read of the answer to removing several: what became of each."""

    deleted: dict[str, str]


class CloudinaryStorage:
    """`pipelines.ports.Storage` in one Cloudinary account."""

    def __init__(
        self, account: Account, secret: bytes, *, timeout: timedelta = TIMEOUT, patience: timedelta = PATIENCE
    ) -> None:
        self._account, self._secret, self._timeout, self._patience = account, secret, timeout, patience
        self._tag = f"atelier-{names.place(secret, 'tag')[:12]}"
        self._threads = Threads(AT_ONCE, "cloudinary")
        self._shared: dict[str, Stored] = {}
        self._pinged: tuple[float, StorageError | None] | None = None

    async def save(self, job_id: str, number: int, content: Content, *, alt: str, shared: bool) -> Stored:
        """Upload the picture; its thumbnail is made when it is first looked at. Raises InvalidImage for no bytes."""
        if not content.data:
            raise InvalidImage("The picture is empty.")  # the SDK would leave the file out without a word
        name = names.picture(self._secret, job_id, number, content.facts.content_hash, shared=shared)
        if not shared:
            return await self._upload(name, content.data, alt=alt, tags=(self._tag,))
        if name not in self._shared:
            self._shared[name] = await self._upload(name, content.data)
        return self._shared[name]

    async def save_preview(self, job_id: str, step: int, data: bytes) -> str | None:  # noqa: ARG002 - kept nowhere
        """Keep no preview: each would be an upload for a second's sight."""
        return None

    async def drop_previews(self, job_id: str) -> None:
        """There are none."""

    async def remove(self, job_id: str) -> None:
        """Remove whatever lies in the job's folder with one call, which counts against the account's hourly limit.

        Removing picture by picture would not count, but needs their names; bytes that came too late have none on record.
        """
        folder = f"{names.place(self._secret, job_id)}/"
        read(Deleted, await self.ask(cloudinary.api.delete_resources_by_prefix, folder, invalidate=True))

    async def expire(self, before: datetime) -> int:
        """Remove the oldest pictures of this service, some hundred of them; how many."""
        gone = 0
        for _ in range(LOTS):
            answer = await self.ask(
                cloudinary.api.resources_by_tag, self._tag, direction="asc", max_results=LOT, resource_type="image"
            )
            old = [one.public_id for one in read(Listing, answer).resources if one.created_at < before]
            if old:
                read(Deleted, await self.ask(cloudinary.api.delete_resources, old, invalidate=True))
            gone += len(old)
            if len(old) < LOT:
                break
        return gone

    async def expire_previews(self, before: datetime) -> int:  # noqa: ARG002 - there are none
        """There are none."""
        return 0

    async def ping(self) -> None:
        """Ask for the removal of a picture that never was: signed like an upload, and not counted as the API's own ping is.

        The answer holds for a minute, a bad one for ten seconds.
        """
        if self._pinged is None or self._pinged[0] < time.monotonic():
            trouble = await self._trouble()
            lasting = WELL_SECONDS if trouble is None else UNWELL_SECONDS
            self._pinged = time.monotonic() + lasting, trouble
        if self._pinged[1] is not None:
            raise type(self._pinged[1])(self._pinged[1].message)

    async def _trouble(self) -> StorageError | None:
        nowhere = f"{names.place(self._secret, 'ping')}/0"
        try:
            read(Removal, await self.ask(cloudinary.uploader.destroy, nowhere, patience=PING_PATIENCE))
        except StorageError as error:
            return error
        return None

    async def _upload(self, name: str, data: bytes, *, alt: str = "", tags: Sequence[str] = ()) -> Stored:
        answer = await self.ask(
            cloudinary.uploader.upload,
            data,
            filename="picture",
            public_id=name,
            overwrite=False,
            unique_filename=False,
            resource_type="image",
            upload_preset=None,
            context={"alt": alt} if alt else None,
            tags=list(tags),
        )
        uploaded = read(Uploaded, answer)
        found = URL.fullmatch(uploaded.secure_url)
        if found is None or not name == found[3] == uploaded.public_id:
            raise _unclear()
        return Stored(location=uploaded.secure_url, thumbnail=f"{found[1]}/{THUMBNAIL}/{found[2]}/{name}.webp")

    async def ask(
        self, call: Callable[..., object], *about: object, patience: timedelta | None = None, **options: object
    ) -> object:
        """Make one call of the SDK, signed when it is sent. Raises StorageError, without a word of the SDK's own error.

        That one's text holds what was signed, so it is let go here, and not even kept as the cause.
        """
        within = min(patience or self._patience, self._patience)
        timeout = min(self._timeout, within).total_seconds()
        prepared = partial(call, *about, timeout=timeout, **self._account.options, **options)
        try:
            return await self._threads.run(prepared, within)
        except TimeoutError:
            trouble = StorageError(f"Cloudinary did not answer within {within.total_seconds():g} seconds.")
        except Exception as error:  # noqa: BLE001 - the SDK raises bare Exceptions, too
            trouble = _trouble_of(error, uploading=call is cloudinary.uploader.upload)
        raise trouble


def read(model: type[Answer], answer: object) -> Answer:
    """Read an answer of the SDK, which takes any JSON for one. Raises StorageError."""
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        raise _unclear() from error


def _unclear() -> StorageError:
    return StorageError("Cloudinary did not answer as it should.")


def _trouble_of(error: Exception, *, uploading: bool) -> StorageError:
    """Return what an error of the SDK means, in our words."""
    match error:
        case exceptions.RateLimited():
            return StorageError("Cloudinary takes no more requests for now: the account's limit is reached.")
        case exceptions.AuthorizationRequired():
            return StorageRefused(
                "Cloudinary refuses the key, secret or cloud of ATELIER_STORAGE__URL (or CLOUDINARY_URL); or this"
                " machine's clock is wrong."
            )
        case exceptions.NotAllowed():
            return StorageRefused(
                "Cloudinary does not allow this to the key of ATELIER_STORAGE__URL (or CLOUDINARY_URL): give it the"
                " permission in Cloudinary's console."
            )
        case exceptions.NotFound():
            return StorageRefused(
                "Cloudinary knows no such place: look at the cloud of ATELIER_STORAGE__URL (or CLOUDINARY_URL) and at"
                " ATELIER_STORAGE__UPLOAD_PREFIX."
            )
        case exceptions.BadRequest():
            return StorageRefused(
                "Cloudinary refuses the picture: it may be larger than the account of ATELIER_STORAGE__URL (or"
                " CLOUDINARY_URL) allows."
                if uploading
                else "Cloudinary refuses this request; the console of the account of ATELIER_STORAGE__URL (or"
                " CLOUDINARY_URL) may say why."
            )
    return StorageError("Cloudinary did not answer, or not as it should.")
