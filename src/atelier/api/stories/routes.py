"""Front door E's routes. Each address is there with and without a slash at its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from atelier.api.deps import STREAM, Keyed, KeyedReader, answer, wait_of
from atelier.api.errors import PROBLEM, problem
from atelier.api.freshness import is_known
from atelier.api.job_routes import (
    CHANGES,
    CREATES,
    READS,
    TICKETS,
    UNCHANGED,
    Key,
    Match,
    Prefer,
    events,
    new_job,
    replayed,
)
from atelier.api.openapi import sends
from atelier.api.routing import JsonRoute
from atelier.api.spending import submit
from atelier.api.stories import orders, translate, watching
from atelier.api.stories.schemas import (
    ImagesView,
    StoryAccepted,
    StoryHistory,
    StoryList,
    StoryRequest,
    StoryView,
)
from atelier.api.stories.seen import Story, not_there, urls
from atelier.api.streams import message_stream
from atelier.api.ticket_routes import job_ticket
from atelier.api.tickets import TicketView
from atelier.errors import AlreadyTerminal, Conflict
from atelier.jobs.models import Status
from atelier.pipelines.story.models import KIND, PICTURES

ALIAS = "/api/ai/generate-advanced-text"
ONE = f"{orders.ROOT}/{{story_id}}"
EVENTS = events(
    'data: {"type":"image","event_number":3,"status":"completed","image_url":"http://localhost:8000/pictures/…",'
    '"alt_text":"A fox by the river.","provider":"stable_horde","error":null,"attempts":1}\n\n'
)

router = APIRouter(tags=["stories"], route_class=JsonRoute)

Number = Annotated[int, Path(ge=1, le=20, description="The scene's number, from 1.")]


def both(method: Callable[..., Any], *paths: str, **options: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - FastAPI's own
    """Add a route at each of these addresses, with and without a slash at its end."""

    def add(route: Any) -> Any:  # noqa: ANN401 - FastAPI's own
        for path in paths:
            for address in (f"{path}/", path):
                method(address, **options)(route)
        return route

    return add


@both(
    router.post,
    orders.ROOT,
    ALIAS,
    summary="Queue a story",
    response_model=StoryAccepted | StoryView,
    responses={200: sends("Location", "X-Job-Id"), **CREATES},
)
async def create(body: StoryRequest, call: Keyed, key: Key = None, prefer: Prefer = None) -> Response:
    """Record the story durably and answer at once. Its text can be read as soon as it exists; then its pictures are drawn.

    With `Prefer: wait=n` wait up to n seconds for the end of all and answer the story as `GET` would.
    """
    painters = await call.around.illustrators.of(call.owner)
    order = orders.to_order(body, await call.writers(), painters, nobody=call.nobody_writes)
    wanted = new_job(KIND, order, call, key, orders.meaning(body) if key is not None else "")
    submitted = await submit(call, wanted, 0.0)
    job, wait = submitted.snapshot.job, wait_of(prefer)
    headers = {**replayed(submitted), "X-Job-Id": job.id, "Location": urls(job.id, call.base)["self"]}
    if wait is None:
        new = Story(snapshot=submitted.snapshot)
        story = await watching.complete(submitted.snapshot, call) if submitted.replayed else new
        return answer(translate.to_accepted(story, call.base, call.around.engine.estimate(job)), headers)
    await watching.wait(job.id, wait, call)
    headers["Preference-Applied"] = f"wait={wait.seconds}"
    return await _answer(job.id, call, headers)


@both(router.get, orders.ROOT, summary="List stories, newest first", responses={422: PROBLEM, 503: PROBLEM})
async def stories(query: Annotated[StoryHistory, Query()], call: Keyed) -> StoryList:
    """Filter by kind of text, illustration, status and creation; page with `cursor`. Without the texts."""
    found = await call.around.engine.find(orders.to_find(query, call.owner))
    complete = [await watching.complete(snapshot, call) for snapshot in found]
    return translate.to_list(complete, query.status, query.limit, call.base)


@both(router.get, ONE, summary="Read a story", response_model=StoryView, responses={304: UNCHANGED, **READS})
async def story(story_id: str, call: KeyedReader, if_none_match: Match = None) -> Response:
    """Return the story as it is now: its text as soon as it is written, its pictures as they are drawn."""
    return _fresh(await watching.look(story_id, call), translate.to_view, call, if_none_match)


@both(router.delete, ONE, summary="Delete an ended story", status_code=HTTPStatus.NO_CONTENT, responses=CHANGES)
async def delete(story_id: str, call: Keyed) -> None:
    """Remove the text, the pictures and their jobs for good. 409 while anything of it goes on."""
    found, engine = await watching.look(story_id, call), call.around.engine
    if not found.ended:
        raise Conflict("The story is still being made; cancel it first.")
    await engine.delete(call.owner, story_id, kind=KIND, group=await watching.album_of(story_id, call))


@both(
    router.get,
    f"{ONE}/images/status",
    summary="See how a story's pictures are getting on",
    response_model=ImagesView,
    responses={304: UNCHANGED, **READS},
)
async def images_status(story_id: str, call: KeyedReader, if_none_match: Match = None) -> Response:
    """Return what is there. It may be asked as often as one likes: nothing is drawn by it, and nothing written."""
    return _fresh(await watching.look(story_id, call), translate.to_images_view, call, if_none_match)


@both(
    router.get,
    f"{ONE}/images/stream",
    summary="Watch a story's pictures",
    responses={200: EVENTS, **READS},
    dependencies=[STREAM],
)
async def images_stream(story_id: str, call: KeyedReader) -> Response:
    """Send how the text is getting on, then every picture and its changes, and at the end `complete`. Connecting again starts afresh."""
    await call.around.engine.get(call.owner, story_id, kind=KIND)
    headers = {"X-Job-Id": story_id, "Location": urls(story_id, call.base)["self"]}
    return message_stream(watching.watch(story_id, call), headers)


@both(
    router.post,
    f"{ONE}/images/{{event_number}}/retry",
    summary="Draw a picture that failed again",
    response_model=ImagesView,
    responses={200: sends("ETag", "Retry-After"), **CHANGES},
)
async def retry_image(story_id: str, event_number: Number, call: Keyed) -> Response:
    """Open the next run of the picture's job, which has as long as a story. 409 unless it has failed or was cancelled."""
    found = await watching.look(story_id, call)
    picture = found.pictures.get(event_number)
    if picture is None:
        raise not_there(found, event_number)
    await call.around.engine.retry(call.owner, picture.job.id, time_of=PICTURES)
    return _fresh(await watching.look(story_id, call), translate.to_images_view, call, None)


