"""What answers are written to: few writes, and none to a connection that is gone."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from atelier.api.errors import ProblemResponse


class Together:
    """What one answer is written to: its head is kept for the first part of its body, and both are sent at once.

    Only where the body has a known length, so that it is about to come; the head of a stream goes ahead of its events.
    """

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle, self._transport, self._head = cycle, cycle.transport, b""

    def write(self, data: bytes) -> None:
        """Send what is kept and this, or keep it; nothing to who has left."""
        cycle = self._cycle
        if self._transport.is_closing():
            return
        if self._head or not cycle.expected_content_length or cycle.scope["method"] == "HEAD":
            cycle.transport = self._transport
            self._transport.write(self._head + data)
        else:
            self._head = data

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Send what is kept: whoever made the answer broke before its body."""
        if self._head and not self._transport.is_closing():
            self._transport.write(self._head)
        self._transport.close()


def whole(answer: ProblemResponse) -> bytes:
    """Return an answer as it is sent, the last on its connection."""
    fields = [(b"connection", b"close"), *answer.raw_headers]
    head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    return STATUS_LINE[answer.status_code] + head + b"\r\n" + bytes(answer.body)
