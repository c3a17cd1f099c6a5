"""What vendors are configured for: drawing or writing, each with a row for every vendor, and what start is refused for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic

from atelier.errors import StartRefused
from atelier.jobs.ports import Clock
from atelier.pipelines.ports import AskedT, MadeT, OfferT, Provider
from atelier.settings import PREFIX, Settings

SANDBOX = "sandbox"
FOREIGN_NAMES = {
    "stability_ai": "STABILITY_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "hugging_face": "HF_TOKEN",
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
}


@dataclass(frozen=True, kw_only=True)
class Craft(Generic[AskedT, MadeT, OfferT]):
    """A craft, by the setting that names who does it.

    `rows` make a vendor from the settings and one key; `nobodys` is the key of those who need none, None where one is
    needed. `keyless` make those who have no keys at all, the sandbox among them. What is remembered in the store of those
    who do it has names with this `prefix`.
    """

    setting: str
    prefix: str
    rows: Mapping[str, Callable[[Settings, str, Clock], Provider[AskedT, MadeT, OfferT]]]
    nobodys: Callable[[str, Settings], str | None]
    keyless: Mapping[str, Callable[[Settings], Provider[AskedT, MadeT, OfferT]]]

    def check(self, names: tuple[str, ...], settings: Settings) -> None:
        """Raise StartRefused where there is no such provider, or the sandbox is off."""
        for name in names:
            if name not in self.rows and name not in self.keyless:
                known = ", ".join((*self.rows, *self.keyless))
                raise StartRefused(f"{PREFIX}{self.setting}: {name!r} is not a provider; known are {known}.")
        if SANDBOX in names and not settings.sandbox_on:
            raise StartRefused(
                f"{PREFIX}{self.setting} names the sandbox, but {PREFIX}SANDBOX is off, as it is in production unless it"
                " is set to on."
            )

    def key_of(self, name: str, settings: Settings) -> str:
        """Return a vendor's single key, or nobody's where it works for nobody. Raises StartRefused where it is missing."""
        found = settings.key_of(name)
        key = found.get_secret_value() if found is not None else self.nobodys(name, settings)
        if key is None:
            own = f"{PREFIX}PROVIDERS__{name.upper()}__API_KEY"
            raise StartRefused(
                f"{PREFIX}{self.setting} names {name}, but its key is missing; set {own} (or {FOREIGN_NAMES[name]} without"
                f" the prefix), or make a pool of keys with {PREFIX}POOLS."
            )
        return key
