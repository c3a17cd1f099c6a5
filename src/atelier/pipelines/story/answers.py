"""The shapes of what is asked of a model for a story: as many scenes as were asked for, neither more nor fewer."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, create_model

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=6000)]


class CharacterAnswer(BaseModel):
    """Somebody in the story."""

    name: Name
    look: Line = Field(
        description="One sentence on how they look: age, build, hair, clothes, colours. It never changes."
    )


class SceneAnswer(BaseModel):
    """A scene of the outline."""

    happens: Line = Field(description="What happens, in one or two sentences.")
    characters: list[Name] = Field(description="Names of the characters in the picture.", max_length=8)
    shows: Line = Field(description="What its picture shows: place, light, what each character does. No writing in it.")
    alt_text: Line = Field(description="One short sentence that tells the picture to somebody who cannot see it.")


class OutlineAnswer(BaseModel):
    """A story's outline."""

    title: Name
    style: Line = Field(description="One line on how all pictures are drawn: medium, colours, mood.")
    characters: list[CharacterAnswer] = Field(min_length=1, max_length=8)
    scenes: list[SceneAnswer]


class TextAnswer(BaseModel):
    """The scenes as readers have them."""

    scenes: list[Prose] = Field(description="The text of each scene, in order.")


@cache
def outline_of(scenes: int) -> type[OutlineAnswer]:
    """Return the shape of an outline with so many scenes."""
    listed = (list[SceneAnswer], Field(min_length=scenes, max_length=scenes))
    return create_model(f"OutlineOf{scenes}", __base__=OutlineAnswer, scenes=listed)


@cache
def text_of(scenes: int) -> type[TextAnswer]:
    """Return the shape of a text with so many scenes."""
    listed = (list[Prose], Field(min_length=scenes, max_length=scenes, description="The text of each scene, in order."))
    return create_model(f"TextOf{scenes}", __base__=TextAnswer, scenes=listed)
