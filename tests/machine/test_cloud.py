"""The state machine on Firestore's emulator, with a queue that loses as Cloud Tasks may; and the same planted bugs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from tests.emulator import Emulator
from tests.machine.cloud import CloudWorld
from tests.machine.mutants import MUTANTS, planted
from tests.machine.rules import Machine
from tests.machine.test_machine import generate_only


@pytest.fixture
def machine(tmp_path: Path, emulator: Emulator) -> type[Machine]:
    world = type("EmulatedWorld", (CloudWorld,), {"emulator": emulator})
    return type("CloudMachine", (Machine,), {"folder": tmp_path, "kind": world})


def test_whatever_happens_the_invariants_hold_and_everything_ends(machine: type[Machine]) -> None:
    run_state_machine_as_test(machine, settings=settings(generate_only, max_examples=3, stateful_step_count=20))
    assert machine.ended_well >= 3, "the end of every example was looked at"


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_many_more_histories(machine: type[Machine]) -> None:
    run_state_machine_as_test(machine, settings=settings(generate_only, derandomize=False, max_examples=150))


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(machine: type[Machine], name: str) -> None:
    with planted(name), pytest.raises(AssertionError, match=rf"^({MUTANTS[name].broken})\b"):
        run_state_machine_as_test(machine, settings=generate_only)
