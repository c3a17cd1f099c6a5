"""What OpenAI, and others who speak its protocol, say is wrong."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from atelier.errors import (
    ProviderBadKey,
    ProviderError,
    ProviderInvalidRequest,
    ProviderNoCredit,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from atelier.providers import faults, replies
from atelier.providers.calls import Answer
from atelier.providers.faults import Rule
from atelier.providers.replies import Object
from atelier.providers.waits import retry_after, until_reset, wait_of

VENDOR = "OpenAI"
OK = 200
WINDOWS: Final = tuple(
    (f"x-ratelimit-remaining-{each}", f"x-ratelimit-reset-{each}") for each in ("requests", "tokens")
)

RULES: Final = (
    Rule(None, "insufficient_quota", ProviderNoCredit, "has no credit left for this key."),
    Rule(None, "billing_", ProviderNoCredit, "has no credit left for this key."),
    Rule(402, "", ProviderNoCredit, "has no credit left for this key."),
    Rule(None, "invalid_api_key", ProviderBadKey, "does not know the key."),
    Rule(401, "", ProviderBadKey, "does not know the key."),
    Rule(None, "FLAGGED", ProviderRefused, "refused the request."),
    Rule(None, "content_filter", ProviderRefused, "refused the request."),
    Rule(None, "content_policy_violation", ProviderRefused, "refused the request."),
    Rule(None, "invalid_prompt", ProviderRefused, "refused the request."),
    Rule(403, "", ProviderBadKey, "does not let this key work, here or with this model."),
    Rule(400, "context_length_exceeded", ProviderInvalidRequest, "does not read that much at once."),
    Rule(None, "model_not_found", ProviderInvalidRequest, "has no such model; it is retired or misspelt."),
    Rule(404, "", ProviderInvalidRequest, "has no such model, or is not at this address.", quoted=True),
    Rule(400, "", ProviderInvalidRequest, "did not take the request.", quoted=True),
    Rule(422, "", ProviderInvalidRequest, "did not take the request.", quoted=True),
    Rule(409, "", ProviderUnavailable, "did not take the request just now."),
    Rule(429, "", ProviderRateLimited, "takes no more requests for now."),
)


def fault(answer: Answer, reply: Object, *, key: str, now: datetime) -> ProviderError:
    """Return the error that an answer is."""
    status = answer.status if answer.status != OK else _status(reply)
    return faults.judged(
        RULES,
        vendor=VENDOR,
        status=status,
        mark=mark(reply),
        said=faults.told(message(reply), key),
        wait=_wait(answer, reply, now),
    )


def message(reply: Object) -> str:
    """Return the error's words, wherever servers put them."""
    return replies.text(replies.member(reply, "error"), "message") or next(
        (words for name in ("error", "message", "detail") if (words := replies.text(reply, name))), ""
    )


def objection(reply: Object) -> str:
    """Return all that an error names: its names, its words, and the fields of those who list what they do not take."""
    details = [*replies.objects(reply, "detail"), *replies.objects(replies.member(reply, "message"), "detail")]
    fields = [f"{each.get('loc')} {each.get('type')} {each.get('msg')}" for each in details]
    return " ".join((mark(reply), message(reply), *fields))


def mark(reply: Object) -> str:
    """Return every name the error has, and ours for what only its words tell."""
    error = replies.member(reply, "error")
    names = [replies.text(error, name) for name in ("code", "type", "param")]
    if "flagged" in message(reply).lower():
        names.append("FLAGGED")
    return " ".join(names)


def _status(reply: Object) -> int:
    """Return the status of an error that came with 200: some who pass requests on do that."""
    code = replies.number(replies.member(reply, "error"), "code")
    return code if code is not None and code != OK else 500


def _wait(answer: Answer, reply: Object, now: datetime) -> timedelta | None:
    """Return how long to wait: what the headers say, else the message, else when a window begins anew."""
    told = retry_after(answer.headers, now)
    if told is not None:
        return told
    spoken = re.search(r"try again in ([\d.hms]+?)\.?(?:\s|$)", message(reply))
    found = wait_of(spoken.group(1), now) if spoken is not None else None
    return found if found is not None else until_reset(answer.headers, WINDOWS, now)
