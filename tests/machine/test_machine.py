"""The real engine on the real store under a state machine, and the bugs planted to see that it finds them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.machine.mutants import MUTANTS, planted
from tests.machine.rules import Machine

from atelier.stores.sqlite import schema

in_turn = settings(
    database=None,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
)
"""The same examples each time, so that a run that passes passes again."""

generate_only = settings(in_turn, max_examples=400, phases=[Phase.generate])
at_random = settings(in_turn, derandomize=False)


@pytest.fixture
def machine(tmp_path: Path) -> type[Machine]:
    schema.prepare(tmp_path / "template.db")
    return type("Machine", (Machine,), {"folder": tmp_path})


def test_whatever_happens_the_invariants_hold_and_everything_ends(machine: type[Machine]) -> None:
    run_state_machine_as_test(machine, settings=settings(in_turn, max_examples=60))
    assert machine.ended_well >= 60, "the end of every example was looked at"


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(machine: type[Machine], name: str) -> None:
    with planted(name), pytest.raises(AssertionError, match=rf"^({MUTANTS[name].broken})\b"):
        run_state_machine_as_test(machine, settings=generate_only)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_many_more_histories(machine: type[Machine]) -> None:
    run_state_machine_as_test(machine, settings=settings(at_random, max_examples=3000, stateful_step_count=60))


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found_at_random(machine: type[Machine], name: str) -> None:
    for _ in range(8):
        with planted(name), pytest.raises(AssertionError, match=rf"^({MUTANTS[name].broken})\b"):
            run_state_machine_as_test(machine, settings=settings(generate_only, derandomize=False))
