"""Front door A's requests as the engine is asked: what to draw, which jobs to list. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from atelier.api.images.schemas import GenerateRequest, History
from atelier.api.job_views import aware, place_of
from atelier.errors import InvalidInput, ProviderNotConfigured
from atelier.jobs.models import Status
from atelier.jobs.ports import Find
from atelier.pipelines.pace import expected, pace
from atelier.pipelines.pictures import IN_ORDER, KIND, ImageParams, alt_text
from atelier.pipelines.ports import Script

ROOT = "/api/v1/images"
SANDBOX = "sandbox"


DEFAULTS = {"quality": "standard", "aspect_ratio": "1:1", "output_format": "png", "negative_prompt": ""}
"""What is left out means this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A request, understood."""

    params: ImageParams
    title: str
    tags: dict[str, str]
    details: dict[str, str]
    pace: str
    expected: timedelta
    not_before: datetime | None
    warnings: tuple[str, ...]


def meaning(request: GenerateRequest) -> str:
    """Return what is asked for, defaults written out: what an idempotency key stands for."""
    defaults = {name: getattr(request, name) or default for name, default in DEFAULTS.items()}
    return request.model_copy(update=defaults).model_dump_json()


def to_order(request: GenerateRequest, configured: tuple[str, ...]) -> Order:
    """Return what to submit. Raises InvalidInput and ProviderNotConfigured."""
    provider, warnings = _choose(request, configured)
    script = request.sandbox
    params = ImageParams(
        prompt=request.prompt,
        provider=provider,
        quality=request.quality or "standard",
        aspect_ratio=request.aspect_ratio or "1:1",
        output_format=request.output_format or "png",
        negative_prompt=request.negative_prompt or "",
        style=request.style,
        seed=request.seed,
        script=Script(scenario=script.scenario, seconds=script.seconds) if script else Script(),
    )
    tags = {"blog_id": request.blog_id, "blog_job_id": request.blog_job_id}
    details = {"quality": params.quality, "aspect_ratio": params.aspect_ratio, "style": params.style}
    return Order(
        params=params,
        title=alt_text(request.prompt),
        tags={name: value for name, value in tags.items() if value is not None},
        details={name: value for name, value in details.items() if value is not None},
        pace=pace(params),
        expected=expected(params),
        not_before=datetime.fromtimestamp(script.hold_until, UTC) if script and script.hold_until else None,
        warnings=warnings,
    )


def _choose(request: GenerateRequest, configured: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return who draws, and what the caller should know about that."""
    wanted = request.provider or (SANDBOX if request.sandbox else _unnamed(configured))
    if request.sandbox is not None and wanted != SANDBOX:
        raise InvalidInput("Scripted behaviour needs the provider sandbox.", loc=("body", "sandbox"))
    if wanted in configured or wanted == IN_ORDER:
        return wanted, ()
    if SANDBOX in configured:
        return SANDBOX, (f"The provider {wanted} is not configured; the sandbox drew instead.",)
    raise ProviderNotConfigured(f"The provider {wanted} is not configured; configured are: {', '.join(configured)}.")


def _unnamed(configured: tuple[str, ...]) -> str:
    """Return who draws where the choice is left to the service: the only one, or the first that works."""
    return configured[0] if len(configured) == 1 else IN_ORDER


def to_find(history: History, owner: str) -> Find:
    """Return the query behind a list. Raises InvalidInput for a cursor that is not ours."""
    tags = {"blog_id": history.blog_id, "blog_job_id": history.blog_job_id}
    return Find(
        owner=owner,
        kinds=(KIND,),
        statuses=(Status(history.status),) if history.status else (),
        tags={name: value for name, value in tags.items() if value is not None},
        created_after=aware(history.created_after),
        before=place_of(history.cursor) if history.cursor else None,
        limit=history.limit,
    )
