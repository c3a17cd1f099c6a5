"""The models' process: `python -m atelier.providers.diffusers.server`, orders in, steps and pictures out, one at a time.

The first frame says which models; each other one is an order, or withdraws one. The process ends when its input does.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import TYPE_CHECKING, Any, BinaryIO

from atelier import media
from atelier.providers.diffusers.failures import Withdrawn, kind_of, story_of
from atelier.providers.frames import receive, send

if TYPE_CHECKING:
    from atelier.providers.diffusers.models import Models

UNREAD = "The prompt is longer than the model reads: what stands behind its first 75 words or so was left out."


class Inbox:
    """Reads orders and withdrawals as they come, in a thread of its own."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._withdrawn: dict[int, threading.Event] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> tuple[dict[str, Any], threading.Event]:
        """Wait for an order; what is set when it is withdrawn."""
        order = self._orders.get()
        return order, self._withdrawn[order["number"]]

    def settled(self, number: int) -> None:
        """Forget an order."""
        del self._withdrawn[number]

    def _read(self) -> None:
        while (message := receive(self._source)) is not None:
            if message.get("withdraw"):
                event = self._withdrawn.get(message["number"])
                if event is not None:
                    event.set()
            else:
                self._withdrawn[message["number"]] = threading.Event()
                self._orders.put(message)
        os._exit(0)


class Server:
    """Draws what comes in; whatever goes wrong is an answer."""

    def __init__(self, which: dict[str, str], out: BinaryIO) -> None:
        self._which, self._out = which, out
        self._models: Models | None = None

    def serve(self, inbox: Inbox) -> None:
        """Answer orders for good."""
        while True:
            order, withdrawn = inbox.next()
            self._answer(order, withdrawn)
            inbox.settled(order["number"])

    def _answer(self, order: dict[str, Any], withdrawn: threading.Event) -> None:
        end, data = self._end(order, withdrawn)
        if end["end"] == "out_of_memory" and self._models is not None:
            self._models.tidy()
        send(self._out, {"number": order["number"], **end}, data)

    def _end(self, order: dict[str, Any], withdrawn: threading.Event) -> tuple[dict[str, Any], bytes]:
        """Return how it ended, and the picture's bytes or none."""
        try:
            data, warnings = self._drawn(order, withdrawn)
        except Withdrawn:
            return {"end": "stopped"}, b""
        except Exception as error:  # noqa: BLE001 - the service says it in its own words
            return {"end": kind_of(error), "why": story_of(error)}, b""
        return {"end": "done", "warnings": warnings}, data

    def _drawn(self, order: dict[str, Any], withdrawn: threading.Event) -> tuple[bytes, list[str]]:
        """Return the picture's bytes and what is to be said of it."""
        from atelier.providers.diffusers.drawing import Drawing, Order  # noqa: PLC0415 - torch, whose absence is an answer

        number = order["number"]

        def loading(which: str) -> None:
            send(self._out, {"number": number, "loading": which})

        def tell(step: dict[str, Any], preview: bytes) -> None:
            send(self._out, {"number": number, **step}, preview)

        models, wanted = self._loaded(), Order(**order["order"])
        base, refiner = models.base(loading), models.refiner(loading) if wanted.refine else None
        drawing = Drawing(wanted, base, refiner, tell=tell, withdrawn=withdrawn)
        data = media.encode(drawing.picture(), order["format"])
        return data, [UNREAD] if drawing.unread() else []

    def _loaded(self) -> Models:
        from atelier.providers.diffusers.models import Models  # noqa: PLC0415 - the same

        if self._models is None:
            self._models = Models(**self._which)
        return self._models


def main() -> None:
    """Draw until the input ends. What libraries print goes where errors go, not between the frames."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    which = receive(sys.stdin.buffer)
    if which is not None:
        Server(which, out).serve(Inbox(sys.stdin.buffer))


if __name__ == "__main__":
    main()
