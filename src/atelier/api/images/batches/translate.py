"""Translations of batches: requests to groups, groups and their members to answers. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast

from atelier.api.images import orders
from atelier.api.images.batches.schemas import BatchAccepted, BatchRequest, BatchStatus, BatchView
from atelier.api.images.schemas import GenerateRequest, JobView
from atelier.api.images.translate import to_status
from atelier.api.requesting import Order
from atelier.errors import InvalidInput, ProviderNotConfigured
from atelier.jobs.estimates import Outlook
from atelier.jobs.groups.models import Group, NewGroup, NewMember, Standing, standing_of
from atelier.jobs.models import Snapshot
from atelier.pipelines import pictures
from atelier.pipelines.pace import expected, pace
from atelier.pipelines.pictures import ImageParams

KIND = "batch"


def to_group(request: BatchRequest, configured: tuple[str, ...], *, owner: str, key: str | None) -> NewGroup:
    """Return what to create. Raises InvalidInput and ProviderNotConfigured, naming the picture."""
    return NewGroup(
        kind=KIND,
        member_kind=pictures.KIND,
        owner=owner,
        members=[_member(request, place, configured) for place in range(len(request.images))],
        key=key,
        request=_meaning(request),
    )


def _meaning(request: BatchRequest) -> str:
    """Return what is asked for, defaults written out: what an idempotency key stands for."""
    pictures = [json.loads(orders.meaning(wanted)) for wanted in request.images]
    return json.dumps([pictures, request.blog_id, request.workflow or "standard"])


def _member(request: BatchRequest, place: int, configured: tuple[str, ...]) -> NewMember:
    wanted = request.images[place]
    order = _order(place, wanted.model_copy(update={"blog_id": wanted.blog_id or request.blog_id}), configured)
    params = order.params.model_copy(update={"draft_first": request.workflow == "draft_then_final"})
    return NewMember(
        name=str(place),
        params=params.model_dump(mode="json"),
        title=order.title,
        not_before=order.not_before,
        tags=order.tags,
        details=order.details,
        warnings=order.warnings,
        pace=pace(params),
        expected=expected(params).total_seconds(),
    )


def drawings(new: NewGroup) -> Iterator[tuple[str, str]]:
    """Yield provider and quality of every picture that will be made, drafts included."""
    for member in new.members:
        yield member.params["provider"], member.params["quality"]
        if member.params["draft_first"]:
            yield member.params["provider"], pictures.DRAFT


def _order(place: int, wanted: GenerateRequest, configured: tuple[str, ...]) -> Order[ImageParams]:
    try:
        return orders.to_order(wanted, configured)
    except InvalidInput as error:
        raise InvalidInput(error.message, loc=("body", "images", place, *error.loc[1:])) from error
    except ProviderNotConfigured as error:
        raise ProviderNotConfigured(f"images.{place}: {error.message}") from error


def to_accepted(
    group: Group, job_ids: Sequence[str], members: Sequence[Snapshot], base: str, *, replayed: bool
) -> BatchAccepted:
    """Return the answer to an accepted batch; `replayed`: it was there before, and may be further."""
    standing = standing_of(group, (member.job.status for member in members))
    return {
        "batch_id": group.id,
        "job_ids": list(job_ids),
        "total_images": len(group.items),
        "status": _status(standing),
        "message": f"Batch of {len(group.items)} images {_progress(standing) if replayed else 'queued successfully'}",
        "warnings": list(dict.fromkeys(warning for member in members for warning in member.job.warnings)),
        "urls": urls(group.id, base),
    }


def _status(standing: Standing) -> BatchStatus:
    return cast("BatchStatus", standing.status.value)  # a group's is one of four


def _progress(standing: Standing) -> str:
    counts = f"{standing.completed} completed, {standing.failed} failed, {standing.cancelled} cancelled"
    return f"{standing.status}: {counts}"


def to_view(group: Group, members: Sequence[tuple[Snapshot, Outlook | None]], base: str, now: datetime) -> BatchView:
    """Return a batch as it is now."""
    standing = standing_of(group, (member.job.status for member, _ in members))
    return {
        "batch_id": group.id,
        "status": _status(standing),
        "total_images": len(group.items),
        "completed": standing.completed,
        "failed": standing.failed,
        "cancelled": standing.cancelled,
        "deleted": standing.deleted,
        "jobs": [_job(member, outlook, base) for member, outlook in members],
        "created_at": group.created_at,
        "must_finish_by": max([group.must_finish_by(now), *(_deadlines(members))]),
        "urls": urls(group.id, base),
    }


def _deadlines(members: Sequence[tuple[Snapshot, Outlook | None]]) -> list[datetime]:
    """Return by when the members that go on must have ended: one that was retried has a time of its own."""
    return [member.job.must_finish_by for member, _ in members if not member.job.status.terminal]


def _job(member: Snapshot, outlook: Outlook | None, base: str) -> JobView:
    """Return a member as a list shows it: its log is in its own stream."""
    return to_status(Snapshot(job=member.job, result=member.result), outlook, base)


def urls(batch_id: str, base: str) -> dict[str, str]:
    """Return where a batch can be read, watched and cancelled."""
    own = f"{base}{orders.ROOT}/batches/{batch_id}"
    return {"self": own, "stream": f"{own}/stream", "cancel": f"{own}/cancel"}
