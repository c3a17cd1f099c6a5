"""The sandbox's drawing process: `python -m atelier.providers.easel`, orders in, steps and pictures out.

Both directions are frames. Orders are drawn in turns, a step each, so that several advance together. The process ends
when its input does.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

from PIL import Image

from atelier import media
from atelier.providers.frames import receive, send
from atelier.providers.painting import Commission, paint, steps_of

PREVIEW_SIDE = 320


class Order:
    """One picture being drawn."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.number = order["number"]
        self._format: media.Format = order["format"]
        commission = Commission(**order["commission"])
        self._total = steps_of(commission)
        self._canvases: Iterator[Image.Image] = paint(commission)
        self._preview_seconds: float = order["preview_seconds"]
        self._step = 0
        self._shown = time.monotonic()

    def advance(self, out: BinaryIO) -> bool:
        """Draw one step and report it; whether more are to come."""
        canvas = next(self._canvases)
        self._step += 1
        last = self._step == self._total
        head = {"number": self.number, "step": self._step, "total": self._total}
        send(out, head, self._preview(canvas))
        if last:
            send(out, {"number": self.number, "done": True}, media.encode(canvas, self._format))
        return not last

    def _preview(self, canvas: Image.Image) -> bytes:
        """Return a small JPEG where one is due, else nothing."""
        if time.monotonic() - self._shown < self._preview_seconds:
            return b""
        self._shown = time.monotonic()
        small = canvas.copy()
        small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
        return media.encode(small, "jpeg", quality=70)


def main() -> None:
    """Draw until the input ends."""
    inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, inbox), daemon=True).start()
    easels: dict[int, Order] = {}
    while True:
        _take(inbox, easels)
        for order in list(easels.values()):
            if not order.advance(sys.stdout.buffer):
                del easels[order.number]


def _read(source: BinaryIO, inbox: queue.SimpleQueue[dict[str, Any]]) -> None:
    while (order := receive(source)) is not None:
        inbox.put(order)
    os._exit(0)


def _take(inbox: queue.SimpleQueue[dict[str, Any]], easels: dict[int, Order]) -> None:
    """Take new orders and withdrawals; wait for one when there is nothing to draw."""
    while not easels or not inbox.empty():
        order = inbox.get()
        if order.get("withdraw"):
            easels.pop(order["number"], None)
        else:
            easels[order["number"]] = Order(order)


if __name__ == "__main__":
    main()
