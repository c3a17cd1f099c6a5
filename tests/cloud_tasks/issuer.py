"""An issuer of signed tokens: a key of its own, tokens of any make, and certificates over HTTP."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

ISSUER = "https://accounts.google.com"
EMAIL = "carrier@project.iam.gserviceaccount.com"


@lru_cache
def signing_key(name: str) -> RSAPrivateKey:
    """Return the key of a name; the same for the whole run."""
    assert name
    return generate_private_key(public_exponent=65537, key_size=2048)


@lru_cache
def certificate(name: str) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "carrier")])
    made = datetime.now(UTC) - timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(signing_key(name).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(made)
        .not_valid_after(made + timedelta(days=30))
    )
    return builder.sign(signing_key(name), hashes.SHA256()).public_bytes(Encoding.PEM).decode()


class Issuer:
    """Signs tokens and shows the certificates of `shown`. Counts who asks for them."""

    def __init__(self) -> None:
        self.shown = ["first"]
        self.max_age = 3600
        self.asked = 0
        self.answer = b""
        """Sent instead of the certificates where it is not empty."""
        self.port = 0

    @property
    def certs_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/certs"

    def token(self, audience: str, *, key: str = "first", header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return a token as Google's: good for an hour. `claims` and `header` replace what it says; None leaves out."""
        now = time.time()
        said = {
            "iss": ISSUER, "aud": audience, "email": EMAIL, "email_verified": True, "iat": int(now),
            "exp": int(now) + 3600, "sub": "1", **claims,
        }  # fmt: skip
        head = {"alg": "RS256", "typ": "JWT", "kid": key, **(header or {})}
        signed = ".".join(_encoded({k: v for k, v in part.items() if v is not None}) for part in (head, said))
        return f"{signed}.{_base64(self._sign(head['alg'], key, signed.encode()))}"

    def _sign(self, algorithm: str, key: str, signed: bytes) -> bytes:
        if algorithm == "none":
            return b""
        if algorithm == "HS256":  # the well-known trick: the public certificate as the secret
            return hmac.digest(certificate(key).encode(), signed, "sha256")
        return signing_key(key).sign(signed, PKCS1v15(), hashes.SHA256())

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Issuer]:
        """Serve the certificates for the length of the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            writer.write(self.answer or self._certificates())
            await writer.drain()

    def _certificates(self) -> bytes:
        body = json.dumps({name: certificate(name) for name in self.shown}).encode()
        head = f"HTTP/1.1 200 OK\r\nCache-Control: public, max-age={self.max_age}\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"Content-Type: application/json\r\nConnection: close\r\n\r\n" + body


def _encoded(part: dict[str, Any]) -> str:
    return _base64(json.dumps(part).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
