"""SearXNG: a search engine that asks others, mostly one's own; it costs nothing and needs no key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from atelier.errors import ProviderError, ProviderInvalidRequest, ProviderRateLimited, ProviderUnavailable
from atelier.jobs.ports import Clock
from atelier.pipelines.sources import Findings
from atelier.providers import calls, faults, replies
from atelier.providers.calls import Answer, Line
from atelier.providers.faults import Rule
from atelier.providers.findings import Row, asked, findings
from atelier.providers.replies import Object
from atelier.providers.waits import retry_after

VENDOR = "SearXNG"
OK, BAD_REQUEST = 200, 400
LONGEST_QUERY: Final = 400
"""Its engines take no more."""

NO_JSON = "does not answer in JSON: add json to search.formats in its settings.yml."
RULES: Final = (
    Rule(403, "", ProviderInvalidRequest, NO_JSON),
    Rule(429, "", ProviderRateLimited, "takes no more searches for now; its limiter counts them."),
    Rule(404, "", ProviderInvalidRequest, "has nothing at this address; check its address."),
)


class SearXNG:
    """`pipelines.sources.SearchProvider` that is a SearXNG."""

    name = "searxng"

    def __init__(self, *, base_url: str, timeout: timedelta, now: Clock) -> None:
        self._base, self._now = calls.address(base_url, ""), now
        self._line = Line(VENDOR, timeout=timeout)

    async def search(self, query: str, *, most: int) -> Findings:
        """Return results of its engines; engines that did not answer are told of. Raises ProviderError."""
        answer = await self._asked(asked(query, LONGEST_QUERY))
        if answer.status != OK:
            raise self._fault(answer)
        reply = replies.as_object(answer.json())
        if not isinstance(reply.get("results"), list):
            raise ProviderUnavailable(f"{VENDOR} {NO_JSON}")
        rows = [_row(result) for result in replies.objects(reply, "results")]
        silent = _silent(reply)
        if silent and not rows:
            raise ProviderUnavailable(f"{VENDOR} found nothing, for its engines did not answer: {silent}.")
        warnings = (f"Engines of {VENDOR} that did not answer: {silent}.",) if silent else ()
        return await findings(query, self.name, rows, most=most, warnings=warnings)

    async def ping(self) -> None:
        """Search for nothing: one that would answer in JSON says that there is no query. Raises ProviderError."""
        answer = await self._asked("")
        if answer.status == BAD_REQUEST or (answer.status == OK and replies.as_object(answer.json())):
            return
        if answer.status == OK:
            raise ProviderUnavailable(f"{VENDOR} {NO_JSON}")
        raise self._fault(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    async def _asked(self, query: str) -> Answer:
        fields = urlencode({"q": query, "format": "json", "categories": "general", "safesearch": "1"})
        headers = {"accept": "application/json"}
        return await self._line.call("GET", f"{self._base}/search?{fields}", headers=headers, paid=False)

    def _fault(self, answer: Answer) -> ProviderError:
        wait = retry_after(answer.headers, self._now())
        return faults.judged(RULES, vendor=VENDOR, status=answer.status, mark="", wait=wait)


def _row(result: Object) -> Row:
    return Row(
        url=replies.text(result, "url"), title=replies.text(result, "title"), snippet=replies.text(result, "content")
    )


def _silent(reply: Object) -> str:
    """Return which engines did not answer and why, on a line; empty where all did."""
    engines = reply.get("unresponsive_engines")
    named = [_named(engine) for engine in engines] if isinstance(engines, list) else []
    return faults.told(", ".join(each for each in named if each), "")


def _named(engine: Any) -> str:  # noqa: ANN401 - vendors' replies are read as they come
    match engine:
        case [str(name), str(why), *_]:
            return f"{name} ({why})"
        case [str(name), *_] | str(name):
            return name
        case _:
            return ""
