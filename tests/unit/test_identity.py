"""Ids: by chance, no two alike, drawn many at a time; or derived, always the same."""

from __future__ import annotations

import itertools
import re
import secrets

import pytest

from atelier.jobs import identity


def test_ids_by_chance_are_of_one_form_and_no_two_alike() -> None:
    mine, yours = identity.random_ids(), identity.random_ids()
    made = [*itertools.islice(mine, 1000), *itertools.islice(yours, 1000), identity.random_id()]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in made)


def test_they_are_drawn_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    draws: list[int] = []
    token_hex = secrets.token_hex

    def drawn(size: int) -> str:
        draws.append(size)
        return token_hex(size)

    monkeypatch.setattr(secrets, "token_hex", drawn)
    list(itertools.islice(identity.random_ids(), 600))
    assert draws == [identity.AT_ONCE * identity.ID_BYTES] * 3


def test_the_same_parts_give_the_same_id_under_the_same_secret_alone() -> None:
    assert identity.derived_id(b"s", "ann", "key") == identity.derived_id(b"s", "ann", "key")
    others = {
        identity.derived_id(b"t", "ann", "key"),
        identity.derived_id(b"s", "annkey"),
        identity.derived_id(b"s", "key", "ann"),
    }
    assert identity.derived_id(b"s", "ann", "key") not in others
    assert len(others) == 3
