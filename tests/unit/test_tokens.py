"""Which tokens let in, and how often the issuer is asked for certificates."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.cloud_tasks.issuer import EMAIL, ISSUER, Issuer
from tests.jobs import Clock

from atelier.api.tokens import Certificates, Tokens
from atelier.errors import QueueUnavailable, Unauthorized

AUDIENCE = "https://worker.example"


class Door:
    """The check, with its issuer and a clock."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer, self.clock = issuer, Clock()
        self.clock.moment = datetime.now(UTC)
        self.tokens = Tokens(
            certificates=Certificates(issuer.certs_url, self.clock),
            issuer=ISSUER,
            audience=AUDIENCE,
            email=EMAIL,
            now=self.clock,
        )

    async def lets_in(self, token: str, scheme: str = "Bearer ") -> bool:
        try:
            await self.tokens.check(scheme + token)
        except Unauthorized:
            return False
        return True


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with Issuer().serving() as issuer:
        yield Door(issuer)


async def test_a_good_token_lets_in(door: Door) -> None:
    assert await door.lets_in(door.issuer.token(AUDIENCE))
    assert await door.lets_in(door.issuer.token(AUDIENCE), "bearer ")


CLAIMS: list[dict[str, Any]] = [
    {"aud": "https://other.example"}, {"aud": AUDIENCE + "/"}, {"aud": [AUDIENCE]}, {"aud": None},
    {"email": "other@project.iam.gserviceaccount.com"}, {"email": None}, {"email": EMAIL.upper()},
    {"email_verified": False}, {"email_verified": None}, {"email_verified": "true"}, {"email_verified": 1},
    {"iss": "https://evil.example"}, {"iss": None}, {"exp": None}, {"iat": None}, {"exp": "9999999999"},
    {"exp": True}, {"exp": float("nan")}, {"exp": float("inf")}, {"exp": int(time.time()) - 3600},
    {"iat": int(time.time()) + 3600},
]  # fmt: skip


async def test_every_claim_counts(door: Door) -> None:
    for claims in CLAIMS:
        assert not await door.lets_in(door.issuer.token(AUDIENCE, **claims)), claims
    assert door.issuer.asked == 0, "certificates are not fetched for what is wrong without them"


async def test_a_signature_is_of_the_issuer_s_key_by_rs256(door: Door) -> None:
    good = door.issuer.token(AUDIENCE)
    other = door.issuer.token(AUDIENCE, key="stolen", header={"kid": "first"})
    forged = [
        door.issuer.token(AUDIENCE, header={"alg": "none"}),
        door.issuer.token(AUDIENCE, header={"alg": "None"}),
        door.issuer.token(AUDIENCE, header={"alg": "HS256"}),
        door.issuer.token(AUDIENCE, header={"alg": "RS512"}),
        door.issuer.token(AUDIENCE, header={"alg": None}),
        door.issuer.token(AUDIENCE, header={"crit": ["exp"]}),
        door.issuer.token(AUDIENCE, key="unknown"),
        door.issuer.token(AUDIENCE, header={"kid": None}),
        door.issuer.token(AUDIENCE, header={"kid": 1}),
        other,
        good.rpartition(".")[0] + ".",
        good.rpartition(".")[0] + "." + other.rpartition(".")[2],
        door.issuer.token(AUDIENCE, sub="2").rpartition(".")[0] + "." + good.rpartition(".")[2],
    ]
    for token in forged:
        assert not await door.lets_in(token), token


async def test_what_is_no_token_is_refused(door: Door) -> None:
    good = door.issuer.token(AUDIENCE)
    for token in (
        "",
        "x",
        "..",
        "a.b.c",
        "e30.e30.e30",
        "W10.W10.",
        good + ".x",
        "ü" + good,
        good + "=" * 9000,
        "\x00",
    ):
        assert not await door.lets_in(token), token
    assert not await door.lets_in(good, "")
    assert not await door.lets_in(good, "Basic ")
    with pytest.raises(Unauthorized, match="need a signed token"):
        await door.tokens.check(None)


async def test_clocks_may_differ_a_little(door: Door) -> None:
    now = int(door.clock().timestamp())
    assert await door.lets_in(door.issuer.token(AUDIENCE, iat=now + 5, exp=now + 3600))
    assert await door.lets_in(door.issuer.token(AUDIENCE, exp=now - 5))
    assert not await door.lets_in(door.issuer.token(AUDIENCE, iat=now + 15))
    assert not await door.lets_in(door.issuer.token(AUDIENCE, exp=now - 15))


async def test_certificates_are_kept_as_long_as_their_issuer_says(door: Door) -> None:
    token = door.issuer.token(AUDIENCE, exp=int(time.time()) + 10**6)
    assert all(await asyncio.gather(*(door.lets_in(token) for _ in range(50))))
    assert door.issuer.asked == 1
    door.clock.pass_(seconds=3599)
    assert await door.lets_in(token)
    assert door.issuer.asked == 1
    door.clock.pass_(seconds=2)
    assert await door.lets_in(token)
    assert door.issuer.asked == 2


async def test_a_new_key_is_asked_for_once_a_minute(door: Door) -> None:
    await door.lets_in(door.issuer.token(AUDIENCE))
    door.issuer.shown.append("second")
    assert not await door.lets_in(door.issuer.token(AUDIENCE, key="second")), "asked a moment ago"
    door.clock.pass_(seconds=61)
    assert await door.lets_in(door.issuer.token(AUDIENCE, key="second"))
    assert await door.lets_in(door.issuer.token(AUDIENCE))
    assert door.issuer.asked == 2
    door.clock.pass_(seconds=61)
    for number in range(20):
        assert not await door.lets_in(door.issuer.token(AUDIENCE, header={"kid": f"guess-{number}"}))
    assert door.issuer.asked == 3


async def test_a_key_that_is_withdrawn_lets_in_no_more(door: Door) -> None:
    assert await door.lets_in(door.issuer.token(AUDIENCE))
    door.issuer.shown[:] = ["second"]
    door.clock.pass_(hours=1)
    assert not await door.lets_in(door.issuer.token(AUDIENCE, exp=int(time.time()) + 10**6))


HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [b"nonsense", HEAD % b"500 No", HEAD % b"200 OK" + b"[]", HEAD % b"200 OK" + b'{"first": "no certificate"}',
     HEAD % b"200 OK" + b'{"first": 1}', HEAD % b"302 Found"],
)  # fmt: skip
async def test_without_certificates_it_cannot_be_told(door: Door, answer: bytes) -> None:
    token = door.issuer.token(AUDIENCE)
    door.issuer.answer = answer
    for _ in range(5):
        with pytest.raises(QueueUnavailable):
            await door.lets_in(token)
    assert door.issuer.asked == 1, "an issuer that is down is left alone for a moment"
    door.issuer.answer = b""
    door.clock.pass_(seconds=3)
    assert await door.lets_in(token)


async def test_an_issuer_that_is_not_there(door: Door) -> None:
    lost = Tokens(
        certificates=Certificates("http://127.0.0.1:9/", door.clock),
        issuer=ISSUER, audience=AUDIENCE, email=EMAIL, now=door.clock,
    )  # fmt: skip
    with pytest.raises(QueueUnavailable):
        await lost.check(f"Bearer {door.issuer.token(AUDIENCE)}")
