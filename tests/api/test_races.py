"""A cancel and a completion that come at the same moment: one of them wins, and everybody is told the same."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.images import NOOP, ROOT, events_of, submit
from tests.live import Live

ROUNDS, AT_ONCE = 25, 4


async def race(live: Live, delay: float) -> str:
    """Cancel a job that is about to complete, after so many seconds; how it ended."""
    job_id = await submit(live, NOOP)
    watching = asyncio.create_task(live.client.get(f"{ROOT}/jobs/{job_id}/stream"))
    await asyncio.sleep(delay)
    answer = await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")
    told: dict[str, Any] = answer.json()
    job: dict[str, Any] = (await live.client.get(f"{ROOT}/jobs/{job_id}")).json()
    seen = [event["status"] for _, event in events_of((await watching).text)]
    assert seen[-1] == job["status"]
    ends = [record["status"] for record in job["progress_updates"] if record["status"] in {"completed", "cancelled"}]
    assert ends == [job["status"]]
    if answer.status_code == 409:
        assert (told["code"], told["job"]["status"], job["status"]) == ("already_terminal", "completed", "completed")
        assert job["cancellation"] is None
    else:
        assert (answer.status_code, told["status"], job["status"]) == (200, "cancelled", "cancelled")
        assert job["result"] is None
    again = await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")
    assert again.status_code == 409
    return str(job["status"])


async def test_of_cancel_and_complete_exactly_one_wins(live: Live) -> None:
    """The delay follows the outcome, so that the two stay close and each wins now and then."""
    delay, wins = 0.02, {"completed": 0, "cancelled": 0}
    for _ in range(ROUNDS):
        for winner in await asyncio.gather(*(race(live, delay) for _ in range(AT_ONCE))):
            wins[winner] += 1
            delay *= 0.94 if winner == "completed" else 1.06
    assert min(wins.values()) >= 3, wins
