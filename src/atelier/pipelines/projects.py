"""Projects of storyboards as other tools see them: folders with pictures at agreed places, below one root."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from atelier.errors import InvalidInput
from atelier.frozen import frozen
from atelier.media import Format

LONGEST_NAME = 64
MOST_BYTES = 200
"""Of a name as a file system counts: what is put around a beat's name has to fit beside it."""

MOST_FOLDERS = 16
"""Most folders of a project's path."""

ALLOWED = frozenset(" ._-")
_RULE = "may have letters and digits of any script, blanks inside, and . _ -"


class Spot(BaseModel):
    """A beat's place: its project's folder below the root, its style, shot and number. Names are checked already."""

    model_config = ConfigDict(frozen=True)

    project: str
    style: str
    shot: str
    beat: str


@frozen
class Copy:
    """A stored picture that belongs to a spot. `over`: it was drawn again, so it replaces what is older than `made_at`."""

    spot: Spot
    location: str
    format: Format
    made_at: datetime
    over: bool


@frozen
class StyleReference:
    """A picture whose style hard cuts shall have: the name of its file, and its bytes, not looked at yet."""

    name: str
    data: bytes


class Projects(Protocol):
    """Projects' folders. Everything raises StorageError; StorageRefused where a folder leads out of the root."""

    async def check(self, project: str) -> None:
        """Raise StorageRefused where a project's folder leads out of the root."""

    async def earlier(self, spot: Spot) -> bytes | None:
        """Return what lies at a spot already; None: nothing."""

    async def there(self, spots: Sequence[Spot]) -> frozenset[Spot]:
        """Return those spots at which a picture lies, as far as its size, beginning and end tell."""

    async def set_aside(self, spot: Spot) -> None:
        """Give what lies at a spot another name: it is no picture, and nobody asked for it to be overwritten."""

    async def reference(self, spot: Spot) -> StyleReference | None:
        """Return the style reference for a spot: its style's in the project, the project's, the configured one, or none."""

    async def bring(self, copies: Sequence[Copy]) -> None:
        """Copy pictures to their spots where they are not there yet, as PNG, and tell each style's progress. Repeating is harmless."""


def name_of(text: str, loc: tuple[str | int, ...]) -> str:
    """Return a name as files are called. Raises InvalidInput, with its place in the request, for what could be more than a name."""
    name = unicodedata.normalize("NFC", text)
    if not name or len(name) > LONGEST_NAME or len(name.encode(errors="replace")) > MOST_BYTES:
        raise InvalidInput(f"A name has 1 to {LONGEST_NAME} characters, in at most {MOST_BYTES} bytes.", loc=loc)
    if not all(char in ALLOWED or unicodedata.category(char)[0] in "LMN" for char in name):
        raise InvalidInput(f"A name {_RULE}.", loc=loc)
    if name != name.strip() or not name.strip("._- "):
        raise InvalidInput("A name begins and ends without blanks and has a letter or a digit.", loc=loc)
    return name


def path_of(text: str, loc: tuple[str | int, ...]) -> str:
    """Return a project's path below the root: slashes at its ends, and doubled ones, fall away. Raises InvalidInput."""
    parts = [part for part in text.split("/") if part]
    if not parts or len(parts) > MOST_FOLDERS:
        raise InvalidInput(f"A project's path has 1 to {MOST_FOLDERS} folders.", loc=loc)
    return "/".join(name_of(part, loc) for part in parts)
