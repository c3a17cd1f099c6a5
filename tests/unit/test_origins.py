"""By which names the service is reached, and by which only its callers say so."""

from __future__ import annotations

import pytest

from atelier.api.origins import Origins, names_of

NAMES = names_of(["https://Atelier.example.org/below", "http://b.example:8080", None])


def origins(names: frozenset[str] | None) -> Origins:
    return Origins(configured=None, public_url=None, names=names)


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "LOCALHOST:8000", "localhost.", "atelier:8000", "web", "studio.local", "a.b.internal:80", "a.localhost",
     "box.lan", "x.home.arpa", "a.ns.svc.cluster.local", "127.0.0.1", "127.0.0.1:8000", "127.1", "10.0.0.1", "8.8.8.8", "[::1]", "[::1]:8000", "[2001:db8::1]:1",
     "atelier.example.org", "Atelier.Example.ORG:443", "atelier.example.org.", "b.example", "b.example:1"],
)  # fmt: skip
def test_addresses_private_names_and_configured_ones_are_known(host: str) -> None:
    assert origins(NAMES).reached_as(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "x.atelier.example.org", "example.org", "127.0.0.1.evil.example", "localhost.evil.example",
     "1.nip.io", "evil.local.example", "evillocal.com", "0x7f.a1", "evil.example."],
)  # fmt: skip
def test_public_names_are_not_unless_they_are_configured(host: str) -> None:
    assert not origins(NAMES).reached_as(host)
    assert origins(None).reached_as(host), "where a key is asked for"


@pytest.mark.parametrize(
    ("configured", "public_url", "origin", "host", "allowed"),
    [
        (None, None, "http://localhost:5173", "atelier:8000", True),
        (None, None, "https://127.0.0.1", "atelier:8000", True),
        (None, None, "http://localhost.evil.example", "atelier:8000", False),
        (None, None, "http://localhost:1@evil.example", "atelier:8000", False),
        (None, None, "http://atelier:8000", "atelier:8000", True),
        (None, None, "http://evil.example:8000", "evil.example:8000", False),  # its name was pointed at the service
        (None, None, "null", "atelier:8000", False),
        (None, None, "", "", False),
        ((), None, "http://localhost:5173", "atelier:8000", False),
        (("https://app.example",), None, "http://127.0.0.1:8000", "atelier:8000", False),
        (("https://app.example",), None, "https://app.example", "atelier:8000", True),
        (("https://app.example",), None, "https://app.example:444", "atelier:8000", False),
        (("https://app.example",), None, "http://app.example", "atelier:8000", False),
        ((), "https://atelier.example", "https://atelier.example", "10.0.0.1", True),
        ((), "https://atelier.example", "http://10.0.0.1", "10.0.0.1", False),
        ((), None, "http://[broken", "[broken", False),
    ],
)
def test_pages_that_may_write(
    configured: tuple[str, ...] | None,
    public_url: str | None,
    origin: str,
    host: str,
    allowed: bool,  # noqa: FBT001 - a case's own
) -> None:
    assert Origins(configured=configured, public_url=public_url).allow(origin, host) is allowed
