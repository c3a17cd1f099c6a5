"""Every form in which a vendor says how long to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atelier.providers.waits import LONGEST, retry_after, until_midnight_pacific, wait_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20", 20), ("0", 0), ("0.5", 0.5), (" 20 ", 20),
        ("38s", 38), ("38.2s", 38.2), ("11.161852119s", 11.161852), ("6m30s", 390), ("17ms", 0.017), ("1h2m3s", 3723),
        ("Fri, 20 Nov 2026 12:01:30 GMT", 90), ("Fri, 20 Nov 2026 11:00:00 GMT", 0),
        ("2026-11-20T12:00:20Z", 20), ("2026-11-20T13:00:20+01:00", 20), ("2026-11-20T12:00:20", 20),
        ("1, 1419704", 1), ("7s, 6m", 7),
        ("99999999", 86400), ("1" * 400, None),
        ("", None), ("soon", None), ("-5", None), ("nan", None), ("inf", None), ("s", None), ("1e3", None), ("5 minutes", None),
        (",", None), ("Fri, 99 Nov 2026 12:01:30 GMT", None),
    ],
)  # fmt: skip
def test_every_form(text: str, seconds: float | None) -> None:
    assert wait_of(text, NOW) == (None if seconds is None else timedelta(seconds=seconds))


def test_headers_in_milliseconds_are_more_exact() -> None:
    assert retry_after({"retry-after-ms": "1500", "retry-after": "2"}, NOW) == timedelta(seconds=1.5)
    assert retry_after({"retry-after-ms": "x", "retry-after": "2"}, NOW) == timedelta(seconds=2)
    assert retry_after({}, NOW) is None


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    found = wait_of(text, NOW)
    assert found is None or timedelta() <= found <= LONGEST


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis asks for naive bounds
def test_midnight_in_california_is_within_25_hours(now: datetime) -> None:
    wait = until_midnight_pacific(now)
    assert timedelta() < wait <= timedelta(hours=25)
    assert (now + wait).hour in {7, 8}