@both(
    router.post,
    f"{ONE}/cancel",
    summary="Cancel a story",
    response_model=StoryView,
    responses={202: {"model": StoryView, "description": "Asked; some receipts are not there yet."}, **CHANGES},
)
async def cancel(story_id: str, call: Keyed) -> Response:
    """Cancel what has not ended: the text, or pictures; waits up to five seconds for the receipts. 409 with the story when all has ended."""
    found, engine = await watching.look(story_id, call), call.around.engine
    if found.ended:
        error = AlreadyTerminal("The story has already ended.")
        view = translate.to_view(found, call.base).model_dump(mode="json")
        return problem(error.code, error.message, story=view)
    with contextlib.suppress(AlreadyTerminal):
        await engine.cancel(call.owner, story_id, kind=KIND)
    album = await watching.album_of(story_id, call)
    if album is not None:
        with contextlib.suppress(AlreadyTerminal):
            await engine.groups.cancel(album)
    after = await watching.look(story_id, call)
    status = HTTPStatus.OK if after.ended else HTTPStatus.ACCEPTED
    return answer(translate.to_view(after, call.base), status=status)


@both(
    router.post,
    f"{ONE}/retry",
    summary="Write a story again whose text failed",
    response_model=StoryView,
    responses=CHANGES,
)
async def retry(story_id: str, call: Keyed) -> Response:
    """Open the next run of the story's job; what is written already is kept. 409 unless it has failed or was cancelled."""
    found = await watching.look(story_id, call)
    if found.job.status is Status.COMPLETED:
        raise Conflict("The text is there; pictures are drawn again one by one: images/{event_number}/retry/.")
    await call.around.engine.retry(call.owner, story_id, kind=KIND)
    return await _answer(story_id, call, {})


@both(router.post, f"{ONE}/ticket", summary="Get a ticket for a story", responses=TICKETS)
async def ticket(story_id: str, call: Keyed) -> TicketView:
    """Return a token with which anybody may read and watch this story and its pictures: `?ticket=` in its addresses."""
    return await job_ticket(story_id, call, KIND)


async def _answer(story_id: str, call: Keyed, headers: dict[str, str]) -> Response:
    return answer(translate.to_view(await watching.look(story_id, call), call.base), headers)


def _fresh(
    found: Story,
    to_answer: Callable[[Story, str], StoryView | ImagesView],
    call: KeyedReader | Keyed,
    match: str | None,
) -> Response:
    """Answer with what there is, unless the caller has it already."""
    again = {} if found.ended else {"Retry-After": "5"}
    headers = {"Cache-Control": "private, no-cache", "ETag": translate.etag(found), **again}
    if is_known(headers["ETag"], match):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return answer(to_answer(found, call.base), headers)
