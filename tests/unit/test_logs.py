"""A log line is one line, and says of an error no more than may be said."""

from __future__ import annotations

import json
import logging

from pydantic import BaseModel, ValidationError

from atelier.errors import StoreUnavailable
from atelier.logs import JsonFormatter


def line_of(error: BaseException | None, *, name: str = "atelier", message: str = "job_broke") -> str:
    info = (type(error), error, error.__traceback__) if error is not None else None
    return JsonFormatter().format(logging.LogRecord(name, logging.ERROR, "x.py", 1, message, None, info))


class Params(BaseModel):
    prompt: int


def raised(data: dict[str, str]) -> BaseException:
    """Return what a broken job raises: an error of ours, caused by one that shows the caller's text."""
    try:
        try:
            Params.model_validate(data)
        except ValidationError as error:
            raise StoreUnavailable("This job's record cannot be read.") from error
    except StoreUnavailable as error:
        return error
    raise AssertionError


def test_an_error_s_story_leaves_out_what_a_caller_sent() -> None:
    story = json.loads(line_of(raised({"prompt": "a whispered secret"})))["exception"]
    assert "whispered" not in story
    assert "ValidationError\n\nThen:" in story
    assert "in raised" in story
    assert story.endswith("StoreUnavailable: This job's record cannot be read.")


def test_what_a_disk_says_is_kept_without_the_path() -> None:
    story = json.loads(line_of(FileNotFoundError(2, "No such file or directory", "/pictures/whispered")))["exception"]
    assert story == "FileNotFoundError: No such file or directory"


def test_what_speaks_of_the_program_is_kept() -> None:
    assert "no attribute" in line_of(AttributeError("'Job' object has no attribute 'x'"))


def test_groups_of_errors_show_their_members() -> None:
    story = json.loads(line_of(ExceptionGroup("whispered", [ValueError("whispered"), StoreUnavailable("Away.")])))
    assert story["exception"] == "ExceptionGroup\nValueError\nStoreUnavailable: Away."


def test_a_library_s_line_is_cut_where_it_shows_the_error() -> None:
    line = json.loads(line_of(None, name="asyncio", message="Task exception was never retrieved\nfuture: whispered"))
    assert (line["action"], line["message"]) == ("asyncio", "Task exception was never retrieved")


def test_a_line_is_one_line() -> None:
    assert "\n" not in line_of(None, message="a\nb\r\u2028c")
