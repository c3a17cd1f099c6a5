"""Tavily: a search engine for machines, which brings the pages' text along."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from atelier.errors import (
    ProviderBadKey,
    ProviderError,
    ProviderInvalidRequest,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderUnavailable,
)
from atelier.jobs.ports import Clock
from atelier.pipelines.sources import Findings
from atelier.providers import calls, faults, replies
from atelier.providers.calls import Answer, Line
from atelier.providers.faults import Rule
from atelier.providers.findings import Row, asked, findings
from atelier.providers.replies import Object
from atelier.providers.waits import retry_after

VENDOR = "Tavily"
OK = 200
LONGEST_QUERY: Final = 399
MOST_RESULTS: Final = 20
DEPTH: Final = "basic"
CREDITS: Final = 1
"""What a search of that depth takes where the answer does not say."""

DOLLARS_A_CREDIT: Final = 0.008
"""Without a plan; a thousand credits a month are free, plans are cheaper."""

PRICES_AS_OF: Final = date(2026, 11, 20)

RULES: Final = (
    Rule(401, "", ProviderBadKey, "does not know the key."),
    Rule(403, "", ProviderNoCredit, "does not let this key search: its plan does not allow it, or is used up."),
    Rule(432, "", ProviderNoCredit, "has no credits left in this key's plan."),
    Rule(433, "", ProviderNoCredit, "has reached the limit of what this account pays as it goes."),
    Rule(429, "", ProviderRateLimited, "takes no more searches for now."),
    Rule(404, "", ProviderInvalidRequest, "has nothing at this address; check its address."),
    Rule(400, "", ProviderInvalidRequest, "did not take the search.", quoted=True),
)


class Tavily:
    """`pipelines.sources.SearchProvider` that is Tavily."""

    name = "tavily"

    def __init__(self, *, key: str, base_url: str, timeout: timedelta, now: Clock) -> None:
        self._key, self._now = key, now
        self._base = calls.address(base_url, "")
        self._line = Line(VENDOR, timeout=timeout)
        self._headers = {"authorization": f"Bearer {key}"}

    async def search(self, query: str, *, most: int) -> Findings:
        """Return results with their pages' Markdown, where Tavily has read them. Raises ProviderError."""
        body = {
            "query": asked(query, LONGEST_QUERY),
            "search_depth": DEPTH,
            "max_results": min(max(most, 1), MOST_RESULTS),
            "include_raw_content": "markdown",
            "include_usage": True,
        }
        answer = await self._line.call("POST", f"{self._base}/search", headers=self._headers, body=body, paid=False)
        reply = self._read(answer)
        if not isinstance(reply.get("results"), list):
            raise ProviderUnavailable(f"{VENDOR} answered without results.")
        rows = [_row(result) for result in replies.objects(reply, "results")]
        return await findings(query, self.name, rows, most=most, cost=_credits(reply) * DOLLARS_A_CREDIT)

    async def ping(self) -> None:
        """Ask for the account's usage, which costs nothing. Raises ProviderError."""
        answer = await self._line.call("GET", f"{self._base}/usage", headers=self._headers, paid=False)
        reply = self._read(answer)
        key, account = replies.member(reply, "key"), replies.member(reply, "account")
        plan, more = _left(account, "plan_usage", "plan_limit"), _left(account, "paygo_usage", "paygo_limit")
        if _left(key, "usage", "limit") == 0 or (plan == 0 and not more):
            raise ProviderNoCredit(f"{VENDOR} has no credits left for this key.")

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    def _read(self, answer: Answer) -> Object:
        reply = replies.as_object(answer.json())
        if answer.status != OK:
            raise self._fault(answer, reply)
        return reply

    def _fault(self, answer: Answer, reply: Object) -> ProviderError:
        said = replies.text(replies.member(reply, "detail"), "error") or replies.text(reply, "detail")
        return faults.judged(
            RULES,
            vendor=VENDOR,
            status=answer.status,
            mark="",
            said=faults.told(said, self._key),
            wait=retry_after(answer.headers, self._now()),
        )


def _row(result: Object) -> Row:
    return Row(
        url=replies.text(result, "url"),
        title=replies.text(result, "title"),
        snippet=replies.text(result, "content"),
        content=replies.text(result, "raw_content"),
    )


def _credits(reply: Object) -> float:
    told = replies.member(reply, "usage").get("credits")
    return float(told) if isinstance(told, int | float) and told >= 0 else CREDITS


def _left(of: Object, used: str, limit: str) -> float | None:
    """Return what is left of a limit, not below 0; None where there is none, or it is not told."""
    usage, most = of.get(used), of.get(limit)
    if not isinstance(usage, int | float) or not isinstance(most, int | float):
        return None
    return max(most - usage, 0)
