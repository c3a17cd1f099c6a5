"""Who of a group is handed over next: pure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from atelier.jobs.groups.window import next_ones
from atelier.jobs.ports import Turns


def waiting(lane: str, count: int, active: int = 0) -> Turns:
    return Turns(active=active, later=0, pending=[f"{lane}{number}" for number in range(count)])


def test_lanes_take_turns_and_each_keeps_its_order() -> None:
    turns = {lane: waiting(lane, 3) for lane in "abc"}
    assert next_ones(turns, {"a": 9, "b": 2, "c": 9}, None) == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "c2"]
    assert next_ones(turns, {"a": 9, "b": 9, "c": 9}, 4) == ["a0", "b0", "c0", "a1"]


def test_the_lane_with_the_fewest_under_way_goes_first() -> None:
    turns = {"a": waiting("a", 3, active=2), "b": waiting("b", 3)}
    assert next_ones(turns, {"a": 9, "b": 9}, 4) == ["b0", "b1"]


lanes = st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1)


@given(lanes, st.integers(1, 6), st.none() | st.integers(1, 12))
def test_no_window_is_exceeded_and_no_room_is_left(
    found: dict[str, tuple[int, int]], window: int, most: int | None
) -> None:
    turns = {lane: waiting(lane, count, active) for lane, (count, active) in found.items()}
    chosen = next_ones(turns, dict.fromkeys(found, window), most)
    assert len(set(chosen)) == len(chosen)
    under_way = sum(active for _, active in found.values())
    assert most is None or len(chosen) <= max(most - under_way, 0)
    for lane, (count, active) in found.items():
        own = [name for name in chosen if name.startswith(lane)]
        assert own == turns[lane].pending[: len(own)]
        assert len(own) <= max(window - active, 0)
        full = most is not None and under_way + len(chosen) >= most
        assert full or len(own) == min(count, max(window - active, 0)), "who has room gets it"
