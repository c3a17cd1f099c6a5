"""Whether the process lives and whether it can do its work. Monitors may ask with HEAD."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from atelier.api.deps import Around, Check
from atelier.api.streams import probe_stream
from atelier.errors import AtelierError

router = APIRouter(tags=["service"])


class Health(BaseModel):
    """The process lives."""

    status: Literal["healthy"] = "healthy"
    timestamp: str


class Readiness(BaseModel):
    """Whether each part can do its work: `ok`, or what is wrong."""

    ready: bool
    checks: dict[str, str]


@router.head("/health", include_in_schema=False)
@router.get("/health", summary="Does the process live?")
async def health(around: Around) -> Health:
    """Answer as long as the process does."""
    return Health(timestamp=around.now().isoformat().replace("+00:00", "Z"))


@router.head("/ready", include_in_schema=False)
@router.get("/ready", summary="Can it do its work?", responses={503: {"model": Readiness}})
async def ready(around: Around) -> JSONResponse:
    """Try store, queue and storage; 503 while one of them fails."""
    checks = {name: await _verdict(check) for name, check in around.checks.items()}
    answer = Readiness(ready=all(verdict == "ok" for verdict in checks.values()), checks=checks)
    return JSONResponse(answer.model_dump(), HTTPStatus.OK if answer.ready else HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/health/stream", include_in_schema=False)
async def stream() -> Response:
    """Send a few events over two seconds, to whoever wants to know whether they arrive as they are sent."""
    return probe_stream()


async def _verdict(check: Check) -> str:
    try:
        await check()
    except AtelierError as error:
        return error.message
    return "ok"
