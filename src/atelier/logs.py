"""JSON log lines: one object a line, one action word, the job and request they belong to."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime

from atelier.errors import AtelierError

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
job_id: ContextVar[str | None] = ContextVar("job_id", default=None)

_log = logging.getLogger("atelier")

SPEAKING = (AtelierError, ImportError, NameError, AttributeError)
"""Errors whose text is about the program. That of others may hold what a caller sent: it is left out."""


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; control characters cannot forge a second line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "action": record.getMessage() if record.name == "atelier" else record.name,
            "request_id": request_id.get(),
            "job_id": job_id.get(),
            **getattr(record, "fields", {}),
        }
        if record.name != "atelier":
            line["message"] = record.getMessage().split("\n", 1)[0]  # asyncio shows the error itself behind that
        if record.exc_info and record.exc_info[1]:
            line["exception"] = _story(record.exc_info[1])
        text = json.dumps({key: value for key, value in line.items() if value is not None}, default=str)
        return text.replace("\x7f", "\\u007f")  # the one control character that JSON leaves as it is


def _story(error: BaseException) -> str:
    """Return where it broke, and of each error in the chain its kind and what may be said of it."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = f"{_story(cause)}\n\nThen:\n" if cause is not None else ""
    frames = "".join(traceback.format_tb(error.__traceback__))
    inner = "".join(f"\n{_story(one)}" for one in error.exceptions) if isinstance(error, BaseExceptionGroup) else ""
    return f"{before}{frames}{type(error).__qualname__}{_said(error)}{inner}"


def _said(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f": {error.strerror}"
    return f": {error}" if isinstance(error, SPEAKING) else ""


def configure(level: str) -> None:
    """Send every log of this process to standard error as JSON; uvicorn's access log is ours instead.

    Of other libraries only warnings: some tell whole addresses, with the keys in them.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # grpc writes past every log
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    least = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(least, logging.WARNING), handlers=[handler], force=True)
    for name in ("atelier", "uvicorn"):
        logging.getLogger(name).setLevel(least)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], name != "uvicorn.access"
    server = logging.getLogger("uvicorn.error")
    server.setLevel(max(least, logging.INFO))  # below that it tells every header of a WebSocket
    server.addFilter(_tells_no_address)


def _tells_no_address(record: logging.LogRecord) -> bool:
    """Whether a line of the server's is one without an address: of each WebSocket it tells the whole one, tickets included."""
    return "WebSocket %s" not in str(record.msg)


def info(action: str, **fields: object) -> None:
    """Log `action` (one word with underscores) and its fields; a field `job_id` overrides the context's."""
    _log.info(action, extra={"fields": fields})


def warning(action: str, **fields: object) -> None:
    """Log something an operator may want to look at."""
    _log.warning(action, extra={"fields": fields})


def error(action: str, *, exc: BaseException | None = None, **fields: object) -> None:
    """Log a fault, with its traceback where `exc` is given."""
    _log.error(action, extra={"fields": fields}, exc_info=exc)
