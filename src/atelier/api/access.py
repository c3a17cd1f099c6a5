"""Who a request comes from, and whether it may: keys, tickets and rates at one door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from starlette.requests import HTTPConnection
from starlette.types import Scope

from atelier.api.keys import ANONYMOUS, LOCAL, Keys, refused
from atelier.api.limits import Rate
from atelier.api.tickets import THINGS, Tickets

Mode = Literal["open", "keys", "anonymous"]

BEARER = "bearer"
"""The subprotocol behind which a WebSocket's key or ticket stands."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """The door. `rates` is for owners (None: no limit), `anonymous_rate` for requests without a key."""

    mode: Mode
    keys: Keys
    tickets: Tickets
    rate: Rate | None
    anonymous_rate: Rate | None

    async def admit(self, connection: HTTPConnection, *, by_ticket: bool) -> str:
        """Return the request's owner and count the request. Raises Unauthorized and RateLimited.

        `by_ticket`: the address may be read with `?ticket=`. One that is given decides, in every mode. A WebSocket may carry
        a key or a ticket among its subprotocols, too, which counts where the header would.
        """
        scope = connection.scope
        token = connection.query_params.get("ticket") if by_ticket and scope["query_string"] else None
        if token is not None:
            owner = self.tickets.owner_of(token, _thing(connection.path_params))
        elif self.mode == "open":
            owner = LOCAL
        else:
            owner = await self._by_key(connection, _subprotocol(scope))
        rate = self.anonymous_rate if owner == ANONYMOUS else self.rate
        if rate is not None:
            rate.charge(owner, scope.get("method", "GET"), scope["path"])
        return owner

    async def _by_key(self, connection: HTTPConnection, carried: str | None) -> str:
        authorization = connection.headers.get("authorization")
        if authorization is not None:
            return await self.keys.owner_of(authorization)
        if carried is not None and "." in carried:  # no key has a full stop, every ticket has
            return self.tickets.owner_of(carried, _thing(connection.path_params))
        if carried is not None:
            return await self.keys.owner_of(f"{BEARER} {carried}")
        if self.mode == "anonymous":
            return ANONYMOUS
        raise refused()


def _subprotocol(scope: Scope) -> str | None:
    """Return what stands behind `bearer` among a WebSocket's subprotocols: browsers let pages set no header of it."""
    offered: list[str] = scope.get("subprotocols", [])
    return offered[1] if offered[:1] == [BEARER] and len(offered) > 1 else None


def _thing(path_params: Mapping[str, str]) -> str:
    """Return what an address shows, as tickets name it; empty where it shows no one thing."""
    named = (f"{kind}:{path_params[name]}" for name, kind in THINGS.items() if name in path_params)
    return next(named, "")
