import hashlib
import itertools
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from atelier.providers.painting import ASPECT_RATIOS, STYLES, Commission, paint, size_of, steps_of

SOURCE = Path(__file__).parents[2] / "src"
PIXELS = {"draft": 300_000, "standard": 1_050_000, "high": 1_800_000, "ultra": 3_000_000}
AWKWARD = (
    "",
    "   \n\t ",
    "🎨🎨🎨 🚀",
    "山と湖の夕暮れ",
    "line\nbreak\x00\x07\x1b[31mred",
    "x" * 10_000,
    "many words " * 1_000,
    "Café Żółw — naïve “quotes”",
    "\ud800 lone surrogate",
    "مرحبا بالعالم",
    "e\u0301\u200d\u202e",
)


@cache
def finished(**fields: Any) -> Image.Image:
    return list(paint(Commission(**{"quality": "draft", **fields})))[-1]


def thumbnail(picture: Image.Image, side: int = 64) -> NDArray[np.float32]:
    return np.asarray(picture.resize((side, side), Image.Resampling.BOX), np.float32)


def distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.abs(one - other).mean())


def test_equal_commissions_give_equal_bytes_here_and_in_another_process() -> None:
    code = (
        "import hashlib; from atelier.providers.painting import Commission, paint;"
        "c = Commission(prompt='a lake', style='low-poly', quality='draft', seed=7);"
        "print(hashlib.sha256(list(paint(c))[-1].tobytes()).hexdigest())"
    )
    commission = Commission(prompt="a lake", style="low-poly", quality="draft", seed=7)
    here = {hashlib.sha256(list(paint(commission))[-1].tobytes()).hexdigest() for _ in range(2)}
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": "11"}
    there = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert here == {there.stdout.strip()}


@pytest.mark.parametrize("ratio", ASPECT_RATIOS)
def test_every_ratio_is_painted_in_its_size(ratio: str) -> None:
    picture = finished(prompt="sea", aspect_ratio=ratio)
    assert picture.mode == "RGB"
    assert picture.size == size_of(Commission(prompt="sea", aspect_ratio=ratio, quality="draft"))


@pytest.mark.parametrize("quality", PIXELS)
@pytest.mark.parametrize("ratio", ASPECT_RATIOS)
def test_sizes_keep_the_grid_the_ratio_and_the_area(ratio: str, quality: str) -> None:
    width, height = size_of(Commission(prompt="", aspect_ratio=ratio, quality=quality))
    across, down = (int(part) for part in ratio.split(":"))
    assert width % 8 == height % 8 == 0
    assert abs(width / height / (across / down) - 1) < 0.01
    assert abs(width * height / PIXELS[quality] - 1) < 0.15


def test_styles_differ_from_each_other_at_thumbnail_size() -> None:
    prompt = "mountain lake at sunset"
    pictures = {style: thumbnail(finished(prompt=prompt, style=style, seed=4)) for style in (None, *STYLES)}
    for one, other in itertools.combinations(pictures, 2):
        assert distance(pictures[one], pictures[other]) > 5, (one, other)


def test_seeds_prompts_and_negative_prompts_change_the_picture() -> None:
    pictures = [
        thumbnail(finished(prompt="a quiet place", seed=1)),
        thumbnail(finished(prompt="a quiet place", seed=2)),
        thumbnail(finished(prompt="a quieter place", seed=1)),
        thumbnail(finished(prompt="a quiet place", negative_prompt="people", seed=1)),
    ]
    for one, other in itertools.combinations(pictures, 2):
        assert distance(one, other) > 8


@pytest.mark.parametrize(("quality", "style"), [("draft", None), ("draft", "isometric"), ("standard", "anime")])
def test_the_steps_are_counted_and_the_canvases_have_the_size(quality: str, style: str | None) -> None:
    commission = Commission(prompt="forest", style=style, quality=quality, seed=3)
    canvases = list(paint(commission))
    assert len(canvases) == steps_of(commission)
    assert {(canvas.size, canvas.mode) for canvas in canvases} == {(size_of(commission), "RGB")}
    assert thumbnail(canvases[0]).mean() > 12


def test_a_yielded_canvas_stays_as_it_was() -> None:
    seen = [
        (canvas, hashlib.sha256(canvas.tobytes()).digest()) for canvas in paint(Commission(prompt="a", quality="draft"))
    ]
    assert all(hashlib.sha256(canvas.tobytes()).digest() == digest for canvas, digest in seen)


def test_the_picture_nears_its_finish() -> None:
    canvases = [thumbnail(canvas) for canvas in paint(Commission(prompt="desert", quality="standard", seed=5))]
    left = [distance(canvas, canvases[-1]) for canvas in canvases]
    assert left[0] < 40
    assert all(later <= earlier + 1.5 for earlier, later in itertools.pairwise(left))


@pytest.mark.parametrize("prompt", AWKWARD)
def test_awkward_prompts_are_painted(prompt: str) -> None:
    assert finished(prompt=prompt).size == (544, 544)


@pytest.mark.parametrize("style", [None, "line-art", "neon-punk"])
def test_the_label_is_there_and_legible(style: str | None) -> None:
    canvases = list(paint(Commission(prompt="snowy mountain", style=style, quality="draft", seed=2)))
    before, after = (np.asarray(canvas.convert("L"), np.float32) for canvas in canvases[-2:])
    changed = np.abs(after - before) > 2
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert rows[0] > after.shape[0] * 0.85
    plate = after[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    dark, light = np.percentile(plate, (50, 99))
    assert (light / 255 + 0.05) / (dark / 255 + 0.05) > 3
    assert light - dark > 110


def test_a_draft_foretells_the_final() -> None:
    for prompt in ("mountain lake", "city at night"):
        draft = thumbnail(finished(prompt=prompt, seed=9)).ravel()
        final = thumbnail(finished(prompt=prompt, seed=9, quality="standard")).ravel()
        assert np.corrcoef(draft, final)[0, 1] > 0.97


@pytest.mark.parametrize("field", ["style", "aspect_ratio", "quality"])
def test_unknown_choices_are_refused(field: str) -> None:
    choice: dict[str, Any] = {field: "no such"}
    with pytest.raises(ValueError, match="unknown"):
        Commission(prompt="", **choice)


@pytest.mark.parametrize("seed", [-1, 4_294_967_295])
def test_seeds_outside_the_range_are_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        Commission(prompt="", seed=seed)
