"""Front door E's requests as the engine is asked: which story to write, who draws it, which stories to list. Pure."""

from __future__ import annotations

from atelier.api.fields import Page
from atelier.api.requesting import SANDBOX, Order, choose, page_of, said, script_of, start_of
from atelier.api.stories.schemas import StoryHistory, StoryRequest
from atelier.errors import InvalidInput, ProviderNotConfigured
from atelier.frozen import frozen
from atelier.jobs.ports import Find
from atelier.pipelines.keyring import NOBODY_DRAWS
from atelier.pipelines.pictures import STORY_ORDER, alt_text
from atelier.pipelines.story.models import KIND, StoryParams
from atelier.pipelines.story.pace import expected, pace

ROOT = "/api/ai/generated-content"
SCENES = 8


@frozen
class Painters:
    """Who draws for whoever asks: those with a key, in order; whether the sandbox may be asked for, and stands in for nobody."""

    names: tuple[str, ...]
    sandbox: bool
    stand_in: bool


def meaning(request: StoryRequest) -> str:
    """Return what is asked for, defaults written out: what an idempotency key stands for."""
    understood = {
        "content_type": "story",
        "topic": _plain(request.topic),
        "level": _plain(request.level),
        "illustrated": bool(request.illustrated),
        "image_count": request.image_count or SCENES,
    }
    return request.model_copy(update=understood).model_dump_json()


def to_order(request: StoryRequest, writers: tuple[str, ...], painters: Painters, *, nobody: str) -> Order[StoryParams]:
    """Return what to submit. Raises InvalidInput, and ProviderNotConfigured where nobody draws, or (`nobody`) nobody writes."""
    painter, told = _painter(request, painters) if request.illustrated else (SANDBOX, ())
    provider, warnings = choose(None, writers, scripted=request.sandbox is not None, did="wrote", nobody=nobody)
    params = StoryParams(
        topic=_plain(request.topic),
        level=_plain(request.level),
        scenes=request.image_count or SCENES,
        illustrated=bool(request.illustrated),
        provider=provider,
        painter=painter,
        script=script_of(request.sandbox),
        painter_script=script_of(request.sandbox_images or request.sandbox),
    )
    return Order(
        params=params,
        title=alt_text(params.topic),
        tags={"illustrated": _word(illustrated=params.illustrated)},
        details={"topic": params.topic, "level": params.level, "scenes": str(params.scenes), "provider": provider},
        pace=pace(params),
        expected=expected(params),
        not_before=start_of(request.sandbox),
        warnings=(*warnings, *told),
    )


def _painter(request: StoryRequest, painters: Painters) -> tuple[str, tuple[str, ...]]:
    """Return who draws, and what the caller should know about that."""
    scripted = request.sandbox_images or request.sandbox
    if scripted is not None:
        if not painters.sandbox:
            raise InvalidInput(
                "Scripted behaviour needs the sandbox, which draws no stories here.", loc=("body", "sandbox")
            )
        return SANDBOX, ()
    if painters.names:
        return STORY_ORDER, ()
    if painters.stand_in:
        return SANDBOX, ("No image generation provider is configured; the sandbox draws the pictures.",)
    raise ProviderNotConfigured(NOBODY_DRAWS)


def to_find(history: StoryHistory, owner: str) -> Find:
    """Return the query behind a list. Raises InvalidInput for a cursor that is not ours."""
    page = Page(created_after=history.created_after, cursor=history.cursor, limit=history.limit)
    illustrated = _word(illustrated=history.illustrated) if history.illustrated is not None else None
    return page_of(page, owner=owner, kind=KIND, tags=said({"illustrated": illustrated}))


def _word(*, illustrated: bool) -> str:
    return "yes" if illustrated else "no"


def _plain(text: str) -> str:
    return " ".join(text.split())
