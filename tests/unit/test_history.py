"""The judge is judged: each promise, broken on purpose, is found; a good history is not faulted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.history import Ended, Evidence, Watch, no_more_than_attempts, picture_of, violations

STAGES = ["queued", "processing", "generating", "uploading", "completed"]


def record(seq: int, stage: str) -> dict[str, Any]:
    status = stage if stage in {"queued", "completed"} else "processing"
    return {
        "seq": seq,
        "stage": stage,
        "status": status,
        "progress_percentage": 20.0 * seq,
        "message": stage,
        "timestamp": f"2026-01-01T00:00:0{seq}.000000Z",
    }


def event(record: dict[str, Any], **more: Any) -> tuple[int, dict[str, Any]]:
    return record["seq"], {**record, "progress": record["progress_percentage"], **more}


@dataclass
class Scene:
    """One job that ended well, as its one watcher saw it, ready to be spoilt."""

    log: list[dict[str, Any]] = field(default_factory=lambda: [record(n, name) for n, name in enumerate(STAGES, 1)])
    job: dict[str, Any] = field(
        default_factory=lambda: {"status": "completed", "run": 1, "attempt": 1, "result": {"x": 1}}
    )
    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    picture: bytes | None = field(default_factory=lambda: picture_of("A hill"))
    calls: list[str] = field(default_factory=lambda: ["A hill"])
    listed: list[str] = field(default_factory=lambda: ["job"])

    def __post_init__(self) -> None:
        self.events = [event(line) for line in copy.deepcopy(self.log)]
        self.events.insert(3, event(self.log[2], max_attempts=3))

    def evidence(self) -> Evidence:
        job = {"seq": len(self.log), "progress_updates": self.log, **self.job}
        return Evidence(
            acknowledged={"job": "A hill"},
            ended={"job": Ended(job=job, picture=self.picture)},
            listed=self.listed,
            watches=[Watch("job", self.events)],
            calls=self.calls,
            allowed=no_more_than_attempts,
        )


SPOILT: dict[str, Callable[[Scene], object]] = {
    "an event was missed": lambda scene: scene.events.pop(1),
    "an event came twice": lambda scene: scene.events.insert(1, scene.events[0]),
    "the end came twice": lambda scene: scene.events.append(scene.events[-1]),
    "two events changed places": lambda scene: scene.events.insert(0, scene.events.pop(1)),
    "an event told something else": lambda scene: scene.events[1][1].update(message="?"),
    "the bar fell": lambda scene: scene.events[3][1].update(progress=0.0),
    "the stream did not end": lambda scene: scene.events.pop(),
    "a record has gone": lambda scene: scene.log.pop(2),
    "a record has a number twice": lambda scene: scene.log[2].update(seq=2),
    "the log ends twice": lambda scene: scene.log[3].update(status="failed"),
    "the log does not end": lambda scene: scene.log[4].update(status="processing"),
    "the log's bar fell": lambda scene: scene.log[4].update(progress_percentage=1.0),
    "time ran backwards": lambda scene: scene.log[0].update(timestamp="2027"),
    "the job has not ended": lambda scene: scene.job.update(status="processing", result=None),
    "a run is missing": lambda scene: scene.job.update(run=2),
    "it failed with a result": lambda scene: scene.job.update(status="failed"),
    "the picture is gone": lambda scene: setattr(scene, "picture", None),
    "the picture is another's": lambda scene: setattr(scene, "picture", picture_of("A lake")),
    "it was paid twice": lambda scene: scene.calls.append("A hill"),
    "nobody acknowledged it": lambda scene: scene.listed.append("other"),
    "it is not listed": lambda scene: scene.listed.clear(),
}


def test_a_good_history_is_not_faulted() -> None:
    assert violations(Scene().evidence()) == []


@pytest.mark.parametrize("how", SPOILT)
def test_a_broken_promise_is_found(how: str) -> None:
    scene = Scene()
    SPOILT[how](scene)
    assert violations(scene.evidence())


def test_a_job_nobody_knows_is_lost() -> None:
    lost = replace(Scene().evidence(), ended={"job": Ended(job={"status": 404, "code": "not_found"})})
    assert violations(lost)


@pytest.mark.parametrize("cut", range(1, 40))
def test_half_an_event_is_no_event(cut: int) -> None:
    text = b'id: 1\ndata: {"stage":"queued"}\n\n: ping\n\n'
    watch = Watch("job")
    rest = watch.take(text[:cut])
    watch.take(rest + text[cut:])
    assert watch.events == [(1, {"stage": "queued"})]
