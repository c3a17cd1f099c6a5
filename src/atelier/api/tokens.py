"""The signed tokens that deliveries carry: whose they are, for whom, and since when."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pydantic_core
from google.auth import jwt

from atelier import logs
from atelier.errors import QueueUnavailable, Unauthorized

SKEW_SECONDS = 10
"""How far the issuer's clock may be from ours."""

LONGEST_TOKEN = 8192
FETCH_SECONDS = 5.0
REST = timedelta(seconds=2)
"""Pause after the certificates could not be had."""

ONCE_A = timedelta(minutes=1)
"""How often an unknown key makes us ask for new certificates."""

CERTIFICATE = "-----BEGIN CERTIFICATE-----"
SHORTEST_AGE, LONGEST_AGE = timedelta(minutes=1), timedelta(days=1)

REFUSED = "Deliveries need a signed token of the configured queue."


class Certificates:
    """The issuer's certificates by key id, fetched when they are needed and kept as long as the issuer says."""

    def __init__(self, url: str, now: Callable[[], datetime]) -> None:
        self._url, self._now = url, now
        self._pems: Mapping[str, str] = {}
        self._fetched_at = self._fresh_until = self._rests_until = datetime.min.replace(tzinfo=now().tzinfo)
        self._fetching = asyncio.Lock()

    async def of(self, key_id: str) -> str | None:
        """Return a key's certificate as PEM; None where the issuer has no such key. Raises QueueUnavailable."""
        if self._stale(key_id):
            async with self._fetching:
                if self._stale(key_id):
                    await self._fetch()
        return self._pems.get(key_id)

    def _stale(self, key_id: str) -> bool:
        now = self._now()
        return now >= self._fresh_until or (key_id not in self._pems and now >= self._fetched_at + ONCE_A)

    async def _fetch(self) -> None:
        if self._now() < self._rests_until:
            raise _unreachable()
        try:
            async with httpx.AsyncClient(timeout=FETCH_SECONDS) as client, asyncio.timeout(FETCH_SECONDS):
                answer = (await client.get(self._url)).raise_for_status()
            self._pems = _pems_of(answer.content)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            self._rests_until = self._now() + REST
            logs.warning("certificates_not_fetched", reason=type(error).__name__)
            raise _unreachable() from error
        self._fetched_at = self._now()
        self._fresh_until = self._fetched_at + _age(answer.headers.get("cache-control", ""))


class Tokens:
    """Knows a token of the one account that may deliver, made by the one issuer for this very service."""

    def __init__(
        self, *, certificates: Certificates, issuer: str, audience: str, email: str, now: Callable[[], datetime]
    ) -> None:
        self._certificates, self._now = certificates, now
        self._expected = {"iss": issuer, "aud": audience, "email": email, "email_verified": True}

    async def check(self, authorization: str | None) -> None:
        """Let an `Authorization` header pass. Raises Unauthorized, and QueueUnavailable without certificates."""
        reason = await self._wrong(authorization or "")
        if reason is not None:
            logs.warning("delivery_refused", reason=reason)
            raise Unauthorized(REFUSED)

    async def _wrong(self, authorization: str) -> str | None:
        """Say what is wrong. What costs nothing is looked at first: certificates are not fetched for every guess."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
            return "no_token"
        try:
            header, claims = jwt.decode_header(token), jwt.decode(token, verify=False)  # type: ignore[no-untyped-call]
        except ValueError:
            return "malformed"
        if header.get("alg") != "RS256" or "crit" in header:
            return "algorithm"
        return self._wrong_claim(claims) or await self._badly_signed(header.get("kid"), token)

    def _wrong_claim(self, claims: Mapping[str, Any]) -> str | None:
        for name, value in self._expected.items():
            if claims.get(name) != value or type(claims[name]) is not type(value):
                return name
        now = self._now().timestamp()
        if not _number(claims.get("exp")) or claims["exp"] + SKEW_SECONDS <= now:
            return "exp"
        if not _number(claims.get("iat")) or claims["iat"] - SKEW_SECONDS > now:
            return "iat"
        return None

    async def _badly_signed(self, key_id: object, token: str) -> str | None:
        """Say what is wrong with the signature. It is checked in a thread: that is a millisecond's work."""
        pem = await self._certificates.of(key_id) if isinstance(key_id, str) else None
        if pem is None:
            return "kid"
        check = partial(jwt.decode, token, certs={key_id: pem}, clock_skew_in_seconds=SKEW_SECONDS)
        try:
            await asyncio.to_thread(check)
        except ValueError:
            return "signature"
        return None


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _pems_of(content: bytes) -> dict[str, str]:
    """Read the answer: certificates by key id. Raises ValueError."""
    found = pydantic_core.from_json(content)
    if not isinstance(found, dict) or not all(isinstance(pem, str) and CERTIFICATE in pem for pem in found.values()):
        raise ValueError
    return found


def _age(cache_control: str) -> timedelta:
    """Return how long an answer may be kept."""
    found = re.search(r"max-age=(\d{1,9})", cache_control)
    age = timedelta(seconds=int(found.group(1))) if found else timedelta()
    return min(max(age, SHORTEST_AGE), LONGEST_AGE)


def _unreachable() -> QueueUnavailable:
    return QueueUnavailable("The certificates that deliveries are checked with cannot be had now.", retry_after=REST)
