"""Our counters and histograms against the client library's own: whoever scrapes cannot tell them apart."""

from __future__ import annotations

import prometheus_client
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from atelier.instruments import Counter, Histogram

BOUNDS = (0.005, 0.5, 1, 2.5, 600)

amounts = st.sampled_from([*BOUNDS, 0.0, -1.0, 0.4999, 1e12]) | st.floats(allow_nan=False, allow_infinity=False)
kinds = st.sampled_from(["image", 'q"u\\o\nte', ""])


@given(st.lists(st.tuples(kinds, amounts)))
def test_a_histogram_is_told_as_the_library_tells_it(observed: list[tuple[str, float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    quick = Histogram("took_seconds", "How long.", ["kind"], ours, BOUNDS)
    known = prometheus_client.Histogram("took_seconds", "How long.", ["kind"], buckets=BOUNDS, registry=theirs)
    for kind, amount in observed:
        quick.labels(kind).observe(amount)
        known.labels(kind).observe(amount)
    assert generate_latest(ours) == generate_latest(theirs)


@given(st.lists(st.tuples(kinds, st.floats(0, 1e9))))
def test_a_counter_is_told_as_the_library_tells_it(counted: list[tuple[str, float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    quick = Counter("made", "How many.", ["kind"], ours)
    known = prometheus_client.Counter("made", "How many.", ["kind"], registry=theirs)
    for kind, by in counted:
        quick.labels(kind).inc(by)
        known.labels(kind).inc(by)
    assert generate_latest(ours) == generate_latest(theirs)


def test_one_without_labels_shows_from_the_beginning() -> None:
    registry = CollectorRegistry()
    Histogram("waited_seconds", "How long.", (), registry, (1, 2)).labels()
    assert registry.get_sample_value("waited_seconds_count") == 0
