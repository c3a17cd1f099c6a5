"""Front door A's requests as the engine is asked: what to draw, which jobs to list. Pure."""

from __future__ import annotations

from atelier.api.images.schemas import GenerateRequest, History
from atelier.api.requesting import Order, choose, page_of, said, script_of, start_of
from atelier.jobs.ports import Find
from atelier.pipelines.keyring import NOBODY_DRAWS
from atelier.pipelines.pace import expected, pace
from atelier.pipelines.pictures import KIND, ImageParams, alt_text

ROOT = "/api/v1/images"

DEFAULTS = {"quality": "standard", "aspect_ratio": "1:1", "output_format": "png", "negative_prompt": ""}
"""What is left out means this."""


def meaning(request: GenerateRequest) -> str:
    """Return what is asked for, defaults written out: what an idempotency key stands for."""
    defaults = {name: getattr(request, name) or default for name, default in DEFAULTS.items()}
    return request.model_copy(update=defaults).model_dump_json()


def to_order(request: GenerateRequest, configured: tuple[str, ...]) -> Order[ImageParams]:
    """Return what to submit. Raises InvalidInput and ProviderNotConfigured."""
    scripted = request.sandbox is not None
    provider, warnings = choose(request.provider, configured, scripted=scripted, did="drew", nobody=NOBODY_DRAWS)
    params = ImageParams(
        prompt=request.prompt,
        provider=provider,
        quality=request.quality or "standard",
        aspect_ratio=request.aspect_ratio or "1:1",
        output_format=request.output_format or "png",
        negative_prompt=request.negative_prompt or "",
        style=request.style,
        seed=request.seed,
        script=script_of(request.sandbox),
    )
    tags = {"blog_id": request.blog_id, "blog_job_id": request.blog_job_id}
    details = {"quality": params.quality, "aspect_ratio": params.aspect_ratio, "style": params.style}
    return Order(
        params=params,
        title=alt_text(request.prompt),
        tags=said(tags),
        details=said(details),
        pace=pace(params),
        expected=expected(params),
        not_before=start_of(request.sandbox),
        warnings=warnings,
    )


def to_find(history: History, owner: str) -> Find:
    """Return the query behind a list. Raises InvalidInput for a cursor that is not ours."""
    tags = {"blog_id": history.blog_id, "blog_job_id": history.blog_job_id}
    return page_of(history, owner=owner, kind=KIND, tags=tags)
