"""Projects' folders: names that are only names, files that nothing leads out of, progress that is what lies there."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.history import picture_of
from tests.jobs import Clock

from atelier import media
from atelier.errors import InvalidInput, StorageError, StorageRefused
from atelier.pipelines.projects import MOST_BYTES, Copy, Spot, name_of, path_of
from atelier.storage.projects import confined
from atelier.storage.projects.disk import LARGEST, DiskProjects

LOC = ("body", "projectPath")

ALLOWED = {
    "a": "a",
    "/path/to/project": "path/to/project",
    "path//to/": "path/to",
    "My Film 2": "My Film 2",
    "фильм/第一章/ผู้กำกับ/भूमिका": "фильм/第一章/ผู้กำกับ/भूमिका",
    "a.b_c-d": "a.b_c-d",
    ".hidden": ".hidden",
    "a..b": "a..b",
    "x" * 64: "x" * 64,
    "/".join("abcdefghijklmnop"): "/".join("abcdefghijklmnop"),
    unicodedata.normalize("NFD", "Café"): "Café",
}

REFUSED = (
    "", "/", "//", "..", "../a", "a/..", "a/../b", "a/./b", ".", "...", "a/ /b", " a", "a ", "a\\b", "..\\..", "C:\\x", "C:/x",
    "a\x00b", "a\nb", "%2e%2e", "a%2fb", "~", "$HOME", "a*", "a?", "a:b", "a|b", "<a>", "a\u202eb", "a\u2028b", "\uff0e\uff0e/a", "\u2025/a", "a\uff0fb",
    "x" * 65, "\U0001d4b3" * 60, "/".join("abcdefghijklmnopq"), "\ud800", "a\u200bb", "file://a", "-", "__", "\u0000", "a/\u0007",
)  # fmt: skip


@pytest.mark.parametrize(("text", "path"), ALLOWED.items(), ids=range(len(ALLOWED)))
def test_paths_that_are_below_the_root(text: str, path: str) -> None:
    assert path_of(text, LOC) == path
    assert path_of(path, LOC) == path


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_paths_that_could_be_more_than_that(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        path_of(text, LOC)
    assert refused.value.loc == LOC
    assert len(text) < 4 or text not in refused.value.message


@given(st.text(max_size=80))
def test_whatever_is_taken_for_a_name_is_one(text: str) -> None:
    try:
        name = name_of(text, LOC)
    except InvalidInput:
        return
    assert os.sep not in name
    assert name not in {".", ".."}
    assert len(f".Beat_{name}.png.unreadable".encode()) <= 255
    assert len(name.encode()) <= MOST_BYTES
    assert name.isprintable()
    assert Path("/root", name).parent == Path("/root")


SPOT = Spot(project="films/hill", style="clear", shot="1", beat="1.1")


class Ground:
    """A root, the pictures that are copied there, and what lies outside."""

    def __init__(self, folder: Path, clock: Clock, style: Path | None = None) -> None:
        self.root, self.pictures, self.outside = folder / "root", folder / "pictures", folder / "outside"
        self.clock = clock
        for each in (self.pictures, self.outside):
            each.mkdir()
        self.projects = DiskProjects(
            self.root,
            locks=folder / "locks",
            pictures=lambda name: (self.pictures / name, "image/png"),
            route="/pictures",
            style=style,
            now=clock,
        )

    def copy(self, spot: Spot = SPOT, data: bytes | None = None, *, over: bool = False) -> Copy:
        """Return a copy of a picture that is stored now."""
        data = data if data is not None else picture_of(f"{spot.style} {spot.beat}")
        name = f"{abs(hash(data))}.png"
        (self.pictures / name).write_bytes(data)
        return Copy(spot=spot, location=f"/pictures/{name}", format="png", made_at=self.clock(), over=over)

    def file(self, spot: Spot = SPOT) -> Path:
        return (
            self.root / spot.project / "generated_images" / spot.style / f"Shot_{spot.shot}" / f"Beat_{spot.beat}.png"
        )

    def progress(self, style: str = "clear") -> list[str]:
        found: list[str] = json.loads((self.root / SPOT.project / f"image_progress_{style}.json").read_text())[
            "completedBeats"
        ]
        return found


@pytest.fixture
def ground(tmp_path: Path, clock: Clock) -> Ground:
    return Ground(tmp_path, clock)


def spot(beat: str, shot: str = "1", style: str = "clear") -> Spot:
    return Spot(project=SPOT.project, style=style, shot=shot, beat=beat)


async def test_pictures_are_copied_and_progress_is_in_the_order_of_the_story(ground: Ground) -> None:
    beats = [("1.10", "1"), ("1.2", "1"), ("10.1", "10"), ("2.1", "2"), ("intro", "opening")]
    await ground.projects.bring([ground.copy(spot(beat, shot)) for beat, shot in beats])
    assert ground.progress() == ["1.2", "1.10", "2.1", "10.1", "intro"]
    await ground.projects.bring([ground.copy(spot("1.1", style="other"))])
    assert (ground.progress("other"), len(ground.progress())) == (["1.1"], 5)


async def test_a_copy_is_png_and_other_formats_are_converted(ground: Ground) -> None:
    picture = media.reduced(media.inspect(picture_of("A hill")), 64)
    copy = replace(ground.copy(data=picture), format="jpeg")
    await ground.projects.bring([copy])
    assert media.inspect(ground.file().read_bytes()).facts.format == "png"


async def test_what_lies_there_stays_unless_it_was_drawn_again_since(ground: Ground) -> None:
    first, second = picture_of("first"), picture_of("second")
    ground.file().parent.mkdir(parents=True)
    ground.file().write_bytes(b"somebody else's")
    os.utime(ground.file(), (0, 0))
    await ground.projects.bring([ground.copy(data=first)])
    assert ground.file().read_bytes() == b"somebody else's"
    await ground.projects.bring([ground.copy(data=second, over=True)])
    assert ground.file().read_bytes() == second
    ground.file().write_bytes(b"by hand")
    await ground.projects.bring([ground.copy(data=second, over=True)])
    assert ground.file().read_bytes() == b"by hand", "what is newer than the picture stays"


async def test_repeating_writes_nothing(ground: Ground) -> None:
    copies = [ground.copy(spot(str(number))) for number in range(5)]
    await ground.projects.bring(copies)
    paths = [path for path in ground.root.rglob("*") if path.is_file()]
    before = {path: path.stat().st_ino for path in paths}
    ground.clock.pass_(hours=1)
    await ground.projects.bring(copies)
    assert {path: path.stat().st_ino for path in ground.root.rglob("*") if path.is_file()} == before


async def test_many_at_once_leave_the_whole_progress(ground: Ground, tmp_path: Path, clock: Clock) -> None:
    second = DiskProjects(
        ground.root, locks=tmp_path / "locks", pictures=lambda name: (ground.pictures / name, ""), route="/pictures",
        style=None, now=clock,
    )  # fmt: skip
    copies = [ground.copy(spot(f"1.{number}")) for number in range(24)]
    await asyncio.gather(
        *((second if n % 2 else ground.projects).bring([copy]) for n, copy in enumerate([*copies, *copies]))
    )
    assert ground.progress() == [f"1.{number}" for number in range(24)]
    assert not [path for path in ground.root.rglob("*") if path.name.endswith(".part")]


async def test_an_older_list_never_comes_last(ground: Ground, tmp_path: Path, clock: Clock) -> None:
    """One process has read what lies there and is slow to write; another brings one more meanwhile."""
    read, written = threading.Event(), threading.Event()

    class Slow(DiskProjects):
        def _beats(self, project: str, style: str) -> Iterator[str]:
            found = list(super()._beats(project, style))
            read.set()
            written.wait(0.5)
            return iter(found)

    slow = Slow(
        ground.root,
        locks=tmp_path / "locks",
        pictures=lambda name: (ground.pictures / name, ""),
        route="/pictures",
        style=None,
        now=clock,
    )
    first = asyncio.create_task(slow.bring([ground.copy(spot("1.1"))]))
    await asyncio.to_thread(read.wait)
    await ground.projects.bring([ground.copy(spot("1.2"))])
    written.set()
    await first
    assert ground.progress() == ["1.1", "1.2"]


async def test_no_link_leads_out(ground: Ground) -> None:
    ground.file().parent.mkdir(parents=True)
    (ground.outside / "secret.png").write_bytes(picture_of("secret"))
    ground.file().symlink_to(ground.outside / "secret.png")
    assert await ground.projects.earlier(SPOT) is None, "a linked file is none"
    await ground.projects.bring([ground.copy(over=True)])
    assert not ground.file().is_symlink()
    assert (ground.outside / "secret.png").read_bytes() == picture_of("secret")
    project = ground.root / "films" / "other"
    for linked, at in (
        (project, project),
        (ground.root / "films" / "third" / "generated_images", project.parent / "third"),
    ):
        linked.parent.mkdir(parents=True, exist_ok=True)
        linked.symlink_to(ground.outside)
        inner = Spot(project=f"films/{at.name}", style="s", shot="1", beat="1")
        with pytest.raises(StorageRefused):
            await ground.projects.bring([ground.copy(inner)])
        with pytest.raises(StorageRefused):
            await ground.projects.earlier(inner)
    with pytest.raises(StorageRefused):
        await ground.projects.check("films/other")
    assert [path.name for path in ground.outside.iterdir()] == ["secret.png"]


async def test_a_folder_that_is_swapped_for_a_link_after_it_was_resolved_is_not_entered(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ground.projects.bring([ground.copy()])
    resolve, shot = confined.below, ground.file().parent

    def swapping(root: Path, names: tuple[str, ...]) -> tuple[str, ...]:
        parts = resolve(root, names)
        if "Shot_1" in parts and not shot.is_symlink():
            shot.rename(shot.with_name("moved"))
            shot.symlink_to(ground.outside)
        return parts

    monkeypatch.setattr(confined, "below", swapping)
    with pytest.raises(StorageRefused):
        await ground.projects.bring([ground.copy(spot("1.2"))])
    assert list(ground.outside.iterdir()) == []


async def test_special_files_are_not_waited_for(ground: Ground) -> None:
    ground.file().parent.mkdir(parents=True)
    os.mkfifo(ground.file())
    async with asyncio.timeout(60):
        assert await ground.projects.earlier(SPOT) is None


async def test_a_file_that_is_too_large_is_no_picture(ground: Ground) -> None:
    ground.file().parent.mkdir(parents=True)
    with ground.file().open("wb") as file:
        file.truncate(LARGEST + 1)  # holes take no room
    assert await ground.projects.earlier(SPOT) is None
    assert await ground.projects.there([SPOT]) == frozenset()


async def test_a_folder_that_cannot_be_written_is_told(ground: Ground) -> None:
    ground.root.mkdir()
    (ground.root / "films").write_text("a file")
    with pytest.raises(StorageError):
        await ground.projects.bring([ground.copy()])
    assert await ground.projects.earlier(SPOT) is None
    assert await ground.projects.there([SPOT]) == frozenset()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_what_lies_there_counts_where_it_is_a_whole_picture(ground: Ground, kind: str) -> None:
    out = io.BytesIO()
    Image.effect_noise((64, 64), 80).convert("RGB").save(out, kind)
    whole = out.getvalue()
    ground.file().parent.mkdir(parents=True)
    for data, counts in (
        (whole, True),
        (whole + b"behind its end", True),
        (whole[:-9], False),
        (whole[: len(whole) // 2], False),
        (whole[:3], False),
        (b"", False),
        (b"no picture", False),
        (b"<html>" + whole, False),
    ):
        ground.file().write_bytes(data)
        assert (await ground.projects.there([SPOT]) == {SPOT}) is counts, len(data)


async def test_the_style_reference_is_the_nearest_there_is(tmp_path: Path, clock: Clock) -> None:
    configured = tmp_path / "house.png"
    configured.write_bytes(b"house")
    (tmp_path / "ground").mkdir()
    ground = Ground(tmp_path / "ground", clock, configured)
    project = ground.root / SPOT.project
    project.mkdir(parents=True)

    async def found() -> tuple[str, bytes]:
        reference = await ground.projects.reference(SPOT)
        assert reference is not None
        return reference.name, reference.data

    assert await found() == ("house.png", b"house")
    (project / "style_reference.png").write_bytes(b"project")
    assert await found() == ("style_reference.png", b"project")
    (project / "style_reference_clear.png").write_bytes(b"style")
    assert await found() == ("style_reference_clear.png", b"style")
    (project / "style_reference_clear.png").unlink()
    (project / "style_reference_other.png").write_bytes(b"other")
    assert await found() == ("style_reference.png", b"project")


async def test_without_any_reference_there_is_none(ground: Ground) -> None:
    assert await ground.projects.reference(SPOT) is None


async def test_files_are_as_old_as_their_pictures(ground: Ground) -> None:
    copy = ground.copy()
    ground.clock.pass_(hours=1)
    await ground.projects.bring([copy])
    assert abs(ground.file().stat().st_mtime - copy.made_at.timestamp()) < 0.001
    assert timedelta(hours=1) == ground.clock() - copy.made_at


async def test_a_turn_that_never_comes_is_said_and_holds_up_nobody_else(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that stands still keeps its locks."""
    monkeypatch.setattr("atelier.storage.projects.disk.TURN_SECONDS", 0.5)
    monkeypatch.setattr("atelier.storage.projects.disk.PATIENCE", timedelta(seconds=3))
    await ground.projects.bring([ground.copy(spot("1.0"))])
    (name,) = await asyncio.to_thread(lambda: list((tmp_path / "locks").iterdir()))
    handle = await asyncio.to_thread(os.open, name, os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        brings = [asyncio.create_task(ground.projects.bring([ground.copy(spot(f"1.{n}"))])) for n in range(1, 40)]
        await asyncio.sleep(0.2)
        async with asyncio.timeout(2):
            await asyncio.to_thread(lambda: None)
        outcomes = await asyncio.gather(*brings, return_exceptions=True)
        await ground.projects.bring(
            [ground.copy(SPOT.model_copy(update={"project": "films/other"}))]
        )  # places are free
    finally:
        os.close(handle)
    assert {str(outcome)[:36] for outcome in outcomes} == {"Another process keeps this project's"}
    assert ground.file(spot("1.39")).exists()
    await ground.projects.bring([ground.copy(spot("1.40"))])
    assert len(ground.progress()) == 41
