"""`python bench/progress.py`: what telling every step costs a picture whose steps take 20 ms, as a share of its time.

Small models of SDXL's shape really draw, on the CPU; each step is drawn out to 20 ms. Steps are told as in life: as frames
into a pipe that another process reads, with a preview every second. Needs `make local-gpu`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from atelier.providers.diffusers.drawing import Drawing, Order
from atelier.providers.diffusers.models import Models
from atelier.providers.frames import send

STEP_SECONDS = 0.02
STEPS = 250
TINY = Path(__file__).parent.parent / "tests" / "providers" / "tiny_models.py"


class Timed(Drawing):
    """A drawing that knows how long it told of its steps, and takes its time for them."""

    def _turn(self, turn: Any) -> dict[str, Any]:  # noqa: ANN401 - the library is an optional part
        asked = super()._turn(turn)
        after = asked["callback_on_step_end"]
        self.last = time.perf_counter()

        def timed(*step: Any) -> Any:  # noqa: ANN401 - the same
            wall, cpu = time.perf_counter(), time.thread_time()
            kept = after(*step)
            telling.wall += time.perf_counter() - wall
            telling.cpu += time.thread_time() - cpu
            time.sleep(max(STEP_SECONDS - (time.perf_counter() - self.last), 0))
            telling.steps += time.perf_counter() - self.last
            self.last = time.perf_counter()
            return kept

        return {**asked, "callback_on_step_end": timed}


@dataclass
class Telling:
    """Seconds that telling of the steps took, by the clock and of the processor, and seconds of the steps with it."""

    wall: float = 0.0
    cpu: float = 0.0
    steps: float = 0.0


telling = Telling()


def measured(models: Models, out: IO[bytes], steps: int) -> dict[str, float]:
    """Draw one picture over both models."""
    order = Order(
        prompt="a", negative_prompt="", aspect_ratio="1:1", steps=steps, refine=True, seed=1, preview_seconds=1
    )
    base, refiner = models.base(lambda _: None), models.refiner(lambda _: None)

    def tell(step: dict[str, Any], preview: bytes) -> None:
        send(out, {"number": 1, **step}, preview)

    telling.wall = telling.cpu = telling.steps = 0.0
    Timed(order, base, refiner, tell=tell, withdrawn=threading.Event()).picture()
    return {
        "steps": steps,
        "step_ms": 1000 * telling.steps / steps,
        "share": telling.wall / telling.steps,
        "cpu_share_of_20_ms": telling.cpu / (steps * STEP_SECONDS),
    }


def told(models: Models, steps: int) -> dict[str, float]:
    """Draw one while another process reads what is told."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as reader:  # noqa: S607 - found on the path
        assert reader.stdin is not None  # noqa: S101 - narrows the type
        return measured(models, reader.stdin, steps)


def main(folder: str, steps: int) -> None:
    subprocess.run([sys.executable, str(TINY), folder, "64"], check=True, stderr=subprocess.DEVNULL)
    place = Path(folder) / "64"
    models = Models(model=str(place / "base"), refiner=str(place / "refiner"), device="cpu", dtype="")
    print(json.dumps(told(models, steps)))


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        main(folder, STEPS)
