"""Front door D's requests as they are checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from atelier.api.fields import AspectRatio, Filled, Quality, SandboxScript, Text
from atelier.pipelines.projects import LONGEST_NAME

LONGEST_PATH = 1100
LONGEST_CURSOR = 6000
"""Enough for such a path in four bytes a letter, as base64."""
MOST_STYLES = 50
MOST_BEATS = 2000

LARGEST_NUMBER = 999_999_999
NUMBER = f'should be a whole number from 0 to {LARGEST_NUMBER:,}, or a text like "1.1"'


def _number(value: object) -> object:
    """Take a whole number or a text. Raises PydanticCustomError, one for both: neither is what was meant."""
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_NUMBER
    if not whole and not isinstance(value, str):
        raise PydanticCustomError("number_or_name", NUMBER)
    return value


Number = Annotated[
    int | str,
    BeforeValidator(_number),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": LARGEST_NUMBER},
                {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME},
            ]
        }
    ),
]
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


def _styles(value: object) -> object:
    """Take each style's beats, in order: an error names a style by its place, never by what a caller called it."""
    if not isinstance(value, dict):
        raise PydanticCustomError("dict_type", "Input should be an object that has lists of beats by style")
    if not value:
        raise PydanticCustomError("too_short", "Input should have one style at least")
    return list(value.values())


Styles = Annotated[
    list[list[BeatRequest]], BeforeValidator(_styles, json_schema_input_type=dict[str, list[BeatRequest]])
]


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
    names: SkipJsonSchema[list[str]] = Field([], exclude=True)
    """Of the styles, in the order of `prompts_by_style`; not sent, but taken from there."""
    max_concurrency: int | None = Field(
        None, ge=1, le=1000, description="Most beats under way at once; left out: what the pools and slots allow."
    )
    redraw: Literal["none", "changed", "all"] | None = Field(
        None, description="Which beats that have pictures are drawn again; left out: none."
    )
    sandbox: SandboxScript | None = Field(None, description="Of every beat that has none itself.")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: object) -> object:
        """Keep the styles' names beside their beats."""
        if not isinstance(data, dict):
            return data
        styles = data.get("promptsByStyle", data.get("prompts_by_style"))
        return {**data, "names": list(styles) if isinstance(styles, dict) else []}


class RedrawRequest(BaseModel):
    """How a beat is drawn again."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    seed: int | None = Field(None, ge=0, le=4_294_967_294, description="Left out: another one.")
    ai_prompt: Filled | None = Field(None, min_length=1, max_length=10_000, description="Left out: as before.")


class Page(BaseModel):
    """Which storyboards to list."""

    model_config = ConfigDict(extra="ignore")

    cursor: Annotated[str, Field(max_length=LONGEST_CURSOR, pattern=r"^[A-Za-z0-9_=-]*$")] = ""
    limit: int = Field(50, ge=1, le=200)
