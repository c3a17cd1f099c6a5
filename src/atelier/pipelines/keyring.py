"""Keys of vendors that owners bring themselves: what pipelines and their sources ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Protocol

from atelier.frozen import frozen

OWN = "own"
"""The alias of every owner's own key: what is known of an order that was placed with one."""

NOBODY_DRAWS = (
    "No image generation providers configured. Please add your Stable Horde API Key or Hugging Face API Token in"
    " Settings."
)
"""What an owner without a key is told where the service has none either."""

NOBODY_WRITES = "No text providers are configured here."

NO_KEY_WRITES = "No text providers are configured here, and you have brought no key of one in Settings."
"""The same, to who may bring one."""


@frozen
class OwnKey:
    """An owner's key of a vendor. `id` is new with every key that is brought, and tells nothing of its text."""

    id: str
    text: str = field(repr=False)


class Keyring(Protocol):
    """The keys that owners have brought. Every method raises StoreUnavailable when the store does not answer in time."""

    async def key(self, owner: str, vendor: str) -> OwnKey | None:
        """Return an owner's key of a vendor as it was some seconds ago or later; None where there is none to be read."""

    async def vendors(self, owner: str) -> frozenset[str]:
        """Return of which vendors an owner has a key that can be read, as it was some seconds ago or later."""

    async def change(self, owner: str, keys: Mapping[str, str | None]) -> frozenset[str]:
        """Keep keys by vendor, None removes one, all or nothing; of which vendors there are keys then.

        Durable when it returns, and used in this process at once. Raises OwnKeysOff, having kept nothing.
        """

    async def forget(self, owner: str) -> None:
        """Remove all keys of an owner. Silent where there are none."""
