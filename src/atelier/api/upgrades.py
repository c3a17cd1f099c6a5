"""Requests that ask for another protocol: which become WebSockets, and how the others are read as if they did not ask."""

from __future__ import annotations

from httptools import HttpRequestParser

Fields = list[tuple[bytes, bytes]]
"""A head's fields in order, names in lower case."""


def wants_socket(parser: HttpRequestParser, fields: Fields) -> bool:
    """Whether a request for an upgrade may become a WebSocket: a GET of HTTP/1.1 without a body (RFC 6455, 4.1)."""
    found = dict(fields)
    bodiless = b"transfer-encoding" not in found and found.get(b"content-length", b"0") == b"0"
    asked = parser.get_method() == b"GET" and parser.get_http_version() == "1.1"
    return asked and bodiless and found.get(b"upgrade", b"").strip().lower() == b"websocket"


def head_without_upgrade(parser: HttpRequestParser, url: bytes, fields: Fields) -> bytes:
    """Return the head that a parser has just read without its `Upgrade`, which a server may ignore (RFC 9110, 7.8)."""
    line = b"%s %s HTTP/%s\r\n" % (parser.get_method(), url, parser.get_http_version().encode())
    kept = (b"%s: %s\r\n" % field for field in fields if field[0] != b"upgrade")
    return line + b"".join(kept) + b"\r\n"


def fresh_parser(protocol: object) -> HttpRequestParser:
    """Return a parser like uvicorn's: what is sent behind a connection's last request spoils nothing."""
    parser = HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser
