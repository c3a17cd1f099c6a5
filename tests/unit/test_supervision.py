"""What a run is watched with: a bell for several futures."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from atelier.jobs.supervision import Bell

LONG = 60.0


def future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("done", range(3))
async def test_it_rings_for_whichever_is_done(done: int) -> None:
    futures = [future() for _ in range(3)]
    bell = Bell(*futures)
    waiting = asyncio.create_task(bell.wait(LONG))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    futures[done].set_result(None)
    await asyncio.wait_for(waiting, 5)


async def test_it_rings_for_what_was_done_before() -> None:
    done = future()
    done.set_result(None)
    await asyncio.wait_for(Bell(done, future()).wait(LONG), 5)


async def test_what_is_done_while_nobody_waits_is_heard_by_the_next() -> None:
    first, second = future(), future()
    bell = Bell(first, second)
    first.set_result(None)
    await asyncio.wait_for(bell.wait(LONG), 5)
    second.cancel()
    await asyncio.sleep(0.01)
    await asyncio.wait_for(bell.wait(LONG), 5)


async def test_a_wait_ends_and_the_next_one_waits_again() -> None:
    bell, loop = Bell(future()), asyncio.get_running_loop()
    for _ in range(2):
        began = loop.time()
        await asyncio.wait_for(bell.wait(0.05), 5)
        assert loop.time() - began >= 0.04
    await bell.wait(0)


async def test_a_ring_is_heard_once() -> None:
    done = future()
    bell = Bell(done)
    done.set_result(None)
    await bell.wait(LONG)
    again = asyncio.create_task(bell.wait(LONG))
    await asyncio.sleep(0.01)
    assert not again.done()
    again.cancel()


async def test_a_future_that_lives_longer_keeps_no_bell() -> None:
    lives = future()
    bell = Bell(lives)
    gone = weakref.ref(bell)
    bell.take_down()
    gc.disable()
    try:
        del bell
        assert gone() is None
    finally:
        gc.enable()


async def test_a_wait_that_is_given_up_leaves_no_timer() -> None:
    bell = Bell(future())
    waiting = asyncio.create_task(bell.wait(0.05))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    await asyncio.sleep(0.1)
    later = asyncio.create_task(bell.wait(LONG))
    await asyncio.sleep(0.01)
    assert not later.done()
    later.cancel()
