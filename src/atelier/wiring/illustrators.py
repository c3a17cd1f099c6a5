"""Who draws stories' pictures: an order of its own, in which those without a key are passed over."""

from __future__ import annotations

from atelier.errors import StartRefused
from atelier.settings import PREFIX, Settings
from atelier.wiring.crafts import SANDBOX
from atelier.wiring.keys import pool_of
from atelier.wiring.vendors import DRAWING

SETTING = f"{PREFIX}STORY_PROVIDERS"


def story_order(settings: Settings) -> tuple[str, ...]:
    """Return who is named, in order, with or without a key. Raises StartRefused for somebody unknown."""
    known = (*DRAWING.rows, *DRAWING.keyless)
    for name in settings.story_providers:
        if name not in known:
            raise StartRefused(f"{SETTING}: {name!r} is not a provider; known are {', '.join(known)}.")
    if SANDBOX in settings.story_providers and not settings.sandbox_on:
        raise StartRefused(
            f"{SETTING} names the sandbox, but {PREFIX}SANDBOX is off, as it is in production unless it is set to on."
        )
    return tuple(dict.fromkeys(settings.story_providers))


def only_for_stories(settings: Settings) -> tuple[str, ...]:
    """Return whom the service itself can ask for stories and for nothing else, and the sandbox wherever it is on."""
    wanted = [name for name in story_order(settings) if _at_hand(name, settings)]
    wanted += [SANDBOX] if settings.sandbox_on else []
    return tuple(name for name in dict.fromkeys(wanted) if name not in settings.painters)


def _at_hand(name: str, settings: Settings) -> bool:
    keyed = settings.key_of(name) is not None or pool_of(name, settings) is not None
    return keyed or name in DRAWING.keyless
