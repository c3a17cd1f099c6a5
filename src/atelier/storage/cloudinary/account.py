"""Whose Cloudinary it is, as every call is told: never by the SDK's settings of the whole process."""

from __future__ import annotations

import re
from dataclasses import field
from urllib.parse import parse_qs

from atelier.errors import StartRefused
from atelier.frozen import frozen

_URL = re.compile(r"cloudinary://(?P<key>[^:@/?\s]+):(?P<secret>[^@/?\s]+)@(?P<cloud>[\w-]+)/?(?:\?(?P<query>\S*))?")


@frozen
class Account:
    """A cloud, the key and secret to it, and where it takes uploads."""

    cloud: str
    key: str = field(repr=False)
    secret: str = field(repr=False)
    prefix: str
    algorithm: str = "sha1"
    """What signs the requests: sha1, or sha256 where the account asks for it."""

    @classmethod
    def of(cls, url: str, prefix: str) -> Account:
        """Read `cloudinary://key:secret@cloud[?signature_algorithm=sha256]`. Raises StartRefused."""
        found = _URL.fullmatch(url.strip())
        asked = parse_qs(found["query"] or "").get("signature_algorithm", ["sha1"])[0] if found is not None else ""
        if found is None or asked not in {"sha1", "sha256"}:
            raise StartRefused(
                "ATELIER_STORAGE__URL (or CLOUDINARY_URL) must look like cloudinary://key:secret@cloud, as Cloudinary's"
                " console shows it."
            )
        return cls(
            cloud=found["cloud"], key=found["key"], secret=found["secret"], prefix=prefix.rstrip("/"), algorithm=asked
        )

    @property
    def options(self) -> dict[str, object]:
        """What the SDK takes with a call; None stands before whatever the process' environment says."""
        return {
            "cloud_name": self.cloud,
            "api_key": self.key,
            "api_secret": self.secret,
            "upload_prefix": self.prefix,
            "signature_algorithm": self.algorithm,
            "signature_version": 2,
            "oauth_token": None,
        }
