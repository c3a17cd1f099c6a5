"""A process that has imported everything and forks a server for each order: no less real, and there in a moment.

Each connection to its socket is one server: the order goes in as a line of JSON, then signals by their numbers; the process
id and later the exit code come out. It ends when its input ends, and its servers with it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import Any

PRELOADED = (
    "atelier.api.tokens",
    "atelier.app",
    "atelier.queues.cloud_tasks",
    "atelier.storage.cloudinary.storage",
    "atelier.stores.firestore",
    "httptools",
    "tests.process.faults",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
)
REAP_SECONDS = 0.01


@dataclass
class Nursery:
    listener: socket.socket
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    servers: dict[int, socket.socket] = field(default_factory=dict)

    def work(self) -> None:
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select(REAP_SECONDS):
                if key.fileobj is sys.stdin:
                    self.end()
                    return
                if key.fileobj is self.listener:
                    self.take_order()
                else:
                    self.pass_on(key.data)
            self.reap()

    def take_order(self) -> None:
        connection, _ = self.listener.accept()
        with connection.makefile() as lines:
            order: dict[str, Any] = json.loads(lines.readline())
        pid = os.fork()
        if pid == 0:
            self.leave(connection)
            serve(order)
        self.servers[pid] = connection
        self.selector.register(connection, selectors.EVENT_READ, pid)
        connection.sendall(b"%d\n" % pid)

    def pass_on(self, pid: int) -> None:
        """Send the signals that were asked for; whoever goes away takes the server along."""
        try:
            numbers = self.servers[pid].recv(1024).split()
        except ConnectionResetError:
            numbers = []
        for number in map(int, numbers or [b"9"]):
            os.kill(pid, number)

    def leave(self, connection: socket.socket) -> None:
        """In the new process: nothing of the nursery's stays open."""
        self.selector.close()
        for held in (self.listener, connection, *self.servers.values()):
            held.close()

    def reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                with self.servers.pop(pid) as connection, contextlib.suppress(BrokenPipeError):
                    self.selector.unregister(connection)
                    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))

    def end(self) -> None:
        for pid in self.servers:
            os.kill(pid, signal.SIGKILL)


def serve(order: dict[str, Any]) -> None:
    """Become the server that was ordered, as if its script had been started."""
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    for number, name in enumerate(("log", "errors"), start=1):
        with open(order[name], "ab") as log:  # noqa: PTH123 - a file descriptor is all that is wanted
            os.dup2(log.fileno(), number)
    with open(os.devnull) as nothing:  # noqa: PTH123 - the same
        os.dup2(nothing.fileno(), 0)
    sys.argv = order["script"]
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit()


if __name__ == "__main__":
    for module in PRELOADED:
        importlib.import_module(module)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        print("ready", flush=True)  # noqa: T201 - whoever started it waits for this
        Nursery(listener).work()
