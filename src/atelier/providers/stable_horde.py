"""Stable Horde (AI Horde): pictures drawn by volunteers; an order is placed, waited for and fetched, and can be found again."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from datetime import timedelta
from typing import Any, Final

from atelier import logs
from atelier.errors import (
    ProviderBadKey,
    ProviderError,
    ProviderInvalidRequest,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from atelier.jobs.ports import GIVEN_BACK, Clock
from atelier.pipelines.ports import Desk, GeneratedImage, ImageRequest, Offer, Terms
from atelier.providers import calls, faults, replies
from atelier.providers.calls import Answer, Line
from atelier.providers.downloads import Downloads
from atelier.providers.faults import Rule
from atelier.providers.likeness import RATIOS, STYLES, parted, size_for, worded
from atelier.providers.replies import Object
from atelier.providers.waits import retry_after

VENDOR = "Stable Horde"
ANONYMOUS = "0000000000"
MODEL = "AlbedoBase XL (SDXL)"
PER_MINUTE = 90
LARGEST_SEED = 4294967294
CALL_SECONDS, WITHDRAW_SECONDS = 30, 4
LEAST_PAUSE, MOST_PAUSE = 2.0, 5.0
"""Seconds between two looks at an order."""

IMPOSSIBLE_SECONDS = 60.0
"""How long an order is left that nobody can draw at present."""

MISSES = 5
"""So many polls in a row may go wrong; the order is none the worse for it."""

STEPS: Final = {"draft": 15, "standard": 25, "high": 35, "ultra": 40}
"""Forty is the most that anybody may ask without kudos."""

RULES: Final = (
    Rule(None, "InvalidAPIKey", ProviderBadKey, "does not know the key."),
    Rule(None, "AnonForbidden", ProviderBadKey, "does not draw this without a key of one's own."),
    Rule(None, "NotTrusted", ProviderBadKey, "does not draw this for this key."),
    Rule(None, "KudosUpfront", ProviderNoCredit, "draws this only for kudos that the key does not have."),
    Rule(None, "SharedKey", ProviderNoCredit, "draws no more for this shared key."),
    Rule(None, "TimeoutIP", ProviderRateLimited, "has shut out this address for a while."),
    Rule(None, "TooManyPrompts", ProviderRateLimited, "has as many orders of this key as it takes."),
    Rule(None, "MaintenanceMode", ProviderUnavailable, "is under maintenance."),
    Rule(None, "CorruptPrompt", ProviderRefused, "refused the prompt: its filter flagged it."),
    Rule(None, "Profanity", ProviderRefused, "refused the prompt: its filter flagged it."),
    Rule(None, "BannedClientAgent", ProviderInvalidRequest, "does not answer this client's name."),
    Rule(400, "", ProviderInvalidRequest, "did not take the request.", quoted=True),
)


class _Gone(Exception):
    """The order is no longer known, or failed: another one may fare better."""


class StableHorde:
    """`pipelines.ports.ImageProvider` that is the Horde. `timeout` is for the whole order, `contact` for whoever runs it."""

    name = "stable_horde"
    terms = Terms(
        abort="confirmed_by_provider",
        abort_billed="no",
        billed="no",
        prices=dict.fromkeys(STEPS, 0.0),
        reattaches=True,
    )

    def __init__(
        self,
        *,
        key: str,
        base_url: str,
        model: str,
        timeout: timedelta,
        contact: str,
        allow_private: bool,
        now: Clock,
    ) -> None:
        self._key, self._timeout, self._now = key, timeout, now
        self._model = model or MODEL
        self._base = calls.address(base_url, "/api/v2")
        self._line = Line(VENDOR, timeout=timedelta(seconds=CALL_SECONDS))
        self._downloads = Downloads(self._line, base_url, allow_private=allow_private)
        self._named = {"Client-Agent": f"atelier:0.1.0:{contact}"}
        self._withdrawals: set[asyncio.Task[None]] = set()
        self.offer = Offer(
            models=(self._model,),
            styles=tuple(STYLES),
            aspect_ratios=RATIOS,
            qualities=tuple(STEPS),
            formats=("webp",),
            per_minute=PER_MINUTE,
        )

    async def ping(self) -> None:
        """Ask who the key belongs to."""
        headers = {"apikey": self._key, **self._named}
        answer = await self._line.call("GET", f"{self._base}/find_user", headers=headers, paid=False)
        if answer.status == 404:  # noqa: PLR2004 - nobody
            raise ProviderBadKey(f"{VENDOR} does not know the key.")
        if answer.status != 200:  # noqa: PLR2004 - somebody
            raise self._fault(answer)

    async def close(self) -> None:
        """Close the connections, when no order is being withdrawn any more."""
        if self._withdrawals:
            await asyncio.wait(self._withdrawals)
        await self._line.close()

    async def generate(self, request: ImageRequest, desk: Desk) -> GeneratedImage:
        """Wait for the order that was placed before, if it is still there; else place one, and wait for that.

        Cancelled, the order is withdrawn, unless another attempt is to go on with it.
        """
        if request.order_id is not None:
            try:
                return await self._await(request.order_id, request, desk)
            except _Gone:
                logs.info("order_gone", provider=self.name)
        order_id = await self._place(request)
        try:
            await desk.placed(order_id)
        except BaseException:
            await self._withdraw(order_id)
            raise
        try:
            return await self._await(order_id, request, desk)
        except _Gone as gone:
            raise ProviderUnavailable(str(gone)) from gone

    async def _await(self, order_id: str, request: ImageRequest, desk: Desk) -> GeneratedImage:
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await self._until_done(order_id, desk)
                return await self._fetch(order_id, request)
        except TimeoutError as error:
            await self._withdraw(order_id)
            seconds = self._timeout.total_seconds()
            raise ProviderUnavailable(f"{VENDOR} did not draw the picture within {seconds:g} seconds.") from error
        except asyncio.CancelledError as cancelled:
            if GIVEN_BACK not in cancelled.args:
                await self._withdraw(order_id)
            raise

    async def _place(self, request: ImageRequest) -> str:
        headers = {"apikey": self._key, **self._named}
        url, order = f"{self._base}/generate/async", self._order(request)
        answer = await self._line.call("POST", url, headers=headers, body=order, paid=False)
        order_id = replies.as_object(answer.json()).get("id")
        if answer.status >= calls.WRONG:
            raise self._fault(answer)
        if not isinstance(order_id, str) or not re.fullmatch(r"[\w-]{1,100}", order_id):
            raise ProviderUnavailable(f"{VENDOR} took the order, or not: its answer cannot be read.")
        return order_id

    def _order(self, request: ImageRequest) -> dict[str, Any]:
        width, height = size_for(self._model, request.aspect_ratio)
        seed = request.seed if request.seed is not None else secrets.randbelow(LARGEST_SEED + 1)
        params = {
            "sampler_name": "k_euler_a",
            "cfg_scale": 7.5,
            "steps": STEPS[request.quality],
            "width": width,
            "height": height,
            "n": 1,
            "seed": str(seed),
            "karras": True,
            "post_processing": [],
        }
        wishes = {"nsfw": False, "censor_nsfw": True, "trusted_workers": False, "slow_workers": True, "r2": True}
        more = {"shared": False, "replacement_filter": True, "dry_run": False}
        return {
            "prompt": parted(worded(request.prompt, request.style), request.negative_prompt),
            "params": params,
            "models": [self._model],
            **wishes,
            **more,
        }

    async def _until_done(self, order_id: str, desk: Desk) -> None:
        """Look again and again, telling the desk what the queue looks like. Raises _Gone and ProviderUnavailable."""
        misses, impossible = 0, 0.0
        while True:
            try:
                view = await self._look(f"{self._base}/generate/check/{order_id}")
                misses = 0
            except (ProviderUnavailable, ProviderRateLimited) as error:
                misses += 1
                if misses >= MISSES:
                    raise
                await asyncio.sleep(max(MOST_PAUSE, (error.retry_after or timedelta()).total_seconds()))
                continue
            if view.get("faulted"):  # first: what failed is done, too
                raise _Gone(f"{VENDOR} could not draw the picture.")
            if view.get("done"):
                return
            pause = self._tell(view, desk)
            impossible = impossible + pause if view.get("is_possible") is False else 0.0
            if impossible > IMPOSSIBLE_SECONDS:
                await self._withdraw(order_id)
                raise _Gone(f"Nobody at {VENDOR} draws with {self._model} at the moment.")
            await asyncio.sleep(pause)

    def _tell(self, view: Object, desk: Desk) -> float:
        """Tell the desk where the order stands; the seconds until the next look."""
        wait = _count(view, "wait_time")
        if _count(view, "processing"):
            desk.queued(None, timedelta(seconds=wait))
        else:
            desk.queued(_count(view, "queue_position"), timedelta(seconds=wait))
        return min(MOST_PAUSE, max(LEAST_PAUSE, wait / 10))

    async def _fetch(self, order_id: str, request: ImageRequest) -> GeneratedImage:
        """Fetch the picture. Its status may be asked for ten times a minute only: once is enough."""
        view = await self._look(f"{self._base}/generate/status/{order_id}")
        made = next(iter(replies.objects(view, "generations")), None)
        if made is None:
            raise _Gone(f"{VENDOR} finished the order without a picture.")
        if _is_censored(made):
            raise ProviderRefused(f"{VENDOR} censored the picture: whoever drew it took it for unfit.")
        seed = replies.seed(made.get("seed"))
        return GeneratedImage(
            data=await self._data(made.get("img")),
            provider=self.name,
            model=str(made.get("model") or self._model)[:100],
            seed=seed if seed is not None else request.seed,
            cost=0.0,
        )

    async def _data(self, picture: object) -> bytes:
        """Return the picture's bytes: they stand in the answer, or at an address that gets no key."""
        if isinstance(picture, str) and picture.startswith(("https://", "http://")):
            return await self._downloads.fetch(picture)
        data = replies.decoded(picture)
        if not data:
            raise _Gone(f"{VENDOR} finished the order without a picture.")
        return data

    async def _look(self, url: str) -> Object:
        """Ask for an order; no key is needed. Raises _Gone where there is none any more."""
        answer = await self._line.call("GET", url, headers=self._named, paid=False)
        if answer.status in {404, 410}:
            raise _Gone(f"{VENDOR} no longer knows the order: it waited too long.")
        if answer.status >= calls.WRONG:
            raise self._fault(answer)
        view = replies.as_object(answer.json())
        if "done" not in view:
            raise ProviderUnavailable(f"{VENDOR} says about the order what cannot be read.")
        return view

    async def _withdraw(self, order_id: str) -> None:
        """Cancel an order, whatever happens meanwhile to whom it is for. Raises nothing."""
        withdrawal = asyncio.create_task(self._delete(order_id))
        self._withdrawals.add(withdrawal)
        withdrawal.add_done_callback(self._withdrawals.discard)
        await asyncio.shield(withdrawal)

    async def _delete(self, order_id: str) -> None:
        url, confirmed = f"{self._base}/generate/status/{order_id}", False
        with contextlib.suppress(ProviderError, TimeoutError):
            async with asyncio.timeout(WITHDRAW_SECONDS):
                answer = await self._line.call("DELETE", url, headers=self._named, paid=False)
                confirmed = answer.status < calls.WRONG
        logs.info("order_withdrawn", provider=self.name, confirmed=confirmed)

    def _fault(self, answer: Answer) -> ProviderError:
        body = replies.as_object(answer.json())
        return faults.judged(
            RULES,
            vendor=VENDOR,
            status=answer.status,
            mark=str(body.get("rc", "")),
            said=faults.told(body.get("message"), self._key),
            wait=retry_after(answer.headers, self._now()),
        )


def _count(view: Object, name: str) -> int:
    found = view.get(name)
    return int(min(max(found, 0), 86400)) if isinstance(found, int | float) else 0


def _is_censored(made: Object) -> bool:
    """Whether what was sent is a placeholder; the old fields say so, the newer ones, or both."""
    marks = {str(entry.get("type")) for entry in replies.objects(made, "gen_metadata")}
    return bool(made.get("censored")) or made.get("state") in {"censored", "csam"} or "censorship" in marks
