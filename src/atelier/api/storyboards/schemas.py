"""Front door D's requests as they are checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from atelier.api.fields import AspectRatio, Filled, Quality, SandboxScript, Text

LONGEST_PATH = 1100
MOST_STYLES = 50
MOST_BEATS = 2000

Number = Annotated[int, Field(ge=0, le=999_999_999)] | Annotated[str, Field(min_length=1, max_length=200)]
"""A shot's or a beat's: a number, or a name like `1.1`."""

LETTERS = "Letters and digits of any script, blanks inside, `.`, `_`, `-`; at most 64 characters."


class BeatRequest(BaseModel):
    """A beat of one style. Unknown fields are ignored; null means left out."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    shot_number: Number = Field(description=f"Names the folder. {LETTERS}")
    beat_number: Number = Field(description=f"Names the file; each beat of a style once. {LETTERS}")
    transition_type: Annotated[Text, Field(max_length=32)] | None = Field(
        None, description="`H`, a hard cut, is drawn in the style of the project's reference."
    )
    ai_prompt: Filled = Field(min_length=1, max_length=10_000)
    priority: int | None = Field(None, ge=-1000, le=1000, description="Higher goes first; left out: 0.")
    quality: Quality | None = Field(None, description="Left out: standard.")
    aspect_ratio: AspectRatio | None = Field(None, description="Left out: 16:9.")
    sandbox: SandboxScript | None = Field(None, description="Scripted behaviour; the sandbox draws this beat.")


class StyleRequest(BaseModel):
    """A style and its beats, in the order of the story."""

    model_config = ConfigDict(strict=True)

    style: str
    beats: list[BeatRequest]


def _styles(value: object) -> object:
    """Take the styles in their order: an error names a style by its place, never by what a caller called it."""
    if not isinstance(value, dict):
        raise PydanticCustomError("dict_type", "Input should be an object that has lists of beats by style")
    if not value:
        raise PydanticCustomError("too_short", "Input should have one style at least")
    return [{"style": style, "beats": beats} for style, beats in value.items()]


Styles = Annotated[list[StyleRequest], BeforeValidator(_styles, json_schema_input_type=dict[str, list[BeatRequest]])]


class StoryboardRequest(BaseModel):
    """A project's beats by style. Unknown fields are ignored; null means left out."""

    model_config = ConfigDict(
        strict=True,
        allow_inf_nan=False,
        populate_by_name=True,
        json_schema_extra={
            "examples": [
                {
                    "projectPath": "films/lighthouse",
                    "promptsByStyle": {
                        "illustration": [
                            {
                                "shot_number": 1,
                                "beat_number": "1.1",
                                "transition_type": "H",
                                "ai_prompt": "A lighthouse above the sea at sunset, seen from a boat",
                            },
                            {"shot_number": 1, "beat_number": "1.2", "ai_prompt": "The keeper climbs the stairs"},
                        ],
                        "clear": [{"shot_number": 1, "beat_number": "1.1", "ai_prompt": "A lighthouse at sunset"}],
                    },
                }
            ]
        },
    )

    project_path: str = Field(
        alias="projectPath",
        min_length=1,
        max_length=LONGEST_PATH,
        description=f"Folders below the root, apart by `/`; one at the beginning falls away. Each: {LETTERS}",
    )
    prompts_by_style: Styles = Field(
        alias="promptsByStyle", min_length=1, max_length=MOST_STYLES, description=f"Names of styles: {LETTERS}"
    )
    max_concurrency: int | None = Field(
        None, ge=1, le=1000, description="Most beats under way at once; left out: what the pools and slots allow."
    )
    redraw: Literal["none", "changed", "all"] | None = Field(
        None, description="Which beats that have pictures are drawn again; left out: none."
    )
    sandbox: SandboxScript | None = Field(None, description="Of every beat that has none itself.")


class RedrawRequest(BaseModel):
    """How a beat is drawn again."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    seed: int | None = Field(None, ge=0, le=4_294_967_294, description="Left out: another one.")
    ai_prompt: Filled | None = Field(None, min_length=1, max_length=10_000, description="Left out: as before.")


class Page(BaseModel):
    """Which storyboards to list."""

    model_config = ConfigDict(extra="ignore")

    cursor: Annotated[str, Field(max_length=LONGEST_PATH)] = ""
    limit: int = Field(50, ge=1, le=200)
