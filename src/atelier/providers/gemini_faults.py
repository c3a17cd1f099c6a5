"""What Google's Gemini API says is wrong, at either of its addresses: its own, and the one that speaks OpenAI's protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from atelier.errors import (
    ProviderBadKey,
    ProviderError,
    ProviderInvalidRequest,
    ProviderNoCredit,
    ProviderRateLimited,
)
from atelier.providers import faults, replies
from atelier.providers.calls import Answer
from atelier.providers.faults import Rule
from atelier.providers.replies import Object
from atelier.providers.waits import retry_after, until_midnight_pacific, wait_of

VENDOR = "Gemini"
OK, TOO_MANY = 200, 429

RULES: Final = (
    Rule(None, "API_KEY", ProviderBadKey, "does not know the key."),
    Rule(401, "", ProviderBadKey, "does not know the key."),
    Rule(403, "", ProviderBadKey, "does not let this key work."),
    Rule(None, "BILLING", ProviderNoCredit, "works only for projects with billing."),
    Rule(402, "", ProviderNoCredit, "has no credit left for this key."),
    Rule(None, "FREE_TIER_NONE", ProviderNoCredit, "works with this model only for projects with billing."),
    Rule(400, "FAILED_PRECONDITION", ProviderInvalidRequest, "does not work under these circumstances.", quoted=True),
    Rule(404, "", ProviderInvalidRequest, "has no such model; it is retired or misspelt."),
    Rule(400, "", ProviderInvalidRequest, "did not take the request.", quoted=True),
    Rule(TOO_MANY, "", ProviderRateLimited, "takes no more requests for now."),
)


def fault(answer: Answer, reply: Object, *, key: str, now: datetime) -> ProviderError:
    """Return the error that an answer is."""
    error = replies.member(reply, "error")
    status = answer.status if answer.status != OK else _status(error)
    if status == TOO_MANY and _is_daily(error):
        rest = until_midnight_pacific(now)
        return ProviderRateLimited(f"{VENDOR} does no more for this project today.", retry_after=rest, daily=True)
    return faults.judged(
        RULES,
        vendor=VENDOR,
        status=status,
        mark=_mark(error),
        said=faults.told(replies.text(error, "message"), key),
        wait=_wait(answer, error, now),
    )


def _wait(answer: Answer, error: Object, now: datetime) -> timedelta | None:
    """Return how long to wait: what the details say, else the message, else the header."""
    for detail in replies.objects(error, "details"):
        asked = detail.get("retryDelay")
        if isinstance(asked, str) and (found := wait_of(asked, now)) is not None:
            return found
    spoken = re.search(r"[Rr]etry in ([\d.hms]+?)\.?(?:\s|$)", replies.text(error, "message"))
    found = wait_of(spoken.group(1), now) if spoken is not None else None
    return found if found is not None else retry_after(answer.headers, now)


def _violations(error: Object) -> Iterator[tuple[str, str]]:
    """Walk the quotas that are used up: their ids and sizes."""
    for detail in replies.objects(error, "details"):
        for violation in replies.objects(detail, "violations"):
            yield replies.text(violation, "quotaId"), replies.text(violation, "quotaValue")


def _is_daily(error: Object) -> bool:
    """Whether a whole day's quota is used up; what the answer then says about waiting means nothing."""
    return any("PerDay" in quota for quota, _ in _violations(error)) and not _has_no_free_tier(error)


def _has_no_free_tier(error: Object) -> bool:
    """Whether the quota is nought: that of a model which is drawn with for money only."""
    values = [value for _, value in _violations(error)]
    return "0" in values or re.search(r"limit: 0(?![\d.])", replies.text(error, "message")) is not None


def _status(error: Object) -> int:
    code = error.get("code")
    return code if isinstance(code, int) else 500


def _mark(error: Object) -> str:
    """Return every name the error has, and ours for what only its words tell."""
    message = replies.text(error, "message").lower()
    names = [
        replies.text(error, "status"),
        *(replies.text(detail, "reason") for detail in replies.objects(error, "details")),
    ]
    if "api key" in message and ("not valid" in message or "expired" in message or "leaked" in message):
        names.append("API_KEY")
    if "billing" in message and error.get("status") == "FAILED_PRECONDITION":
        names.append("BILLING")
    if error.get("status") == "RESOURCE_EXHAUSTED" and _has_no_free_tier(error):
        names.append("FREE_TIER_NONE")
    return " ".join(names)
