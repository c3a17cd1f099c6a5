"""JSON log lines: one object a line, one action word, the job and request they belong to."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
job_id: ContextVar[str | None] = ContextVar("job_id", default=None)

_log = logging.getLogger("atelier")


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
            line["message"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({key: value for key, value in line.items() if value is not None}, default=str)


def configure(level: str) -> None:
    """Send every log of this process to standard error as JSON; uvicorn's access log is ours instead."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], name != "uvicorn.access"


def info(action: str, **fields: object) -> None:
    """Log `action` (one word with underscores) and its fields; a field `job_id` overrides the context's."""
    _log.info(action, extra={"fields": fields})


def warning(action: str, **fields: object) -> None:
    """Log something an operator may want to look at."""
    _log.warning(action, extra={"fields": fields})


def error(action: str, *, exc: BaseException | None = None, **fields: object) -> None:
    """Log a fault, with its traceback where `exc` is given."""
    _log.error(action, extra={"fields": fields}, exc_info=exc)
