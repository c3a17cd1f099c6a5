"""Tickets: nobody but the service makes one, and each shows one thing for a while."""

from __future__ import annotations

import base64
import string
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.jobs import Clock

from atelier.api.tickets import Ticket, Tickets
from atelier.errors import Unauthorized

JOB = "job:" + "f" * 32
ANNS = Ticket(thing=JOB, owner="ann")


def test_it_holds_until_ten_minutes_after_its_thing_must_have_ended() -> None:
    clock = Clock()
    tickets = Tickets(b"secret" * 6, clock)
    view = tickets.issue(ANNS, clock() + timedelta(minutes=5))
    assert view.expires_at == "2026-01-01T00:15:00.000000Z"
    assert tickets.owner_of(view.ticket, JOB) == "ann"
    clock.pass_(minutes=14, seconds=59)
    assert tickets.owner_of(view.ticket, JOB) == "ann"
    clock.pass_(seconds=1)
    with pytest.raises(Unauthorized):
        tickets.owner_of(view.ticket, JOB)


def test_for_what_has_ended_long_ago_it_holds_ten_minutes() -> None:
    clock = Clock()
    view = Tickets(b"secret", clock).issue(ANNS, clock() - timedelta(days=3))
    assert view.expires_at == "2026-01-01T00:10:00.000000Z"


def test_it_is_for_one_thing_of_one_kind_and_one_service() -> None:
    clock = Clock()
    tickets = Tickets(b"secret", clock)
    token = tickets.issue(ANNS, clock()).ticket
    for other in ("job:" + "e" * 32, "group:" + "f" * 32, "", "f" * 32):
        with pytest.raises(Unauthorized):
            tickets.owner_of(token, other)
    with pytest.raises(Unauthorized):
        Tickets(b"another", clock).owner_of(token, JOB)


def test_no_changed_character_passes() -> None:
    clock = Clock()
    tickets = Tickets(b"secret", clock)
    token = tickets.issue(ANNS, clock()).ticket
    for place in range(len(token)):
        for other in f"{string.ascii_letters}{string.digits}-_=.":  # a last character has bits that say nothing
            wrong = token[:place] + other + token[place + 1 :]
            if wrong != token:
                with pytest.raises(Unauthorized):
                    tickets.owner_of(wrong, JOB)


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    with pytest.raises(Unauthorized):
        Tickets(b"secret", Clock()).owner_of(text, JOB)


def test_what_it_says_cannot_be_said_without_the_secret() -> None:
    clock = Clock()
    token = Tickets(b"secret", clock).issue(ANNS, clock()).ticket
    said, signature = token.split(".")
    text = base64.urlsafe_b64decode(said + "==").decode()
    longer = base64.urlsafe_b64encode(("9" + text).encode()).decode().rstrip("=")
    with pytest.raises(Unauthorized):
        Tickets(b"secret", clock).owner_of(f"{longer}.{signature}", JOB)
    assert len(token) < 300
