"""Jobs at providers who want money: what is told, what is kept, what is never done twice."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from tests.history import picture_of
from tests.images import ROOT, ended, stream, submit
from tests.live import Live, Serve
from tests.vendors import PAID, Vendor

from atelier.errors import (
    AtelierError,
    MaybeCharged,
    ProviderBadKey,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest
from atelier.providers.pool import ImageKey, Key, fingerprint
from atelier.providers.rings import Allowance
from atelier.settings import Settings
from atelier.wiring import build_adapters

HILL: dict[str, Any] = {"prompt": "A hill"}


class Painter(Vendor):
    """A vendor whose calls do what the list says, one after the other, and at last draw; None draws, bytes are sent."""

    def __init__(self, name: str, key: str, *script: AtelierError | bytes | None) -> None:
        super().__init__(name, key, [])
        self._script = list(script)
        self.stalls = False
        self.drawing = asyncio.Event()

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:
        self.requests.append(request)
        if self.stalls:
            desk.queued(7, timedelta(seconds=90))
            self.drawing.set()
            await asyncio.Event().wait()
        if self.terms.reattaches and request.order_id is None:
            await desk.placed("o-1")
        did = self._script.pop(0) if self._script else None
        if isinstance(did, AtelierError):
            raise did
        data = did if did is not None else picture_of(request.prompt)
        return GeneratedImage(data=data, provider=self.name, model="m", seed=request.seed or 5, cost=0.04)


def plain(colour: tuple[int, int, int]) -> bytes:
    """Return a picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    return file.getvalue()


@asynccontextmanager
async def served(serve: Serve, data: Path, *painters: Painter, rpm: int = 60, **settings: Any) -> AsyncIterator[Live]:
    """Serve with these painters; those of one name are keys of one pool."""
    adapters = await asyncio.to_thread(build_adapters, Settings(data_dir=data))
    keys: dict[str, tuple[ImageKey, ...]] = {}
    for number, painter in enumerate(painters):
        key = Key(
            alias=f"k{number}",
            fingerprint=fingerprint(painter._key),
            bucket=None,
            quota=painter._key,
            allowance=Allowance(bucket=f"q{number}", starts=rpm),
            provider=painter,
        )
        keys[painter.name] = (*keys.get(painter.name, ()), replace(key, quota=f"q{number}"))
    providers = {painter.name: painter for painter in painters}
    adapters = replace(adapters, image_providers=providers, image_keys=keys)
    async with serve(adapters=adapters, **{"retry_base_seconds": 0.05, **settings}) as live:
        yield live


async def drawn(live: Live, **fields: Any) -> dict[str, Any]:
    return await ended(live, await submit(live, HILL | fields))


