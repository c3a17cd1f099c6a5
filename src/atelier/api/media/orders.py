"""Front door C's requests as the engine is asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from atelier.api.images import orders as pictures
from atelier.api.media.schemas import MediaRequest
from atelier.api.requesting import Order
from atelier.errors import InvalidInput
from atelier.pipelines.pace import expected, pace
from atelier.pipelines.pictures import IN_ORDER, ImageParams
from atelier.pipelines.ports import Offer

STEPS, TURNS = "steps", "turns"
"""Details of a job: in how many steps its picture is drawn, where they are told, and how many models take turns at it."""


def key_of(task_id: str) -> str:
    """Return the key a task's job is derived from. No Idempotency-Key holds a blank: the two never meet."""
    return f"task {task_id}"


def understood(request: MediaRequest) -> MediaRequest:
    """Return the request with what is left out written out. Raises InvalidInput where nothing shall be generated."""
    if request.use_generation is False:
        raise InvalidInput(
            "Pictures are made by generating them, and in no other way; leave this out, or say true.",
            loc=("body", "use_generation"),
        )
    quality = request.quality or ("high" if request.high_quality else "standard")
    plain = {"quality": quality, "high_quality": None, "use_generation": True}
    return request.model_copy(update={**plain, "use_refinement": bool(request.use_refinement)})


def meaning(request: MediaRequest) -> str:
    """Return what an understood request asks for, whatever the task is called: what its name stands for."""
    return pictures.meaning(request.model_copy(update={"task_id": None}))


def to_order(request: MediaRequest, offers: Mapping[str, Offer]) -> Order[ImageParams]:
    """Return what an understood request submits. Raises InvalidInput and ProviderNotConfigured."""
    order = pictures.to_order(request, tuple(offers))
    params = order.params.model_copy(update={"refine": bool(request.use_refinement)})
    asked = tuple(offers.values()) if params.provider == IN_ORDER else (offers[params.provider],)
    told = {TURNS: "2" if params.refine and asked[0].refines else "1"}
    if all(params.quality in offer.steps for offer in asked):
        told[STEPS] = str(asked[0].steps[params.quality])
    return replace(
        order, params=params, details={**order.details, **told}, pace=pace(params), expected=expected(params)
    )
