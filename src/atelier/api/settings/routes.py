"""The routes of owners' own provider keys."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from atelier.api.deps import Keyed
from atelier.api.errors import PROBLEM
from atelier.api.routing import JsonRoute
from atelier.api.settings.schemas import FIELDS, KeysRequest, KeysView
from atelier.errors import InvalidInput, OwnKeysOff

PATH = "/api/settings/image-keys"
ALIAS = "alias of the address without a slash"
OFF = "This service keeps no provider keys of its callers: it was not told how to encrypt them, or takes none."
NEVER_KEPT = {"Cache-Control": "no-store"}
READS: dict[int | str, dict[str, Any]] = dict.fromkeys((501, 503), PROBLEM)
REMOVES: dict[int | str, dict[str, Any]] = dict.fromkeys((403, 503), PROBLEM)
WRITES: dict[int | str, dict[str, Any]] = dict.fromkeys((403, 413, 422, 501, 503), PROBLEM)

router = APIRouter(tags=["settings"], route_class=JsonRoute)


@router.get(PATH, summary="See which provider keys are set", response_model=KeysView, responses=READS)
@router.get(f"{PATH}/", summary=f"See which are set ({ALIAS})", response_model=KeysView, responses=READS)
async def keys(call: Keyed) -> Response:
    """Say which keys of yours are kept; no key is ever shown."""
    _let(call)
    return _view(call, await call.around.own.keyring.vendors(call.owner))


@router.put(PATH, summary="Bring provider keys of your own", response_model=KeysView, responses=WRITES)
@router.put(f"{PATH}/", summary=f"Bring your own ({ALIAS})", response_model=KeysView, responses=WRITES)
async def change(body: KeysRequest, call: Keyed) -> Response:
    """Keep keys, encrypted: they are used before the service's own for whatever you have made, and shown to nobody.

    What is left out or blank stays as it is; null removes a key. A removed key is used nowhere after three seconds.
    """
    _let(call)
    changes = body.changes()
    for vendor, text in changes.items():
        if text is not None and vendor not in call.around.own.vendors:
            taken = ", ".join(FIELDS[each] for each in call.around.own.vendors)
            raise InvalidInput(f"This key is of no use here; taken are: {taken}.", loc=("body", FIELDS[vendor]))
    return _view(call, await call.around.own.keyring.change(call.owner, changes))


@router.delete(PATH, summary="Remove your provider keys", status_code=HTTPStatus.NO_CONTENT, responses=REMOVES)
@router.delete(f"{PATH}/", summary=f"Remove them ({ALIAS})", status_code=HTTPStatus.NO_CONTENT, responses=REMOVES)
async def forget(call: Keyed) -> None:
    """Remove all of them for good."""
    await call.around.own.keyring.forget(call.owner)


def _let(call: Keyed) -> None:
    """Raise OwnKeysOff where callers can bring none."""
    if not call.around.own.vendors:
        raise OwnKeysOff(OFF)


def _view(call: Keyed, kept: frozenset[str]) -> Response:
    shown = {FIELDS[vendor]: vendor in kept for vendor in {*call.around.own.vendors, *kept}}
    body = KeysView.model_validate(shown).model_dump_json(exclude_none=True)
    return Response(body, headers=NEVER_KEPT, media_type="application/json")
