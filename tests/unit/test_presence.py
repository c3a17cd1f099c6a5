"""Which processes have ended."""

from __future__ import annotations

import asyncio
import errno
import signal
import sys
from pathlib import Path

import pytest

from atelier.errors import StorageError
from atelier.queues.presence import DiskPresence

BE_PRESENT = """
import asyncio, pathlib, sys, time
from atelier.queues.presence import DiskPresence
presence = DiskPresence(pathlib.Path(sys.argv[1]))
asyncio.run(presence.open())
print(presence.name, flush=True)
time.sleep(60)
"""


async def test_a_process_is_gone_when_it_was_killed_and_not_when_it_is_stopped(tmp_path: Path) -> None:
    here = DiskPresence(tmp_path)
    await here.open()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BE_PRESENT, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    name = (await process.stdout.readline()).decode().strip()
    assert await here.gone() == frozenset()
    process.send_signal(signal.SIGSTOP)
    assert await here.gone() == frozenset()
    process.kill()
    await process.wait()
    assert await here.gone() == {name}
    await here.forget(name)
    assert await here.gone() == frozenset()
    await here.close()


async def test_who_leaves_in_order_leaves_nothing(tmp_path: Path) -> None:
    one, two = DiskPresence(tmp_path), DiskPresence(tmp_path)
    await one.open()
    await two.open()
    assert await one.gone() == frozenset()
    await two.close()
    assert await one.gone() == frozenset()
    await one.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_cannot_be_written_is_said_and_holds_up_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = DiskPresence(tmp_path)
    await here.open()

    def refuse(_: Path, *, missing_ok: bool) -> None:  # noqa: ARG001 - as it is asked
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", refuse)
        with pytest.raises(StorageError, match="cannot be written"):
            await here.forget("somebody")
        await here.close()
    other = DiskPresence(tmp_path)
    await other.open()
    assert await other.gone() == {here.name}
    await other.close()
