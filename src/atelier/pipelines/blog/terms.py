"""The terms that belong to a post. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from atelier.pipelines.blog.state import BlogState

TERMS_MOST: Final = 10


def distinct(terms: Iterable[str], but: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the terms in their order, each once whatever its capitals, without empty ones and those of `but`."""
    once: dict[str, str] = {}
    taken = {term.casefold() for term in but}
    for term in terms:
        if term.strip() and term.casefold() not in taken:
            once.setdefault(term.casefold(), term)
    return tuple(once.values())


def belonging(state: BlogState) -> tuple[str, ...]:
    """Return the terms that belong into the post: the keywords, then what competitors have in common."""
    rivals = state.rivals.terms if state.rivals is not None else ()
    return distinct((state.keywords.primary, *state.keywords.secondary, *rivals))[:TERMS_MOST]
