"""Which web pages may talk to the service: one rule for CORS, for writing requests and for errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

LOCAL = r"https?://(localhost|127\.0\.0\.1)(:\d+)?"
"""Outside production: any port of this machine's names."""


@dataclass(frozen=True, kw_only=True)
class Origins:
    """The configured origins (None: LOCAL) and the service's own address, where it is configured."""

    configured: tuple[str, ...] | None
    public_url: str | None

    def allow(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` may write: it is configured, or the service's own (`host`: the Host header)."""
        if self.configured is None and re.fullmatch(LOCAL, origin):
            return True
        if origin in (self.configured or ()):
            return True
        ours = {urlsplit(self.public_url).netloc} if self.public_url else {host}
        return urlsplit(origin).netloc in ours
