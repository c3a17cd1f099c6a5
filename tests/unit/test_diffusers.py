"""What of the local models needs no models: turns, and what refuses the start."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from atelier.errors import OutOfMemory, StartRefused
from atelier.providers.diffusers import provider
from atelier.providers.diffusers.failures import Unloadable, kind_of, story_of
from atelier.providers.diffusers.provider import Diffusers
from atelier.providers.diffusers.turns import Turns
from atelier.settings import Settings
from atelier.wiring import build_adapters


class Queue:
    """Several who want a turn, each with the places that were told."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.places: dict[str, list[int]] = {}
        self.let_in: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str) -> None:
        for name in names:
            self.places[name] = []
            self._tasks[name] = asyncio.create_task(self._wait(name))
            await asyncio.sleep(0)

    async def leave(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.wait({self._tasks[name]})

    async def _wait(self, name: str) -> None:
        await self.turns.wait(self.places[name].append)
        self.let_in.append(name)


async def test_turns_come_in_order_and_places_are_told() -> None:
    queue = Queue()
    await queue.come("a", "b", "c", "d")
    assert queue.let_in == ["a"]
    await queue.leave("c")
    queue.turns.pass_on()
    await asyncio.sleep(0)
    assert (queue.let_in, queue.places) == (["a", "b"], {"a": [], "b": [1], "c": [2], "d": [3, 2, 1]})
    queue.turns.pass_on()
    await asyncio.sleep(0)
    queue.turns.pass_on()
    await queue.come("e")
    assert queue.let_in == ["a", "b", "d", "e"]


async def test_a_turn_that_comes_in_the_moment_of_leaving_is_passed_on() -> None:
    queue = Queue()
    await queue.come("a", "b", "c")
    queue.turns.pass_on()
    await queue.leave("b")
    await asyncio.sleep(0)
    assert queue.let_in == ["a", "c"]


def start(folder: Path, **own: Any) -> Diffusers:
    config = Settings(data_dir=folder, image_providers=("diffusers",), providers={"diffusers": own})
    found = build_adapters(config).image_providers["diffusers"]
    assert isinstance(found, Diffusers)
    return found


def test_without_its_libraries_the_start_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "LIBRARIES", ("json", "no_such_library"))
    with pytest.raises(StartRefused, match=r"not installed \(no_such_library\): run `make local-gpu`"):
        start(tmp_path)


def test_a_directory_without_a_model_refuses_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "LIBRARIES", ())
    for model in (str(tmp_path / "gone"), "./gone", "~/no such model"):
        with pytest.raises(StartRefused, match=r"is no directory with a model \(it has no model_index\.json\)"):
            start(tmp_path, model=model)
        with pytest.raises(StartRefused, match="is no directory with a model"):
            start(tmp_path, refiner=model)


@pytest.mark.parametrize(
    ("own", "models"),
    [
        ({}, (provider.MODEL, provider.REFINER)),
        ({"refiner": "none"}, (provider.MODEL,)),
        ({"model": "somebody/xl"}, ("somebody/xl",)),
        ({"model": "somebody/xl", "refiner": provider.REFINER}, ("somebody/xl", provider.REFINER)),
    ],
)
def test_another_base_model_has_no_refiner_unless_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: dict[str, str], models: tuple[str, ...]
) -> None:
    monkeypatch.setattr(provider, "LIBRARIES", ())
    assert start(tmp_path, **own).offer.models == models


def test_a_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "LIBRARIES", ())
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "xl").mkdir()
    (tmp_path / "xl" / "model_index.json").touch()
    found = start(tmp_path, model="~/xl")
    assert found.offer.models == ("xl",)
    assert found._which["model"] == str(tmp_path / "xl")


@pytest.mark.parametrize("own", [{"device": "gpu"}, {"dtype": "half"}, {"steps": 0}, {"model": "a\nb"}])
def test_what_cannot_be_meant_is_refused(own: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(providers={"diffusers": own})


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        OSError("Cannot allocate memory (os error 12)"),
    ],
)
def test_allocators_say_it_in_many_words(error: Exception) -> None:
    assert kind_of(error) == "out_of_memory"
    assert OutOfMemory.code == "out_of_memory"


def test_what_broke_is_logged_without_its_words() -> None:
    with pytest.raises(ValueError, match="somebody") as raised:
        int("what somebody asked for")
    broken = raised.value
    assert (kind_of(broken), "asked" in story_of(broken)) == ("broken", False)
    assert story_of(broken).startswith("ValueError: test_what_broke_is_logged_without_its_words, line ")
    unloadable = Unloadable("No.")
    unloadable.__cause__ = OSError("no file of weights")
    assert story_of(unloadable) == "Unloadable: No.; because of OSError: no file of weights"
