"""Errors as callers see them: one problem document, never a stack trace, a key or the caller's own input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from atelier import logs
from atelier.api.deps import BodyTooLarge, surroundings
from atelier.api.fields import PATTERNS
from atelier.codes import Code
from atelier.errors import AtelierError, InvalidInput

STATUS: dict[Code, HTTPStatus] = {
    "validation_error": HTTPStatus.UNPROCESSABLE_ENTITY,
    "idempotency_mismatch": HTTPStatus.UNPROCESSABLE_ENTITY,
    "provider_not_configured": HTTPStatus.UNPROCESSABLE_ENTITY,
    "not_found": HTTPStatus.NOT_FOUND,
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "origin_refused": HTTPStatus.FORBIDDEN,
    "rate_limited": HTTPStatus.TOO_MANY_REQUESTS,
    "too_many_streams": HTTPStatus.TOO_MANY_REQUESTS,
    "conflict": HTTPStatus.CONFLICT,
    "already_terminal": HTTPStatus.CONFLICT,
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "queue_full": HTTPStatus.SERVICE_UNAVAILABLE,
    "queue_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "own_keys_off": HTTPStatus.NOT_IMPLEMENTED,
    "timeout": HTTPStatus.REQUEST_TIMEOUT,
    "too_many_connections": HTTPStatus.SERVICE_UNAVAILABLE,
    "store_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "storage_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "storage_full": HTTPStatus.SERVICE_UNAVAILABLE,
}
HEADERS = {
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "2"},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": "2"},
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
}
"""What some answers say besides, unless the error knows better."""
OBJECT, MOMENT = "should be a JSON object", "should be a moment like 2026-01-31T12:00:00Z"
SENTENCES = {
    "model_attributes_type": OBJECT,
    "model_type": OBJECT,
    "datetime_parsing": MOMENT,
    "datetime_type": MOMENT,
    "datetime_from_date_parsing": MOMENT,
    "int_parsing": "Input should be a whole number",
}
"""What is wrong, by the library's name for it."""

TEXT_LENGTHS = {"too_long": ("most", "max_length"), "too_short": ("least", "min_length")}

MOST_ERRORS = 50
"""Of a thousand wrong values the first ones are told: an answer is not larger than what was asked."""


class FieldError(BaseModel):
    """One wrong value: the path to it, what is wrong, and a short name for that."""

    loc: list[str | int]
    msg: str
    type: str


class Problem(BaseModel):
    """The body of every error (application/problem+json)."""

    type: str = Field(examples=["urn:atelier:problem:not_found"])
    title: str = Field(examples=["Not Found"])
    detail: str = Field(description="One plain sentence.", examples=["There is no such job."])
    message: str = Field(description="The same sentence.", examples=["There is no such job."])
    success: bool = False
    code: str = Field(examples=["not_found"])
    retryable: bool = False
    request_id: str | None = None
    errors: list[FieldError] | None = Field(None, description="With 422: every wrong value.")


PROBLEM: dict[str, Any] = {"model": Problem, "content": {"application/problem+json": {}}}
"""How a route's `responses` say that an answer is a problem document."""


class ProblemResponse(JSONResponse):
    """A problem document."""

    media_type = "application/problem+json"


def problem(
    code: Code, detail: str, *, retryable: bool = False, status: HTTPStatus | None = None, **extra: object
) -> ProblemResponse:
    """Return the answer for an error; `extra` members ride along."""
    answer = status or STATUS.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)
    body = Problem(
        type=f"urn:atelier:problem:{code}",
        title=answer.phrase,
        detail=detail,
        message=detail,
        code=code,
        retryable=retryable,
        request_id=logs.request_id.get(),
    )
    return ProblemResponse({**body.model_dump(exclude_none=True), **extra}, answer, HEADERS.get(answer))


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    app.add_exception_handler(AtelierError, _atelier_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


async def _atelier_error(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, AtelierError)  # noqa: S101 - registered for this class
    if isinstance(error, InvalidInput):
        return _invalid([FieldError(loc=list(error.loc), msg=error.message, type="value_error")])
    response = problem(error.code, error.message, retryable=error.retryable)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after.total_seconds()))
    return response


async def _validation_error(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    return _invalid([_field_error(item) for item in error.errors()[:MOST_ERRORS]])


def _field_error(item: dict[str, Any]) -> FieldError:
    """Keep where and what; drop the input and its context, which may hold a secret."""
    if item["type"] == "json_invalid":
        return FieldError(loc=["body"], msg="The body is not valid JSON.", type="json_invalid")
    told = _text_length(item) if item["type"] in TEXT_LENGTHS and isinstance(item.get("input"), str) else item
    return FieldError(loc=list(told["loc"]), msg=_sentence(told), type=told["type"])


def _text_length(item: dict[str, Any]) -> dict[str, Any]:
    """Return what the library says of an optional text's length, which it counts in items, as it does of a required one's."""
    word, bound = TEXT_LENGTHS[item["type"]]
    count = item["ctx"][bound]
    sentence = f"String should have at {word} {count} character{'' if count == 1 else 's'}"
    return {**item, "type": f"string_{item['type']}", "msg": sentence}


def _sentence(item: dict[str, Any]) -> str:
    """Say what is wrong in words of HTTP and JSON where the library has those of a programmer."""
    kind, context = item["type"], item.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(context["pattern"], str(item["msg"]))
    said = str(item["msg"]).removeprefix("Value error, ")
    return SENTENCES.get(kind, said.split(" after validation, ")[0])


def _invalid(errors: Sequence[FieldError]) -> ProblemResponse:
    first = errors[0]
    where = ".".join(str(part) for part in first.loc if part not in {"body", "query", "path", "header"})
    detail = f"{where}: {first.msg}" if where else first.msg
    return problem("validation_error", detail, errors=[error.model_dump() for error in errors])


async def _http_error(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    if isinstance(error, BodyTooLarge):
        return problem("body_too_large", error.detail)
    response = problem_of(HTTPStatus(error.status_code))
    response.headers.update(error.headers or {})
    return response


def problem_of(status: HTTPStatus) -> ProblemResponse:
    """Return the problem for an error of which only the status is known."""
    code, sentence = _PLAIN.get(status, ("validation_error", f"{status.phrase}."))
    return problem(code, sentence, status=status)


_PLAIN: dict[HTTPStatus, tuple[Code, str]] = {
    HTTPStatus.NOT_FOUND: ("not_found", "There is nothing at this address."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("not_found", "This address does not answer that method."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("body_too_large", "The request's body is too large."),
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: ("validation_error", "There is nothing in this range."),
}


async def _unexpected(request: Request, error: Exception) -> ProblemResponse:
    """Answer 500 from outside every middleware, hence with their headers by hand."""
    logs.error("request_broke", exc=error, route=getattr(request.scope.get("route"), "path", "other"))
    response = problem("internal", "Something broke inside the service.", retryable=True)
    response.headers["X-Request-Id"] = logs.request_id.get() or ""
    origin = request.headers.get("origin")
    if origin and surroundings(request).origins.allow(origin, request.headers.get("host", "")):
        response.headers["Access-Control-Allow-Origin"] = origin
    return response
