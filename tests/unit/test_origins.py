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
