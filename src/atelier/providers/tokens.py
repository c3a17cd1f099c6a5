"""What texts cost: tokens as they were counted or estimated, and list prices of a million of them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from atelier.frozen import frozen
from atelier.pipelines.ports import Terms
from atelier.pipelines.texts import TextRequest, Usage

CHARACTERS = 4
"""Characters of a usual token, where nobody counts."""

MILLION = 1_000_000
_DATED = re.compile(r"-\d{4}-?\d{2}-?\d{2}$|-latest$")
_HERE = re.compile(r"^[^.]+$|\.(local|localhost|internal|lan|home\.arpa)$")


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens that are read and that are written."""

    read: float
    written: float

    def cost(self, usage: Usage) -> float:
        """Return what a call cost."""
        return (usage.read * self.read + usage.written * self.written) / MILLION


FREE = Prices(0.0, 0.0)


@frozen
class Sheet:
    """A vendor's list prices by model; any other model counts as `other`."""

    models: Mapping[str, Prices]
    other: Prices

    def of(self, model: str) -> Prices:
        """Return a model's prices. A date behind its name and a house before it do not matter."""
        return self.models.get(_DATED.sub("", model.rpartition("/")[2]), self.other)


def chosen(listed: Prices, read: float | None, written: float | None) -> Prices:
    """Return the prices that the settings say, else the listed ones."""
    return Prices(listed.read if read is None else read, listed.written if written is None else written)


def terms(prices: Prices, as_of: date) -> Terms:
    """Return what is true of one who is paid by the token: a call that was sent cannot be stopped."""
    free = prices == FREE
    return Terms(
        abort="provider_cannot_cancel",
        abort_billed="no" if free else "unknown",
        billed="no" if free else "yes",
        prices={},
        prices_as_of=None if free else as_of,
    )


def is_here(base_url: str) -> bool:
    """Whether an address is on this machine or in its own network, where nobody sends a bill."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return _HERE.search(host) is not None


def estimated(request: TextRequest, text: str) -> Usage:
    """Return about how many tokens a text took, by the length of what was read and written."""
    read = len(request.instructions) + len(request.prompt)
    return Usage(read=-(-read // CHARACTERS), written=-(-len(text) // CHARACTERS))


def not_counted(vendor: str) -> str:
    """Return the warning that the tokens are estimated."""
    return f"{vendor} counted no tokens; they are estimated from the length of the texts."
