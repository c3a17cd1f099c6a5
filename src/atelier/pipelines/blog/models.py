"""What a post's job is asked for, and what it leaves."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from atelier.jobs.models import Json
from atelier.pipelines.ports import Script

KIND = "blog"

Tone = Literal["professional", "casual", "friendly", "authoritative", "conversational", "technical", "creative"]
Length = Literal["short", "medium", "long", "extended"]


class Switches(BaseModel):
    """Which stages shall do their work; one that is off is passed through as skipped."""

    model_config = ConfigDict(frozen=True)

    google_search: bool = True
    fact_checking: bool = True
    citations: bool = True
    serp_optimization: bool = True
    semantic_keywords: bool = True
    quality_scoring: bool = True


class BlogParams(BaseModel):
    """A post's request as it is stored with the job. `words` is what was asked for in words; None: `length` says it."""

    model_config = ConfigDict(frozen=True)

    blog_id: str
    topic: str
    provider: str
    """A text provider's name, or `first_that_works`."""
    keywords: tuple[str, ...] = ()
    tone: Tone = "professional"
    length: Length = "medium"
    words: int | None = None
    target_audience: str = ""
    custom_instructions: str = ""
    template_type: str = ""
    sources: tuple[str, ...] = ()
    """Addresses that the caller gives as sources."""
    switches: Switches = Switches()
    script: Script = Script()


class Citation(BaseModel):
    """A sentence of the post, and the source that says so."""

    model_config = ConfigDict(frozen=True)

    text: str
    url: str
    title: str


class Dimension(BaseModel):
    """One side of a post's quality: 0 to 100, and what that was seen from."""

    model_config = ConfigDict(frozen=True)

    name: str
    score: float
    evidence: str


class StageResult(BaseModel):
    """What a stage did: done or skipped, why, who wrote for it, the tokens and US dollars that took."""

    model_config = ConfigDict(frozen=True)

    stage: str
    status: Literal["completed", "skipped"] = "completed"
    reason: str = ""
    provider: str | None = None
    model: str | None = None
    tokens: int = 0
    cost: float = 0.0
    details: Json = {}


class SemanticKeyword(BaseModel):
    """A term that belongs to the topic, and how often it stands in the post before and after it was placed."""

    model_config = ConfigDict(frozen=True)

    term: str
    before: int
    after: int


class BlogResult(BaseModel):
    """A finished post. Scores are 0 to 100; times in seconds, costs in US dollars."""

    model_config = ConfigDict(frozen=True)

    success: bool = True
    blog_id: str
    title: str
    content: str
    """Markdown."""
    content_html: str
    """The same as sanitised HTML."""
    meta_title: str
    meta_description: str
    readability_score: float
    seo_score: float
    quality_score: float | None
    """None where scoring was switched off."""
    quality_dimensions: tuple[Dimension, ...] = ()
    semantic_keywords: tuple[SemanticKeyword, ...] = ()
    citations: tuple[Citation, ...] = ()
    seo_metadata: Json
    structured_data: Json
    """JSON-LD."""
    content_metadata: Json
    stage_results: tuple[StageResult, ...]
    total_tokens: int
    total_cost: float
    generation_time: float
