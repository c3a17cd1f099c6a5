"""Front door D's routes."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import AsyncIterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from atelier.api.deps import STREAM, Call, Keyed, KeyedReader, answer
from atelier.api.errors import problem
from atelier.api.fields import KEY
from atelier.api.job_routes import CHANGES, CREATES, READS
from atelier.api.requesting import SANDBOX
from atelier.api.routing import JsonRoute
from atelier.api.storyboards import orders, translate
from atelier.api.storyboards.looking import FOLDERS, board_of, reports
from atelier.api.storyboards.orders import KIND, ROOT
from atelier.api.storyboards.planning import plan as planned
from atelier.api.storyboards.schemas import Page, RedrawRequest, StoryboardRequest
from atelier.api.storyboards.telling import Telling
from atelier.api.storyboards.view_schemas import PlanView, PoolList, StatusView, StoryboardList, StoryboardView
from atelier.api.streams import Message, message_stream
from atelier.errors import AlreadyTerminal, Conflict, InvalidInput, StorageRefused
from atelier.jobs.groups import Group, Redraw
from atelier.pipelines.drawing import LARGEST_SEED
from atelier.pipelines.projects import path_of

EVENTS: dict[str, Any] = {
    "description": "Server-sent events without `id:`, each `data:` line one JSON object; with `plan`, the plan as JSON.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": 'data: {"type":"progress","style":"illustration","beat_number":"1.1","completed":1,"total":30,'
            '"status":"complete"}\n\n',
        }
    },
}
CONFLICT: dict[int | str, dict[str, Any]] = {409: CHANGES[409]}
Plan = Annotated[bool, Query(description="Only say what would be done; nothing is created.")]

PostKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=KEY,
        description="One request is accepted once for a project: the same key and body again only attach.",
    ),
]
RedrawKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=KEY,
        description="The same key, beat and body again draw nothing, and give the storyboard in its present state.",
    ),
]
REPLAYED = {"Idempotency-Replayed": "true"}
NOTHING_MORE: Mapping[str, str] = {}

router = APIRouter(tags=["storyboards"], route_class=JsonRoute)


@router.post(
    "/api/generate-images",
    summary="Draw a storyboard and watch it",
    responses={200: {"model": PlanView, **EVENTS}, **CREATES, **CONFLICT},
    dependencies=[STREAM],
)
async def generate_images(body: StoryboardRequest, call: Keyed, plan: Plan = False, key: PostKey = None) -> Response:  # noqa: FBT002 - a query
    """Record every beat durably, draw what has no picture yet, and tell of it until all have ended.

    Posting the same again attaches while it goes on, and resumes what failed afterwards; other prompts while it goes on are
    refused with 409. Going away changes nothing.
    """
    board = orders.to_board(
        body,
        call.around.pools,
        owner=call.owner,
        shared=call.around.access.mode == "open",
        scripted=SANDBOX in call.around.providers,
        key=key,
    )
    redraw = Redraw(body.redraw or "none")
    try:
        await call.around.projects.check(board.folder)
    except StorageRefused as error:
        raise InvalidInput(error.message, loc=("body", "projectPath")) from error
    if plan:
        return answer(await planned(board, redraw, call))
    group, attached = await call.around.engine.groups.revise(board.new, redraw)
    return _stream(group, call, REPLAYED if attached and key is not None else {})


@router.get("/api/generation-status/{project_path:path}", summary="Is a project being drawn?", responses=READS)
async def generation_status(project_path: str, call: Keyed) -> StatusView:
    """Say whether, and how far; slashes in the path as they are or as `%2F`. A project nobody knows is not being drawn."""
    path = path_of(project_path, ("path", "project_path"))
    group = await call.around.engine.groups.of_key(call.owner, KIND, path)
    if group is None:
        return StatusView(isGenerating=False)
    return translate.to_status(await board_of(group, call), call.base)


@router.get(ROOT, summary="List storyboards", responses=READS)
async def storyboards(query: Annotated[Page, Query()], call: Keyed) -> StoryboardList:
    """List the caller's storyboards in order of their projects' paths."""
    register = call.around.engine.groups.register
    after = orders.title_behind(query.cursor) if query.cursor else ""
    groups, last = await register.titled(call.owner, KIND, after=after, limit=query.limit)
    more = orders.cursor_behind(last) if last is not None else None
    return StoryboardList(storyboards=[translate.to_listed(group, call.base) for group in groups], next_cursor=more)


@router.get(f"{ROOT}/pools", summary="Who draws which style", responses=READS)
async def pools(call: Keyed) -> PoolList:
    """List the pools and how their keys are, by their aliases; `default` draws styles that have no pool of their own."""
    return PoolList(pools=translate.to_pools(await reports(call, call.around.pools)))


@router.get(f"{ROOT}/{{storyboard_id}}", summary="Read a storyboard", responses=READS, response_model=StoryboardView)
async def storyboard(storyboard_id: str, call: KeyedReader) -> Response:
    """Return the whole grid: every style's beats with their pictures, what went wrong, and how the keys are."""
    return await _grid(await _group(storyboard_id, call), call)


@router.delete(
    f"{ROOT}/{{storyboard_id}}",
    summary="Delete a storyboard",
    responses=CHANGES,
    status_code=HTTPStatus.NO_CONTENT,
)
async def delete(storyboard_id: str, call: Keyed) -> None:
    """Remove the storyboard, its beats and their pictures for good; what lies in the project's folder stays. 409 while it goes on."""
    group, engine = await _group(storyboard_id, call), call.around.engine
    if translate.is_live(await board_of(group, call)):
        raise Conflict("Only a storyboard that has ended can be deleted; cancel it first.")
    await engine.delete_group(group)


