"""Looking at a story, once or for as long as it goes on: its job, then its pictures. Never writes, never asks a provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from atelier.api.deps import Call
from atelier.api.stories import translate
from atelier.api.stories.seen import Story
from atelier.api.streams import Message
from atelier.jobs.groups import Group
from atelier.jobs.models import Snapshot
from atelier.pipelines.story.models import KIND, PICTURES


async def album_of(story_id: str, call: Call) -> Group | None:
    """Return the group of a story's pictures; None where none is ordered."""
    return await call.around.engine.groups.of_key(call.owner, PICTURES, story_id)


async def look(story_id: str, call: Call) -> Story:
    """Return a story as it is now. Raises NotFound."""
    return await complete(await call.around.engine.get(call.owner, story_id, kind=KIND), call)


async def complete(snapshot: Snapshot, call: Call) -> Story:
    """Return a story with its pictures."""
    engine, job = call.around.engine, snapshot.job
    album = await album_of(job.id, call) if job.tags.get("illustrated") == "yes" else None
    members = await engine.groups.members(album) if album is not None else []
    jobs = [job, *(member.job for member in members)]
    outlooks = {each.id: await engine.outlook(each) for each in jobs}
    return Story(
        snapshot=snapshot, album=album, pictures={each.job.place + 1: each for each in members}, outlooks=outlooks
    )


async def wait(story_id: str, longest: timedelta, call: Call) -> None:
    """Wait until everything of a story has ended, no longer than `longest`."""
    engine, until = call.around.engine, asyncio.get_running_loop().time() + longest.total_seconds()
    await engine.wait(story_id, longest)
    album = await album_of(story_id, call)
    left = until - asyncio.get_running_loop().time()
    if album is not None and left > 0:
        await engine.groups.wait(album.id, timedelta(seconds=left))


async def watch(story_id: str, call: Call) -> AsyncIterator[Message | None]:
    """Yield how the text is getting on, then each picture and its changes, then how all ended, and None.

    What would look as it did before is left out: an attempt that begins again where the last one was, say.
    """
    told: dict[int | None, Message] = {}
    async for message in _watch(story_id, call):
        of = message.get("event_number") if message is not None else None
        if message is None or told.get(of) != message:
            yield message
        if message is not None:
            told[of] = message


async def _watch(story_id: str, call: Call) -> AsyncIterator[Message | None]:
    engine = call.around.engine
    ended = False
    async for update in engine.follow(story_id):
        ended = update.job.status.terminal
        if not ended:
            yield translate.to_progress(update)
    if not ended:
        return
    album = await album_of(story_id, call)
    if album is not None:
        over = False
        async for change in engine.groups.follow(album.id):
            over = change is None
            if change is not None:
                one = Snapshot(job=change.job, result=change.result)
                yield translate.to_picture_message(one, call.base)
        if not over:
            return
    yield translate.to_last_message(await look(story_id, call), call.base)
    yield None
