"""The service's entry: `app` for any ASGI server, and `python main.py [serve]`."""

from __future__ import annotations

import argparse
import asyncio
import sys

import uvicorn
from fastapi import FastAPI

from atelier import logs, settings
from atelier.app import create_app
from atelier.errors import StartRefused
from atelier.wiring import check_store

EX_CONFIG = 78
"""Exit code of a refused start (sysexits.h), so that a supervisor does not try again for ever."""


def _create() -> FastAPI:
    config = settings.read()
    logs.configure(config.log_level)
    for name in settings.unknown_names():
        logs.warning("unknown_setting", name=name)
    return create_app(config)


def serve() -> None:
    """Serve until told to stop."""
    config = settings.read()
    asyncio.run(check_store(config))
    shown = "localhost" if config.host in {"127.0.0.1", "0.0.0.0"} else config.host  # noqa: S104 - only compared
    print(f"\n  atelier is at http://{shown}:{config.port}\n", file=sys.stderr, flush=True)  # noqa: T201 - for people
    uvicorn.run(
        app,
        host=config.host,
        port=config.port,
        log_config=None,
        access_log=False,
        backlog=4096,
        timeout_graceful_shutdown=int(config.grace_seconds) + 3,
    )


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
    sys.exit(EX_CONFIG)
