"""Scripted trouble: what a sandbox does when it is asked to fail as others do."""

from __future__ import annotations

from typing import NoReturn

from atelier.errors import JobConflict, ProviderRateLimited, ProviderRefused, ProviderUnavailable
from atelier.pipelines.ports import Asked


def trouble(asked: Asked) -> None:
    """Fail as the script says; a script without trouble for this attempt does nothing."""
    scenario, first = asked.script.scenario, asked.attempt == 1
    if scenario == "refused":
        raise ProviderRefused("The sandbox refuses this request, as it was asked to.")
    if scenario == "rate_limited_then_ok" and first:
        raise ProviderRateLimited("The sandbox allows no more requests at the moment, as it was asked to.")
    if scenario == "provider_down_then_ok" and first:
        raise ProviderUnavailable("The sandbox is down, as it was asked to be.")
    if scenario == "worker_lost" and first:
        _lose_worker()


def _lose_worker() -> NoReturn:
    """Walk away as a worker does that lost its lease: nothing more is written until the lease runs out."""
    raise JobConflict("The sandbox lost its worker, as it was asked to.")