@router.get(
    f"{ROOT}/{{storyboard_id}}/stream",
    summary="Watch a storyboard",
    responses={200: EVENTS, **READS},
    dependencies=[STREAM],
)
async def storyboard_stream(storyboard_id: str, call: KeyedReader) -> Response:
    """Tell of every beat as the post does, until all have ended. Connecting again starts afresh."""
    return _stream(await _group(storyboard_id, call), call, {})


@router.post(f"{ROOT}/{{storyboard_id}}/pause", summary="Pause", responses=CHANGES, response_model=StoryboardView)
async def pause(storyboard_id: str, call: Keyed) -> Response:
    """Hand over no more beats; what is being drawn goes on to its end. Paused time does not count."""
    group = await _group(storyboard_id, call)
    return await _grid(await call.around.engine.groups.pause(group.id), call)


@router.post(f"{ROOT}/{{storyboard_id}}/resume", summary="Go on", responses=CHANGES, response_model=StoryboardView)
async def resume(storyboard_id: str, call: Keyed) -> Response:
    """Go on with a paused storyboard."""
    group = await _group(storyboard_id, call)
    return await _grid(await call.around.engine.groups.resume(group.id), call)


@router.post(
    f"{ROOT}/{{storyboard_id}}/retry-failed",
    summary="Retry what failed",
    responses=CHANGES,
    response_model=StoryboardView,
)
async def retry_failed(storyboard_id: str, call: Keyed) -> Response:
    """Draw the beats that failed again, and nothing else. 409 where none has."""
    group = await _group(storyboard_id, call)
    await call.around.engine.groups.retry_failed(group)
    return await _grid(await _group(storyboard_id, call), call)


@router.post(f"{ROOT}/{{storyboard_id}}/cancel", summary="Cancel", responses=CHANGES, response_model=StoryboardView)
async def cancel(storyboard_id: str, call: Keyed) -> Response:
    """Cancel what has not ended; waits up to five seconds for the receipts. 409 with the storyboard when all has ended."""
    group = await _group(storyboard_id, call)
    try:
        await call.around.engine.groups.cancel(group)
    except AlreadyTerminal as error:
        view = translate.to_view(await board_of(group, call), call.base, call.around.now())
        return problem(error.code, error.message, storyboard=view.model_dump(mode="json"))
    return await _grid(await _group(storyboard_id, call), call)


@router.post(
    f"{ROOT}/{{storyboard_id}}/beats/{{style}}/{{beat}}/redraw",
    summary="Draw one beat again",
    responses=CHANGES,
    response_model=StoryboardView,
)
async def redraw(
    storyboard_id: str, style: str, beat: str, call: Keyed, *, body: RedrawRequest | None = None, key: RedrawKey = None
) -> Response:
    """Draw a beat that has ended again, from another seed; its picture stays until there is a new one. The others go on."""
    group, wanted = await _group(storyboard_id, call), body or RedrawRequest(seed=None, ai_prompt=None)
    name = unicodedata.normalize("NFC", f"{style}/{beat}")
    seed = random.randrange(LARGEST_SEED)  # noqa: S311 - a picture's seed keeps no secret
    make = partial(orders.to_redrawing, wanted=wanted, seed=seed, pools=call.around.pools)
    mark = orders.redrawing_mark(key, name, wanted) if key is not None else None
    group, replayed = await call.around.engine.groups.redraw(group, name, make, mark)
    return await _grid(group, call, REPLAYED if replayed else {})


async def _group(storyboard_id: str, call: Call) -> Group:
    return await call.around.engine.groups.get(call.owner, storyboard_id, KIND)


async def _grid(group: Group, call: Call, more: Mapping[str, str] = NOTHING_MORE) -> Response:
    view = translate.to_view(await board_of(group, call), call.base, call.around.now())
    return answer(view, {"Cache-Control": "private, no-cache", **more})


def _stream(group: Group, call: Call, more: Mapping[str, str]) -> Response:
    headers = {"X-Job-Id": group.id, "Location": translate.urls(group.id, call.base)["self"], **more}
    return message_stream(_told(group, call), headers)


async def _told(group: Group, call: Call) -> AsyncIterator[Message | None]:
    """Tell the storyboard from its start, which comes before any waiting, over what is there already, to its end."""
    groups = call.around.engine.groups
    telling = Telling(group, groups.member_ids(group), call.base, call.around.now())
    yield telling.start()
    places = await groups.places(group)
    await FOLDERS.mend(call, group, places, now=True)
    telling.spare(await FOLDERS.honoured(call, group, places))
    for message in telling.before(places):
        yield message
    async for update in groups.follow(group.id):
        if update is None:
            await _renew(telling, call)
            places = await groups.places(telling.group)
            await FOLDERS.mend(call, telling.group, places, now=True)
            for message in telling.deleted(places):
                yield message
            yield telling.end(places)
            yield None
            return
        if not telling.knows(update.job):
            await _renew(telling, call)
        news = telling.tell(update)
        if news is not None:
            if news["status"] == "complete":  # what was there before was looked after at the start
                await FOLDERS.bring(call, telling.group, update, drawing=telling.drawing(update.job))
            yield news


async def _renew(telling: Telling, call: Call) -> None:
    groups = call.around.engine.groups
    group = await groups.get(call.owner, telling.group.id)
    telling.renew(group, groups.member_ids(group))
