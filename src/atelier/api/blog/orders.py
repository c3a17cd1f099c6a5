"""Front door B's requests as the engine is asked: which post to write, which jobs to list. Pure."""

from __future__ import annotations

from atelier.api.blog.schemas import BlogHistory, BlogRequest
from atelier.api.requesting import Order, choose, page_of, said, script_of, start_of
from atelier.errors import InvalidInput
from atelier.jobs.ports import Find
from atelier.pipelines.blog.models import KIND, BlogParams, Switches
from atelier.pipelines.blog.pace import expected, length_of, pace
from atelier.pipelines.keyring import NOBODY_WRITES
from atelier.pipelines.pictures import alt_text

ROOT = "/api/v1/blog"

SWITCHES = tuple(Switches.model_fields)


def meaning(request: BlogRequest) -> str:
    """Return what is asked for, defaults written out: what an idempotency key stands for. How the answer comes is no part."""
    understood = {
        "topic": _topic(request),
        "keywords": _keywords(request),
        "tone": request.tone or "professional",
        "length": request.length or (None if request.target_length is not None else "medium"),
        "target_audience": request.target_audience or "",
        "custom_instructions": request.custom_instructions or "",
        "template_type": request.template_type or "",
        "sources": list(dict.fromkeys(request.sources or ())),
        "async_mode": None,
        **{f"use_{name}": getattr(_switches(request), name) for name in SWITCHES},
    }
    return request.model_copy(update=understood).model_dump_json()


def to_order(
    request: BlogRequest, configured: tuple[str, ...], *, made_id: str, nobody: str = NOBODY_WRITES
) -> Order[BlogParams]:
    """Return what to submit; `made_id` names a post that the caller does not name, `nobody` says that nobody writes.

    Raises InvalidInput and ProviderNotConfigured.
    """
    if request.length is not None and request.target_length is not None:
        raise InvalidInput("Name either a length or a target_length.", loc=("body", "target_length"))
    scripted = request.sandbox is not None
    provider, warnings = choose(request.provider, configured, scripted=scripted, did="wrote", nobody=nobody)
    params = BlogParams(
        blog_id=request.blog_id or made_id,
        topic=_topic(request),
        provider=provider,
        keywords=tuple(_keywords(request)),
        tone=request.tone or "professional",
        length=request.length or length_of(request.target_length),
        words=request.target_length,
        target_audience=request.target_audience or "",
        custom_instructions=request.custom_instructions or "",
        template_type=request.template_type or "",
        sources=tuple(dict.fromkeys(request.sources or ())),
        switches=_switches(request),
        script=script_of(request.sandbox),
    )
    words = str(params.words) if params.words is not None else None
    details = {"topic": params.topic, "tone": params.tone, "length": params.length, "provider": provider}
    return Order(
        params=params,
        title=alt_text(params.topic),
        tags={"blog_id": params.blog_id},
        details=said({**details, "target_length": words}),
        pace=pace(params),
        expected=expected(params),
        not_before=start_of(request.sandbox),
        warnings=warnings,
    )


def _topic(request: BlogRequest) -> str:
    return " ".join(request.topic.split())


def _keywords(request: BlogRequest) -> list[str]:
    """Return the keywords, each once, as it is written first."""
    unique: dict[str, str] = {}
    for keyword in request.keywords or ():
        unique.setdefault(" ".join(keyword.split()).casefold(), " ".join(keyword.split()))
    return list(unique.values())


def _switches(request: BlogRequest) -> Switches:
    """Return which stages shall do their work: what is left out shall."""
    return Switches(**{name: getattr(request, f"use_{name}") is not False for name in SWITCHES})


def to_find(history: BlogHistory, owner: str) -> Find:
    """Return the query behind a list. Raises InvalidInput for a cursor that is not ours."""
    return page_of(history, owner=owner, kind=KIND, tags={"blog_id": history.blog_id})
