"""Lines of the log: one object each, whatever is in them, and no word that somebody else put there."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier import logs
from atelier.errors import StoreUnavailable

FORGED = 'x"}\n{"time":"now","level":"error","action":"forged"}\r\n\x1b[31m\u2028\u2029\x85\x7f\u202e\x00'


def line_of(action: str = "tried", name: str = "atelier", **fields: object) -> str:
    record = logging.LogRecord(name, logging.INFO, "file.py", 1, action, None, None)
    record.fields = fields
    return logs.JsonFormatter().format(record)


def parsed(line: str) -> dict[str, Any]:
    """Parse a line as a collector of logs does; it has to be one, of printable ASCII."""
    assert line.isascii()
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_is_an_object_with_an_action() -> None:
    found = parsed(line_of(job_id="j1", seconds=2))
    assert (found["action"], found["level"], found["job_id"], found["seconds"]) == ("tried", "info", "j1", 2)
    assert found["time"].endswith("Z")
    assert "request_id" not in found, "what is not known is left out"


def test_nothing_can_forge_a_second_line() -> None:
    found = parsed(line_of(path=FORGED))
    assert (found["action"], found["path"]) == ("tried", FORGED)


@given(st.text(st.characters(), max_size=50), st.text(st.characters(), max_size=20))
def test_any_text_stays_in_its_line(text: str, name: str) -> None:
    assert parsed(line_of(path=text, **{f"field_{name}": text}))["path"] == text


@settings(max_examples=30)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_value_can_be_logged(value: object) -> None:
    parsed(line_of(value=value, thing=object(), raw=b"\x00\n", moment=Path("a\nb")))


def test_lines_of_libraries_keep_their_words_apart() -> None:
    found = parsed(line_of(FORGED, name="uvicorn.error"))
    assert (found["action"], found["message"]) == ("uvicorn.error", FORGED.split("\n", maxsplit=1)[0])


def test_a_traceback_is_a_field() -> None:
    error = StoreUnavailable(FORGED)
    record = logging.LogRecord("atelier", logging.ERROR, "f", 1, "broke", None, (type(error), error, None))
    assert FORGED in parsed(logs.JsonFormatter().format(record))["exception"]


@pytest.fixture
def as_a_process() -> Iterator[None]:
    """Undo what configuring does to this process."""
    loggers = [logging.getLogger(name) for name in ("", "atelier", "uvicorn", "uvicorn.error", "uvicorn.access")]
    before = [(each, each.level, list(each.handlers), each.propagate) for each in loggers]
    yield
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers, logger.propagate = handlers, propagate


@pytest.mark.usefixtures("as_a_process")
@pytest.mark.parametrize("level", ["debug", "info", "error"])
def test_libraries_only_warn(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They write whole addresses at lower levels, and some services want their key in the address."""
    logs.configure(level)
    logging.getLogger("httpx").info("HTTP Request: GET https://api.example/?key=%s", "sk-canary")
    logging.getLogger("uvicorn.access").info('"GET /?ticket=%s"', "sk-canary")
    logging.getLogger("uvicorn.error").error("told")
    logs.info("done")
    written = capsys.readouterr().err
    assert "sk-canary" not in written
    assert ('"done"' in written) is (level != "error")
    assert '"told"' in written
