"""How the keys of providers are, as callers are told: by their aliases only."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from atelier.frozen import frozen

KeyState = Literal["ok", "resting", "bad", "no_credit"]


@frozen
class KeyReport:
    """How a key is, by its alias: whether it can be used, else until when not (None: for good) and why.

    `bucket` is the quota it shares with other keys; None: it has its own. `per_minute` is what that allows, None: anything.
    """

    alias: str
    bucket: str | None
    state: KeyState
    until: datetime | None
    why: str | None
    per_minute: float | None = None
