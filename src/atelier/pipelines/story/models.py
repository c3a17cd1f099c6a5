"""What a story's job is asked for, what it keeps between attempts, and what it leaves."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from atelier.jobs.pipeline import Run
from atelier.pipelines.ledger import Ledger
from atelier.pipelines.ports import Script

KIND = "story"
PICTURES = "illustrations"
"""The kind of group that a story's pictures are."""


class StoryParams(BaseModel):
    """A story's request as it is stored with the job. `provider` writes, `painter` draws."""

    model_config = ConfigDict(frozen=True)

    topic: str
    level: str
    scenes: int
    illustrated: bool
    provider: str
    painter: str
    script: Script = Script()
    painter_script: Script = Script()


class Character(BaseModel):
    """Somebody in a story, and how they look: the same in every picture."""

    model_config = ConfigDict(frozen=True)

    name: str
    look: str


class Scene(BaseModel):
    """A scene: what happens, who is in its picture, what that shows, and a sentence for those who cannot see it."""

    model_config = ConfigDict(frozen=True)

    number: int
    happens: str
    characters: tuple[str, ...]
    shows: str
    alt_text: str


class Outline(BaseModel):
    """A story before it is told."""

    model_config = ConfigDict(frozen=True)

    title: str = ""
    style: str = ""
    """How all pictures are drawn."""
    characters: tuple[Character, ...] = ()
    scenes: tuple[Scene, ...] = ()


class StoryState(BaseModel):
    """How far a story is. Its texts are parts of their own."""

    ledger: Ledger = Ledger()
    outline: Outline = Outline()


class ToldScene(BaseModel):
    """A scene as readers have it."""

    model_config = ConfigDict(frozen=True)

    number: int
    text: str
    alt_text: str


class StoryText(BaseModel):
    """A story as readers have it. `text` is all scenes, a blank line between them."""

    model_config = ConfigDict(frozen=True)

    title: str
    text: str
    scenes: tuple[ToldScene, ...]


class StoryResult(StoryText):
    """What a completed story job has: the text, who is in it, and what writing it took. Tokens; US dollars; seconds."""

    characters: tuple[Character, ...]
    style: str
    provider: str
    model: str
    total_tokens: int
    total_cost: float
    generation_time: float


StoryRun = Run[StoryParams, StoryState]
