"""The service's entry: `app` for any ASGI server, and `python main.py [serve | keys … | doctor]`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import gc
import math
import os
import re
import socket
import sys
from typing import NoReturn

import uvicorn
from fastapi import FastAPI

from atelier import logs, settings
from atelier.api.connections import KEEP_ALIVE_SECONDS, Connection, most_connections
from atelier.app import create_app
from atelier.doctor import Finding, examine, ill
from atelier.errors import InvalidInput, StartRefused
from atelier.settings import Settings
from atelier.wiring import check_start, open_keys, rotate_keys

BACKLOG = 4096
NOT_OURS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
GC_THRESHOLD = 100_000
"""Containers made and not let go before the collector looks: at 20,000 one in a hundred openings met a pause of ten milliseconds."""
UNWRITTEN_CODE = 74
"""What a command exits with whose answer cannot be written (sysexits.h)."""
USAGE_CODE = 64
"""What a command that was used wrongly exits with (sysexits.h)."""


class Unwritten(Exception):
    """Nobody reads what a command says, or it cannot be written."""


def _say(line: str) -> None:
    """Write a line of a command's answer. Raises Unwritten, with nothing left to be written at the end."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except (OSError, AttributeError) as error:  # there is no standard output where it was closed
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for the interpreter's own end
        raise Unwritten("The answer cannot be written; see where standard output goes.") from error


def _read() -> Settings:
    config = settings.read()
    logs.configure(config.log_level)
    for name in settings.unknown_names():
        logs.warning("unknown_setting", name=name)
    return config


def serve() -> None:
    """Serve until told to stop. Nothing is started, and no job taken, before the port is ours."""
    config = _read()
    made = create_app(config)
    asyncio.run(check_start(config))
    grace = math.ceil(config.grace_seconds) + 3
    shape = uvicorn.Config(
        made,
        http=Connection,
        limit_concurrency=most_connections(),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=grace,
        log_config=None,
        access_log=False,
        server_header=False,
    )
    with _listen(config.host, config.port) as listener:
        host, port = listener.getsockname()[:2]
        local = host in {"127.0.0.1", "0.0.0.0", "::1", "::"}  # noqa: S104 - only compared
        shown = "localhost" if local else f"[{host}]" if ":" in host else host
        print(f"\n  atelier is at http://{shown}:{port}\n", file=sys.stderr, flush=True)  # noqa: T201 - for people
        _spare_the_collector()
        _run(uvicorn.Server(shape), listener)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve to the end. Raises StartRefused where the app does not come up: all was well a moment ago."""
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    except SystemExit as ended:
        raise StartRefused(
            "The store was there a moment ago and is not now: `start_failed` in the log says why.", exit_code=75
        ) from ended


def _spare_the_collector() -> None:
    """Leave what lives as long as the process out of every collection, and collect rarely: pauses show as stream lag."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def _listen(host: str, port: int) -> socket.socket:
    """Take the port. Raises StartRefused where somebody else has it, or the host is none of this machine's."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family = min(family for family, *_ in found)  # 4 before 6, where a name has both
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno in NOT_OURS:
            sentence = f"{host!r} is no address of this machine. Set ATELIER_HOST to one, or to 0.0.0.0 for all."
        else:
            sentence = f"Port {port} of {host} cannot be had: {error.strerror}. Set PORT to another one."
        raise StartRefused(sentence) from error
    except UnicodeError as error:
        raise StartRefused("ATELIER_HOST is no name or address.") from error


async def create_key(owner: str) -> None:
    """Make a key and print it, alone: it is not shown again. One that nobody saw is taken back."""
    async with open_keys(_read()) as keys:
        key = await keys.create(owner)
        try:
            _say(key)
        except Unwritten as error:
            await keys.revoke(key.split("_")[1])
            raise Unwritten("The key cannot be written and was taken back; see where standard output goes.") from error


async def list_keys() -> None:
    """Print every key's id, owner and time of making."""
    async with open_keys(_read()) as keys:
        async for key in keys.listed():
            _say(f"{key.id}  {key.created_at}  {key.owner}")


