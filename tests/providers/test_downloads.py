"""Addresses that a vendor names: which are asked, and that none of this machine's neighbours is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.providers.fakes import PNG, Fake, image

from atelier.errors import ProviderUnavailable
from atelier.providers.calls import Line
from atelier.providers.downloads import Downloads
from atelier.providers.outside import is_public

VENDOR = "https://aihorde.net/api/v2"


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line("Somebody", timeout=timedelta(seconds=5))
    yield line
    await line.close()


@pytest.mark.parametrize(
    "place",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  "255.255.255.255",  # noqa: S104 - nobody binds to it
     "224.0.0.1", "::1", "::", "fc00::1", "fe80::1", "fe80::1%eth0", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:100.64.0.1", "::ffff:224.0.0.1",
     "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "nowhere", "",
     "192.0.0.9", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1", "239.1.1.1",
     "fec0::1", "feff::1", "fd00:ec2::254", "ff0e::1", "2606:4700::1%eth0", "::127.0.0.1", "::10.0.0.1", "::8.8.8.8", "::ffff:0:127.0.0.1",
     "::ffff:0:8.8.8.8", "::ffff:192.0.0.9", "64:ff9b::", "64:ff9b::a00:1", "64:ff9b::e000:1", "64:ff9b:0:0:0:1:808:808",
     "64:ff9b:1::1", "64:ff9b:1::808:808", "64:ff9b:1:ffff::7f00:1", "100::1", "100:0:0:1::1", "1fff::1", "4000::1", "5f00::1", "8000::1",
     "2001::1", "2001:1::1", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:10::1", "2001:20::1", "2001:30::1", "2001:1ff:ffff::1",
     "2001:db8::1", "2002::", "2002:808:808::1", "2002:a00:1::1", "3fff::1", "3fff:fff::1"],
)  # fmt: skip
def test_neighbours_are_not_public(place: str) -> None:
    assert not is_public(place)


@pytest.mark.parametrize(
    "place",
    ["1.1.1.1", "104.18.0.1", "192.0.1.1", "192.88.98.1", "2606:4700:4700::1111", "2000::1", "2001:200::1", "2001:4860:4860::8888",
     "2003::1", "2a00:1450::1", "3ffe:ffff::1", "3fff:1000::1", "::ffff:1.1.1.1", "64:ff9b::808:808"],
)  # fmt: skip
def test_the_internet_is_public(place: str) -> None:
    assert is_public(place)


@pytest.mark.parametrize(
    "address",
    ["https://127.0.0.1/x", "https://2130706433/x", "https://0x7f000001/x", "https://0177.0.0.1/x", "https://127.1/x",
     "https://0/x", "https://①②⑦.⓪.⓪.①/x", "https://localhost/x", "https://[::1]/x", "https://[::ffff:127.0.0.1]/x",
     "http://1.1.1.1/x", "ftp://1.1.1.1/x", "file:///etc/passwd", "https:///x", "https://ann:word@1.1.1.1/x", "//1.1.1.1/x",
     "https://exa mple/x", "https://[::1/x", ""],
)  # fmt: skip
async def test_addresses_that_are_not_asked(line: Line, address: str) -> None:
    with pytest.raises(ProviderUnavailable):
        await Downloads(line, VENDOR, allow_private=False).fetch(address)


@pytest.mark.parametrize("base", [VENDOR, "http://example.org", "http://10.0.0.1"])
async def test_http_is_only_for_a_vendor_on_this_machine(line: Line, fake: Fake, base: str) -> None:
    fake.says(image())
    with pytest.raises(ProviderUnavailable):
        await Downloads(line, base, allow_private=True).fetch(f"{fake.base}/x")
    assert fake.seen == []
    assert await Downloads(line, fake.base, allow_private=True).fetch(f"{fake.base}/x") == PNG


async def test_the_checked_address_is_the_one_that_is_asked(line: Line, fake: Fake) -> None:
    fake.says(image())
    named = fake.base.replace("127.0.0.1", "localhost")
    await Downloads(line, fake.base, allow_private=True).fetch(f"{named}/a%2Fb?c=d%2Be&f=%20")
    (seen,) = fake.seen
    assert seen.target == "/a%2Fb?c=d%2Be&f=%20", "a signed address is asked letter by letter"
    assert (seen.headers["host"], seen.headers["connection"]) == (named.removeprefix("http://"), "close")


async def test_a_name_is_resolved_once(line: Line, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers a second time may name a neighbour."""
    fake.says(image())
    port, loop = int(fake.base.rsplit(":", 1)[1]), asyncio.get_running_loop()
    resolve = loop.getaddrinfo
    asked: list[str] = []

    async def rebinding(host: str, *args: Any, **more: Any) -> Any:
        if host != "pictures.example":
            return await resolve(host, *args, **more)
        asked.append(host)
        return await resolve("127.0.0.1" if len(asked) == 1 else "127.0.0.9", *args, **more)

    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    assert await Downloads(line, fake.base, allow_private=True).fetch(f"http://pictures.example:{port}/x") == PNG
    assert (len(asked), fake.seen[0].headers["host"]) == (1, f"pictures.example:{port}")


async def test_a_private_address_is_not_asked_even_of_a_vendor_on_this_machine(line: Line, fake: Fake) -> None:
    with pytest.raises(ProviderUnavailable, match="not fetched from"):
        await Downloads(line, fake.base, allow_private=False).fetch(f"{fake.base}/x")
    assert fake.seen == []
