"""The service's entry: `app` for any ASGI server, and `python main.py [serve]`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import math
import socket
import sys

import uvicorn
from fastapi import FastAPI

from atelier import logs, settings
from atelier.app import create_app
from atelier.errors import StartRefused
from atelier.wiring import check_start

BACKLOG = 4096
GC_THRESHOLD = 20_000


def _create() -> FastAPI:
    config = settings.read()
    logs.configure(config.log_level)
    for name in settings.unknown_names():
        logs.warning("unknown_setting", name=name)
    return create_app(config)


def serve() -> None:
    """Serve until told to stop. Nothing is started, and no job taken, before the port is ours."""
    config = settings.read()
    asyncio.run(check_start(config))
    grace = math.ceil(config.grace_seconds) + 3
    shape = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=grace)
    with _listen(config.host, config.port) as listener:
        host, port = listener.getsockname()[:2]
        shown = "localhost" if host in {"127.0.0.1", "0.0.0.0"} else host  # noqa: S104 - only compared
        print(f"\n  atelier is at http://{shown}:{port}\n", file=sys.stderr, flush=True)  # noqa: T201 - for people
        _spare_the_collector()
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(shape).run(sockets=[listener])


def _spare_the_collector() -> None:
    """Leave what lives as long as the process out of every collection, and collect rarely: pauses show as stream lag."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def _listen(host: str, port: int) -> socket.socket:
    """Take the port. Raises StartRefused where somebody else has it."""
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise StartRefused(
            f"Port {port} of {host} cannot be had: {error.strerror}. Set PORT to another one."
        ) from error


def main() -> None:
    """Run the command that was asked for."""
    parser = argparse.ArgumentParser(prog="main.py", description="atelier: pictures as durable jobs")
    parser.add_argument("command", nargs="?", choices=["serve"], default="serve", help="serve: answer and work")
    parser.parse_args()
    serve()


try:
    app = _create()
    if __name__ == "__main__":
        main()
except StartRefused as refusal:
    print(f"atelier does not start:\n{refusal.message}", file=sys.stderr)  # noqa: T201 - for people
    sys.exit(refusal.exit_code)
