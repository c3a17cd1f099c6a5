"""What the requests of several dialects are made of: texts, identifiers, scripted behaviour, filters of a list."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

JobStatus = Literal["pending", "queued", "processing", "completed", "failed", "cancelled"]
AspectRatio = Literal["16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"]
Quality = Literal["draft", "standard", "high", "ultra"]
Scenario = Literal[
    "ok", "noop", "slow", "rate_limited_then_ok", "provider_down_then_ok", "refused", "garbage", "stall", "worker_lost"
]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Return a text without control characters but tab and newline. Raises ValueError for another."""
    if _CONTROL.search(text.replace("\r\n", "\n")):
        raise ValueError("control characters other than tab and newline are not allowed")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Text = Annotated[str, AfterValidator(printable)]
Filled = Annotated[Text, AfterValidator(_not_blank)]
IDENTIFIER = r"^[A-Za-z0-9._:-]{1,128}$"
KEY = r"^[\x21-\x7e]{1,255}$"
KIND = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$"
PATTERNS = {
    IDENTIFIER: "should be 1 to 128 letters, digits and . _ : -",
    KEY: "should be 1 to 255 visible ASCII characters without blanks",
    KIND: "should be 1 to 64 letters, digits, blanks and . _ -, a letter or digit first",
}
"""What texts have to look like, and how callers are told."""

Identifier = Annotated[str, Field(pattern=IDENTIFIER)]


class SandboxScript(BaseModel):
    """What the sandbox shall do: a scenario, its length, and when the job may start. Null means left out."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    scenario: Scenario | None = Field(
        "ok", description="`noop` draws nothing; the others draw, or fail as they are named."
    )
    seconds: float | None = Field(5.0, ge=0, le=600, description="How long `slow` lasts.")
    hold_until: float | None = Field(
        0, ge=0, le=4_102_444_800, description="Unix seconds before which the job is not started."
    )

    @model_validator(mode="after")
    def _write_out(self) -> Self:
        """Put its default where null stands: both are the same request."""
        for name, field in type(self).model_fields.items():
            if getattr(self, name) is None:
                setattr(self, name, field.default)
        return self


class Page(BaseModel):
    """Which jobs to list, whatever their kind."""

    model_config = ConfigDict(extra="ignore")

    status: JobStatus | None = None
    blog_id: Identifier | None = None
    created_after: datetime | None = None
    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: int = Field(50, ge=1, le=200)
