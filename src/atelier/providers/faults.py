"""A vendor's failures by table: what a status together with the body's own mark means, and how that is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from atelier.errors import ProviderError, ProviderInvalidRequest, ProviderRateLimited, ProviderUnavailable

LONGEST_QUOTE = 200
_ECHO = 6
"""So many characters of a key in a row are not shown."""

_LOOKS_LIKE_A_KEY = re.compile(r"^(sk-|hf_|AIza|Bearer$)")
_WORD = re.compile(r"[\w+/=.*…-]+")


@dataclass(frozen=True, slots=True)
class Rule:
    """A row: an answer with this status (None: any) and this mark (empty: any) is this error, in these words."""

    status: int | None
    mark: str
    error: type[ProviderError]
    sentence: str
    quoted: bool = False
    """Whether the vendor's own words help the caller and follow."""


def judged(
    rules: Sequence[Rule],
    *,
    vendor: str,
    status: int,
    mark: str,
    said: str = "",
    wait: timedelta | None = None,
) -> ProviderError:
    """Return the error of the first row that fits. `mark` is the body's own name for it, `said` is redacted already."""
    for rule in rules:
        if rule.status in {None, status} and rule.mark in mark:
            quote = f" It says: {said}" if rule.quoted and said else ""
            return rule.error(f"{vendor} {rule.sentence}{quote}", retry_after=wait)
    return _unlisted(vendor, status, said, wait)


def _unlisted(vendor: str, status: int, said: str, wait: timedelta | None) -> ProviderError:
    """Return what a status means where no row fits: the same for every vendor."""
    quote = f" It says: {said}" if said else ""
    match status:
        case 429:
            return ProviderRateLimited(f"{vendor} takes no more requests for now.", retry_after=wait)
        case 408 | 425:
            return ProviderUnavailable(f"{vendor} was too slow (status {status}).", retry_after=wait)
        case _ if 400 <= status < 500:  # noqa: PLR2004 - what HTTP calls the client's errors
            return ProviderInvalidRequest(f"{vendor} did not take the request (status {status}).{quote}")
        case _ if 300 <= status < 400:  # noqa: PLR2004 - redirects
            return ProviderUnavailable(f"{vendor} answered with a redirect, which is not followed; check its address.")
        case _:
            return ProviderUnavailable(f"{vendor} is out of order (status {status}).", retry_after=wait)


def told(text: object, key: str) -> str:
    """Return a vendor's words as they may be shown: one line, not long, without anything that may be of the key."""
    if not isinstance(text, str):
        return ""
    line = " ".join(_printable(text[: 10 * LONGEST_QUOTE]).split())
    shown = _WORD.sub(lambda word: "[redacted]" if _reveals(word.group(), key) else word.group(), line)
    return shown if len(shown) <= LONGEST_QUOTE else shown[: LONGEST_QUOTE - 1] + "…"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _reveals(word: str, key: str) -> bool:
    if _LOOKS_LIKE_A_KEY.match(word):
        return True
    return any(key[start : start + _ECHO] in word for start in range(max(len(key) - _ECHO + 1, 0)))