async def dequeued(live: Live, job_id: str) -> tuple[str, str]:
    """Cancel a job that waits for another attempt; what its receipt says."""
    async with asyncio.timeout(60):
        while (await live.client.get(f"{ROOT}/jobs/{job_id}")).json()["state_reason"] != "retrying":
            await asyncio.sleep(0.05)
    receipt = (await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")).json()["cancellation"]
    return receipt["outcome"], receipt["billed"]


async def providers(live: Live) -> dict[str, dict[str, Any]]:
    answer = (await live.client.get(f"{ROOT}/providers")).json()
    return {each["name"]: each for each in answer["providers"]}


async def test_a_lost_order_is_told_and_another_is_the_last(serve: Serve, tmp_path: Path) -> None:
    painter = Painter("gemini", "k", MaybeCharged("Lost."))
    async with served(serve, tmp_path / "data", painter) as live:
        job = await drawn(live)
        assert (job["status"], job["cost"], len(painter.requests)) == ("completed", 0.04, 2)
        (warning,) = job["warnings"]
        assert warning == "An order with gemini in attempt 1 brought no picture; it may have been charged."
        painter._script = [MaybeCharged("Lost."), MaybeCharged("Lost.")]
        job = await drawn(live)
        assert (job["status"], job["error_code"], len(painter.requests)) == ("failed", "maybe_charged", 4)
        assert len(job["warnings"]) == 2
        await drawn(live)
        painter._script = [MaybeCharged("Lost.")]
        await live.client.post(f"{ROOT}/jobs/{job['job_id']}/retry")
        again = await ended(live, job["job_id"])
        assert (again["status"], len(painter.requests)) == ("completed", 7), "who asks for it himself gets two more"


async def test_another_format_than_was_asked_for_is_told(serve: Serve, tmp_path: Path) -> None:
    async with served(serve, tmp_path / "data", Painter("gemini", "k")) as live:
        came = (await drawn(live))["result"]["images"][0]["format"]
        other = "webp" if came != "webp" else "png"
        job = await drawn(live, output_format=other)
        assert (job["status"], job["warnings"]) == ("completed", [f"gemini sent {came}, not {other}."])
        assert job["result"]["images"][0]["format"] == came


async def test_a_useless_picture_is_tried_with_another_seed_then_with_the_next(serve: Serve, tmp_path: Path) -> None:
    """What was charged for useless pictures stands in the cost; every one is told of."""
    garbage = b"This is not a picture."
    one, two = Painter("gemini", "k", garbage, garbage), Painter("stability_ai", "s")
    async with served(serve, tmp_path / "data", one, two) as live:
        job = await drawn(live, seed=8)
        assert [request.seed for request in (*one.requests, *two.requests)] == [8, 9, 9]
        assert (job["status"], job["result"]["provider"], job["cost"]) == ("completed", "stability_ai", 0.12)
        thrown = "A picture of gemini was thrown away: What the provider sent is not a complete picture."
        assert job["warnings"] == [thrown]
        one._script = [garbage] * 2
        job = await drawn(live, provider="gemini")
        assert (job["status"], job["error_code"], job["cost"]) == ("failed", "invalid_image", 0.08)
        assert len(two.requests) == 1, "a named provider is used alone"
        one._script, two._script = [garbage] * 2, [garbage]
        job = await drawn(live)
        assert (job["status"], job["error_code"], job["cost"]) == ("failed", "invalid_image", 0.12)
        assert job["error_message"] == "What the provider sent is not a complete picture.", (
            "not that nobody is left to be asked"
        )


async def test_what_is_no_picture_of_what_was_asked_for_is_not_taken_for_one(serve: Serve, tmp_path: Path) -> None:
    """Black, one colour, another shape, cut off: each is thrown away and the next one taken."""
    useless = (plain((0, 0, 0)), plain((200, 30, 30)), picture_of("wide", wide=2), picture_of("A hill")[:-5])
    painter = Painter("gemini", "k")
    async with served(serve, tmp_path / "data", painter) as live:
        for number, bad in enumerate(useless, start=1):
            painter._script = [bad]
            job = await drawn(live)
            assert (job["status"], job["cost"], len(job["warnings"])) == ("completed", 0.08, 1)
            assert len(painter.requests) == 2 * number


async def test_the_evidence_stands_with_the_picture(serve: Serve, tmp_path: Path) -> None:
    async with served(serve, tmp_path / "data", Painter("gemini", "k", picture_of("x") + b"behind")) as live:
        (picture,) = (await drawn(live))["result"]["images"]
        checks = {check["name"]: check for check in picture["validation"]["checks"]}
        assert picture["validation"]["verdict"] == "passed"
        assert list(checks) == ["type", "pixels", "decodes", "complete", "content", "ratio"]
        assert checks["complete"]["detail"] == "6 bytes behind its end were cut"
        assert (await live.client.get(picture["image_url"])).content == picture_of("x")
        wide = await drawn(live, aspect_ratio="16:9")
        assert wide["status"] == "completed", "a ratio the provider has not is its own affair"


async def test_what_the_first_cannot_do_the_next_does_and_says_so(serve: Serve, tmp_path: Path) -> None:
    one, two = Painter("gemini", "k", ProviderUnavailable("It is down.")), Painter("stability_ai", "s")
    async with served(serve, tmp_path / "data", one, two) as live:
        job = await drawn(live)
        assert job["result"]["provider"] == job["result"]["images"][0]["provider"] == "stability_ai"
        assert job["warnings"] == ["gemini was passed over: It is down."]
        one._script = [ProviderRefused("No.")]
        assert (await drawn(live))["error_code"] == "provider_refused"
        assert len(two.requests) == 1


async def test_a_job_whose_keys_all_rest_waits_and_says_until_when(serve: Serve, tmp_path: Path) -> None:
    limited = ProviderRateLimited("Slowly.", retry_after=timedelta(seconds=3))
    one, two = Painter("gemini", "k1", limited), Painter("gemini", "k2", limited)
    async with served(serve, tmp_path / "data", one, two) as live:
        job_id = await submit(live, HILL)
        async with asyncio.timeout(60):
            while (job := (await live.client.get(f"{ROOT}/jobs/{job_id}")).json())["state_reason"] != "waiting_for_key":
                await asyncio.sleep(0.05)
        assert (job["status"], job["attempt"]) == ("queued", 0)
        assert job["resume_at"] > job["updated_at"]
        keys = (await providers(live))["gemini"]["keys"]
        assert [(key["alias"], key["state"]) for key in keys] == [("k0", "resting"), ("k1", "resting")]
        job = await ended(live, job_id)
        assert (job["status"], job["attempt"], job["warnings"]) == ("completed", 1, [])
        assert len(one.requests) + len(two.requests) == 3


async def test_more_than_the_limit_is_waited_for_not_tried(serve: Serve, tmp_path: Path) -> None:
    painter = Painter("gemini", "k")
    async with served(serve, tmp_path / "data", painter, rpm=2) as live:
        jobs = [await submit(live, HILL | {"prompt": f"Hill {number}"}) for number in range(4)]
        for job_id in jobs[:2]:
            assert (await ended(live, job_id))["status"] == "completed"
        waiting = (await live.client.get(f"{ROOT}/jobs/{jobs[3]}")).json()
        assert (waiting["status"], waiting["state_reason"]) == ("queued", "rate_limited")
        assert len(painter.requests) == 2


async def test_keys_that_are_of_no_use_fail_the_job_by_their_own_name(serve: Serve, tmp_path: Path) -> None:
    painter = Painter("gemini", "k", ProviderNoCredit("The account is empty."))
    async with served(serve, tmp_path / "data", painter) as live:
        job = await drawn(live)
        assert (job["status"], job["error_code"]) == ("failed", "provider_no_credit")
    other = Painter("gemini", "another", ProviderBadKey("It does not know the key."))
    async with served(serve, tmp_path / "data", other) as live:
        for _ in range(2):
            assert (await drawn(live))["error_code"] == "provider_bad_key"
        assert len(other.requests) == 1, "it left the pool"
        (key,) = (await providers(live))["gemini"]["keys"]
        assert (key["state"], key["until"], key["why"]) == ("bad", None, "It does not know the key.")


async def test_a_cancel_s_receipt_is_the_provider_s_terms(serve: Serve, tmp_path: Path) -> None:
    painter = Painter("gemini", "k")
    painter.stalls = True
    async with served(serve, tmp_path / "data", painter) as live:
        listed = (await providers(live))["gemini"]
        assert listed["cancel"] == {"outcome": "provider_cannot_cancel", "billed": "unknown"}
        assert listed["prices"] == PAID.prices
        job_id = await submit(live, HILL)
        await painter.drawing.wait()
        receipt = (await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")).json()["cancellation"]
        assert {name: receipt[name] for name in ("outcome", "billed")} == listed["cancel"]


async def test_a_waiting_job_s_receipt_knows_what_was_spent(serve: Serve, tmp_path: Path) -> None:
    """Cancelled between two attempts: the first order may have been charged."""
    painter = Painter("gemini", "k", MaybeCharged("Lost."))
    async with served(serve, tmp_path / "data", painter, retry_base_seconds=30) as live:
        job_id = await submit(live, HILL)
        assert await dequeued(live, job_id) == ("dequeued", "unknown")


async def test_an_order_that_is_still_there_is_waited_for_and_may_cost(serve: Serve, tmp_path: Path) -> None:
    painter = Painter("gemini", "k", MaybeCharged("Lost."), ProviderUnavailable("Down."))
    painter.terms = replace(PAID, reattaches=True, abort_billed="no")
    async with served(serve, tmp_path / "data", painter) as live:
        job = await drawn(live)
        assert (job["status"], job["warnings"]) == ("completed", [])
        assert [request.order_id for request in painter.requests] == [None, "o-1", None], "one that failed is given up"
        painter.requests.clear()
        painter._script = [MaybeCharged("Lost."), b"This is not a picture."]
        job = await drawn(live)
        assert (job["status"], job["cost"]) == ("completed", 0.08)
        assert [request.order_id for request in painter.requests] == [None, "o-1", None], (
            "nor is a useless one asked for again"
        )
    painter._script = [MaybeCharged("Lost.")]
    async with served(serve, tmp_path / "data", painter, retry_base_seconds=30) as live:
        job_id = await submit(live, HILL)
        assert await dequeued(live, job_id) == ("dequeued", "unknown")


async def test_a_place_in_the_provider_s_queue_is_shown(serve: Serve, tmp_path: Path) -> None:
    painter = Painter("stable_horde", "k")
    painter.stalls = True
    async with served(serve, tmp_path / "data", painter) as live:
        job_id = await submit(live, HILL)
        async with asyncio.timeout(60):
            while (job := (await live.client.get(f"{ROOT}/jobs/{job_id}")).json())["state_reason"] != "provider_queued":
                await asyncio.sleep(0.05)
        assert job["status"] == "processing"
        assert job["queue"] == {"position": None, "ahead": None, "provider_position": 7}
        assert job["eta"]["p50"] >= 90
        assert job["message"] == "Waiting in the provider's queue: place 7"
        assert (job["step"], job["total_steps"]) == (None, None)
        cancelled = (await live.client.post(f"{ROOT}/jobs/{job_id}/cancel")).json()
        assert (cancelled["status"], cancelled["state_reason"], cancelled["queue"]) == ("cancelled", None, None)


async def test_health_is_what_all_processes_saw(serve: Serve, tmp_path: Path) -> None:
    painter = Painter("gemini", "k", None, ProviderRefused("No."), ProviderUnavailable("Down."))
    async with served(serve, tmp_path / "data", painter, max_attempts=1) as live:
        for state in ("ok", "ok", "failing"):
            await drawn(live)
            assert (await providers(live))["gemini"]["health"]["state"] == state
    async with served(serve, tmp_path / "data", Painter("gemini", "k")) as live:
        health = (await providers(live))["gemini"]["health"]
        assert (health["state"], health["failure"]) == ("failing", "provider_unavailable"), "another process reads it"


async def test_the_end_s_event_fits_with_all_that_is_told(serve: Serve, tmp_path: Path) -> None:
    one, two = Painter("gemini", "k", ProviderUnavailable("Down. " * 40)), Painter("stability_ai", "s")
    async with served(serve, tmp_path / "data", one, two) as live:
        number, last = (await stream(live, HILL))[-1]
        assert (number > 0, last["stage"]) == (True, "completed")
        assert last["data"]["result"]["images"][0]["image_url"]
