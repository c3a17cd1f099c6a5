"""What the requests of several dialects mean: an order, who shall carry it out, which page of a list. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from pydantic import BaseModel

from atelier.api.fields import Page, SandboxScript
from atelier.errors import InvalidInput, ProviderNotConfigured
from atelier.frozen import frozen
from atelier.jobs.models import Job, Status
from atelier.jobs.ports import Find
from atelier.pipelines.pictures import IN_ORDER
from atelier.pipelines.ports import Script

SANDBOX = "sandbox"
NO_CURSOR = "This is not a cursor of this list."

Params = TypeVar("Params", bound=BaseModel)


@frozen
class Order(Generic[Params]):
    """A request, understood: what to do, how the job is titled, found and shown, and how long it may take."""

    params: Params
    title: str
    tags: dict[str, str]
    details: dict[str, str]
    pace: str
    expected: timedelta
    not_before: datetime | None
    warnings: tuple[str, ...]


def script_of(script: SandboxScript | None) -> Script:
    """Return the scripted behaviour that is asked for."""
    return Script.model_validate(script, from_attributes=True) if script is not None else Script()


def start_of(script: SandboxScript | None) -> datetime | None:
    """Return before which moment the job shall not start; None: at once."""
    return datetime.fromtimestamp(script.hold_until, UTC) if script is not None and script.hold_until else None


def said(values: Mapping[str, str | None]) -> dict[str, str]:
    """Return the values that there are."""
    return {name: value for name, value in values.items() if value is not None}


def choose(
    named: str | None, configured: tuple[str, ...], *, scripted: bool, did: str, nobody: str
) -> tuple[str, tuple[str, ...]]:
    """Return who does the work, and what the caller should know about that.

    `did` says in a word what the sandbox does, `nobody` in a sentence that there is nobody at all for this caller.

    Raises InvalidInput where somebody else than the sandbox shall behave as scripted, and ProviderNotConfigured.
    """
    wanted = named or (SANDBOX if scripted else _unnamed(configured))
    if scripted and wanted != SANDBOX:
        raise InvalidInput("Scripted behaviour needs the provider sandbox.", loc=("body", "sandbox"))
    if wanted in configured or (wanted == IN_ORDER and configured):
        return wanted, ()
    if SANDBOX in configured:
        return SANDBOX, (f"The provider {wanted} is not configured; the sandbox {did} instead.",)
    if not configured:
        raise ProviderNotConfigured(nobody)
    raise ProviderNotConfigured(f"The provider {wanted} is not configured; configured are: {', '.join(configured)}.")


def _unnamed(configured: tuple[str, ...]) -> str:
    """Return who does it where the choice is left to the service: the only one, or the first that works."""
    return configured[0] if len(configured) == 1 else IN_ORDER


def page_of(page: Page, *, owner: str, kind: str, tags: Mapping[str, str | None]) -> Find:
    """Return the query behind a page of a list. Raises InvalidInput for a cursor that is not ours."""
    return Find(
        owner=owner,
        kinds=(kind,),
        statuses=(Status(page.status),) if page.status else (),
        tags=said(tags),
        created_after=_aware(page.created_after),
        before=_place(page.cursor) if page.cursor else None,
        limit=page.limit,
    )


def _aware(moment: datetime | None) -> datetime | None:
    """Return a moment of a request; without a zone it is UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _place(cursor: str) -> tuple[datetime, str]:
    try:
        stamped, job_id = base64.urlsafe_b64decode(cursor.encode()).decode().split("|")
        moment = datetime.fromisoformat(stamped).astimezone(UTC)
        moment.timestamp()
    except (ValueError, OverflowError, binascii.Error) as error:
        raise InvalidInput(NO_CURSOR, loc=("query", "cursor")) from error
    return moment, job_id


def cursor_of(job: Job) -> str:
    """Return the place of a job in a list: the page behind it starts there."""
    return base64.urlsafe_b64encode(f"{job.created_at.isoformat()}|{job.id}".encode()).decode()
