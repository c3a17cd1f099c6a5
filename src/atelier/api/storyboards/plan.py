"""What a post would do, what it would cost and how long it would take: before anything is spent. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from atelier.api.storyboards.view_schemas import Bottleneck, Duration, PlannedStyle, PlanView, Range, SlotsView
from atelier.frozen import frozen
from atelier.jobs.estimates import Estimate
from atelier.jobs.groups.models import NewMember
from atelier.pipelines.keys import KeyReport
from atelier.pipelines.pools import ListedPool

MINUTE = 60.0
ROUND = 61.0
"""Seconds from a key's start to the start that its limit allows after a minute's worth of them."""

DEAREST = 2.0
"""So many times a picture may be paid for without being asked for: once more where the first was useless or got lost."""


@frozen
class Style:
    """A style's part of a plan: what is drawn by whom, what is there, what falls away."""

    name: str
    pool: ListedPool
    keys: Sequence[KeyReport]
    draw: Sequence[NewMember]
    reuse: Sequence[str]
    skip: Sequence[str]


@frozen
class _Pace:
    """How fast keys are: calls a minute of those awake, when the first is awake, and which of them allows least."""

    per_minute: float | None
    starts_in: float
    slowest: KeyReport | None


def to_plan(
    board_id: str | None, styles: Sequence[Style], typical: Mapping[str, Estimate], slots: int, now: datetime
) -> PlanView:
    """Return the plan. `typical` tells by style how long a picture takes."""
    paces = {style.name: _pace(style.keys, style.pool, now) for style in styles}
    times = {style.name: _seconds(styles, style, paces, typical) for style in styles}
    drawing = [style for style in styles if style.draw]
    work = sum(len(style.draw) * typical[style.name].p50 for style in drawing) / slots
    slow = max((typical[style.name].p90 / max(typical[style.name].p50, 0.001) for style in drawing), default=1.0)
    longest = max((times[style.name] for style in drawing), default=0.0)
    p50 = max(longest, work)
    return PlanView(
        storyboard_id=board_id,
        draw=sum(len(style.draw) for style in styles),
        reuse=sum(len(style.reuse) for style in styles),
        skip=sum(len(style.skip) for style in styles),
        cost=_cost(drawing),
        duration=Duration(p50=round(p50, 1), p90=round(max(longest * min(slow, 1.5), work * slow), 1)),
        bottleneck=_bottleneck(drawing, times, paces, work),
        slots=SlotsView(have=slots, needed=_needed(drawing, paces, typical)),
        styles=[_planned(style, paces, times) for style in styles],
        warnings=_warnings(drawing, paces),
    )


def _pace(keys: Sequence[KeyReport], pool: ListedPool, now: datetime) -> _Pace:
    """Add up what the quotas of keys that are awake allow; keys of one bucket share theirs."""
    if not keys or any(key.per_minute is None for key in keys):
        return _Pace(per_minute=pool.per_minute if not keys else None, starts_in=0.0, slowest=None)
    usable = [key for key in keys if key.state not in {"bad", "no_credit"}]
    awake = [key for key in usable if key.state == "ok"]
    quotas = {key.bucket or f"\x1f{key.alias}": key.per_minute or 0.0 for key in awake or usable}
    back = [(key.until - now).total_seconds() for key in usable if key.until is not None]
    return _Pace(
        per_minute=sum(quotas.values()),
        starts_in=max(min(back, default=0.0), 0.0) if not awake else 0.0,
        slowest=min(awake or usable or keys, key=lambda key: key.per_minute or 0.0),
    )


def _seconds(
    styles: Sequence[Style], style: Style, paces: Mapping[str, _Pace], typical: Mapping[str, Estimate]
) -> float:
    """Return when a style's last picture is there: its keys start a minute's worth, then as many every minute.

    Styles that are drawn by one pool go round.
    """
    if not style.draw:
        return 0.0
    pace, count = paces[style.name], sum(len(one.draw) for one in styles if one.pool.name == style.pool.name)
    if pace.per_minute is None:
        return typical[style.name].p50
    if pace.per_minute <= 0:
        return 0.0  # its beats fail at once
    rounds = math.ceil(count / pace.per_minute) - 1
    return pace.starts_in + max(rounds, 0) * ROUND + typical[style.name].p50


def _cost(drawing: Sequence[Style]) -> Range:
    low = sum(_price(style.pool, member) for style in drawing for member in style.draw)
    return Range(low=round(low, 4), high=round(low * DEAREST, 4))


def _price(pool: ListedPool, member: NewMember) -> float:
    prices = pool.terms.prices
    return prices.get(member.params["quality"], max(prices.values(), default=0.0))


def _needed(drawing: Sequence[Style], paces: Mapping[str, _Pace], typical: Mapping[str, Estimate]) -> int:
    """Return how many slots it takes to start all that the keys allow."""
    pools = {style.pool.name: style for style in drawing}
    busy = sum((paces[one.name].per_minute or 0.0) / MINUTE * typical[one.name].p50 for one in pools.values())
    return min(max(math.ceil(busy), 1), max(sum(len(style.draw) for style in drawing), 1))


def _bottleneck(
    drawing: Sequence[Style], times: Mapping[str, float], paces: Mapping[str, _Pace], work: float
) -> Bottleneck | None:
    if not drawing:
        return None
    slowest = max(drawing, key=lambda style: times[style.name])
    key = paces[slowest.name].slowest
    if work > times[slowest.name] or key is None:
        return Bottleneck(style=None, key=None, rpm=None)
    return Bottleneck(style=slowest.name, key=key.alias, rpm=key.per_minute)


def _planned(style: Style, paces: Mapping[str, _Pace], times: Mapping[str, float]) -> PlannedStyle:
    seconds = times[style.name]
    return PlannedStyle(
        style=style.name,
        pool=style.pool.name,
        draw=[member.name.partition("/")[2] for member in style.draw],
        reuse=list(style.reuse),
        skip=list(style.skip),
        per_minute=paces[style.name].per_minute,
        seconds=round(seconds, 1),
    )


def _warnings(drawing: Sequence[Style], paces: Mapping[str, _Pace]) -> list[str]:
    return [
        f"No key of the pool {style.pool.name} can draw: its beats would fail."
        for style in drawing
        if paces[style.name].per_minute == 0
    ]
