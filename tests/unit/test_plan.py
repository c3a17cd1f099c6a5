"""What a post would cost, how long it would take, and what decides that: pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.jobs import Clock
from tests.vendors import OFFER, PAID

from atelier.api.storyboards.plan import Style, to_plan
from atelier.api.storyboards.view_schemas import PlanView
from atelier.jobs.estimates import Estimate
from atelier.jobs.groups import NewMember
from atelier.pipelines.keys import KeyReport, KeyState

NOW = Clock()()
QUICK = Estimate(p50=2.0, p90=3.0, basis="measured", samples=20)


class Pool:
    """`pipelines.pools.ListedPool` with these keys."""

    provider, terms, offer = "gemini", PAID, OFFER

    def __init__(self, name: str, *reports: KeyReport) -> None:
        self.name, self.reports = name, reports
        self.per_minute = sum(report.per_minute or 0.0 for report in reports) if reports else None

    async def keys(self) -> tuple[KeyReport, ...]:
        return self.reports


def key(
    alias: str, rpm: float = 9, state: KeyState = "ok", seconds: float | None = None, bucket: str | None = None
) -> KeyReport:
    until = NOW + timedelta(seconds=seconds) if seconds is not None else None
    return KeyReport(alias=alias, bucket=bucket, state=state, until=until, why=None, per_minute=rpm)


def style(pool: Pool, count: int, name: str = "", **more: Any) -> Style:
    draw = [NewMember(name=f"s/{number}", params={"quality": "standard"}) for number in range(count)]
    values: dict[str, Any] = {"draw": draw, "reuse": (), "skip": (), **more}
    return Style(name=name or pool.name, pool=pool, keys=pool.reports, **values)


def planned(*styles: Style, slots: int = 100, typical: Estimate = QUICK) -> PlanView:
    return to_plan(None, styles, {one.name: typical for one in styles}, slots, NOW)


def test_a_style_takes_as_many_rounds_as_its_keys_need() -> None:
    pool = Pool("a", key("a1"), key("a2"))
    for count, rounds in ((1, 0), (18, 0), (19, 1), (36, 1), (90, 4)):
        assert planned(style(pool, count)).duration.p50 == rounds * 61 + 2, count


def test_cost_is_once_and_at_most_twice_the_list_price() -> None:
    plan = planned(style(Pool("a", key("a1")), 10), style(Pool("b", key("b1")), 5))
    assert [plan.cost.low, plan.cost.high] == pytest.approx([0.6, 1.2])
    assert (plan.draw, plan.reuse, plan.skip) == (15, 0, 0)


def test_the_slowest_style_and_its_least_key_are_the_bottleneck() -> None:
    fast, slow = Pool("fast", key("f1", 60)), Pool("slow", key("s1", 9), key("s2", 3))
    plan = planned(style(fast, 30), style(slow, 30))
    assert plan.bottleneck is not None
    assert (plan.bottleneck.style, plan.bottleneck.key, plan.bottleneck.rpm) == ("slow", "s2", 3)


def test_keys_that_rest_draw_nothing_now() -> None:
    awake = Pool("a", key("a1"), key("a2", state="resting", seconds=3600), key("a3", state="bad"))
    assert planned(style(awake, 18)).duration.p50 == 61 + 2
    asleep = Pool("b", key("b1", state="resting", seconds=600), key("b2", state="bad"))
    assert planned(style(asleep, 9)).duration.p50 == 600 + 2
    dead = Pool("c", key("c1", state="bad"), key("c2", state="no_credit"))
    hopeless = planned(style(dead, 1))
    assert hopeless.duration.p50 < 1
    (warning,) = hopeless.warnings
    assert "No key of the pool c" in warning


def test_keys_of_one_bucket_share_what_it_allows() -> None:
    shared = Pool("a", key("a1", bucket="p"), key("a2", bucket="p"))
    assert planned(style(shared, 18)).duration.p50 == 61 + 2


def test_styles_of_one_pool_share_its_keys() -> None:
    pool = Pool("default", key("d1"), key("d2"))
    assert planned(style(pool, 18, "x"), style(pool, 18, "y")).duration.p50 == 61 + 2


def test_too_few_slots_are_the_bottleneck_and_it_says_how_many_are_needed() -> None:
    slow = Estimate(p50=12.0, p90=20.0, basis="measured", samples=20)
    plan = planned(style(Pool("a", key("a1", 54)), 90), slots=4, typical=slow)
    assert plan.duration.p50 == 90 * 12 / 4
    assert plan.bottleneck is not None
    assert (plan.bottleneck.style, plan.bottleneck.key, plan.bottleneck.rpm) == (None, None, None)
    assert (plan.slots.have, plan.slots.needed) == (4, 11)


def test_without_limits_only_slots_decide() -> None:
    plan = planned(style(Pool("a"), 8), slots=4)
    assert plan.duration.p50 == 4
    assert plan.bottleneck is not None
    assert plan.bottleneck.key is None


def test_nothing_to_draw_takes_no_time() -> None:
    plan = planned(style(Pool("a", key("a1")), 0, reuse=["1.1"], skip=["1.2"]))
    assert (plan.duration.p50, plan.duration.p90, plan.cost.high, plan.bottleneck) == (0, 0, 0, None)
    assert (plan.reuse, plan.skip) == (1, 1)