async def revoke_key(key_id: str) -> None:
    """Remove a key. Raises InvalidInput where there is none."""
    async with open_keys(_read()) as keys:
        if not await keys.revoke(key_id):
            raise InvalidInput("There is no key with this id; `keys list` shows them.", loc=("id",))


async def rotate_owner_keys(*, forget_unreadable: bool) -> NoReturn:
    """Encrypt owners' keys anew and say how many; ends with 1 where some could not be read and were left as they are."""
    done = await rotate_keys(_read(), forget_unreadable=forget_unreadable)
    _say(f"{done.keys} keys of owners are encrypted with the first encryption key now.")
    if done.unreadable:
        became = "were removed" if forget_unreadable else "stay as they are"
        _say(f"{done.unreadable} cannot be read with any of the encryption keys and {became}.")
    sys.exit(1 if done.unreadable and not forget_unreadable else 0)


async def visit(url: str | None) -> bool:
    """Print a line for each part; whether all are well."""
    try:
        config = settings.read()
    except StartRefused as refusal:
        _say(Finding(name="settings", verdict=ill(refusal.message)).line)
        return False
    logs.configure("error")
    well = True
    async for found in examine(config, url):
        _say(found.line)
        well = well and found.verdict.well
    return well


async def doctor(url: str | None) -> NoReturn:
    """Visit, and leave at once with the answer: a thread that hangs, on a dead disk say, would hold up an end in order."""
    try:
        code = 0 if await visit(url) else 1
    except Unwritten as error:
        print(error, file=sys.stderr)  # noqa: T201 - for people
        code = UNWRITTEN_CODE
    os._exit(code)


def _address(text: str) -> str:
    """Read the argument of --url. Raises ArgumentTypeError."""
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", text):
        raise argparse.ArgumentTypeError("must be an address like https://atelier.example.org")
    return text


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="main.py", description="atelier: pictures, posts, storyboards and stories as durable jobs"
    )
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="answer and work (the default)")
    keys = commands.add_parser(
        "keys", help="make, list and revoke callers' keys; encrypt anew what they have brought"
    ).add_subparsers(dest="action", required=True)
    keys.add_parser("create", help="make a key and print it; it is not shown again").add_argument("owner")
    keys.add_parser("list", help="print every key's id, time of making and owner")
    keys.add_parser("revoke", help="refuse a key from now on").add_argument("id")
    rotating = keys.add_parser("rotate", help="encrypt the provider keys of owners with the first encryption key")
    rotating.add_argument("--forget-unreadable", action="store_true", help="remove those that no encryption key opens")
    visits = commands.add_parser(
        "doctor", help="try every part and say what to mend; ends with 0 if all is well, else 1"
    )
    visits.add_argument("--url", type=_address, help="the service's address as callers have it: tries its streams, too")
    return parser.parse_args()


def main() -> None:
    """Run the command that was asked for."""
    arguments = _arguments()
    match (arguments.command, vars(arguments).get("action")):
        case ("keys", "create"):
            asyncio.run(create_key(arguments.owner))
        case ("keys", "list"):
            asyncio.run(list_keys())
        case ("keys", "revoke"):
            asyncio.run(revoke_key(arguments.id))
        case ("keys", "rotate"):
            asyncio.run(rotate_owner_keys(forget_unreadable=arguments.forget_unreadable))
        case ("doctor", _):
            asyncio.run(doctor(arguments.url))
        case _:
            serve()


app: FastAPI
try:
    if __name__ == "__main__":
        main()
    else:
        app = create_app(_read())
except StartRefused as refusal:
    print(f"atelier does not start:\n{refusal.message}", file=sys.stderr)  # noqa: T201 - for people
    sys.exit(refusal.exit_code)
except Unwritten as unwritten:
    print(unwritten, file=sys.stderr)  # noqa: T201 - for people
    sys.exit(UNWRITTEN_CODE)
except InvalidInput as wrong:
    print(wrong.message, file=sys.stderr)  # noqa: T201 - for people
    sys.exit(USAGE_CODE)
