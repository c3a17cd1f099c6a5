"""Front door B's wire for what a job has done so far, and for the finished post."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from atelier.pipelines.blog.models import Citation, Dimension, SemanticKeyword

UpdateStatus = Literal["pending", "queued", "processing", "completed", "failed", "cancelled", "skipped"]


class BlogGenerationStage(StrEnum):
    """Where a post's job is."""

    QUEUED = "queued"
    INITIALIZATION = "initialization"
    KEYWORD_ANALYSIS = "keyword_analysis"
    COMPETITOR_ANALYSIS = "competitor_analysis"
    INTENT_ANALYSIS = "intent_analysis"
    LENGTH_OPTIMIZATION = "length_optimization"
    RESEARCH_OUTLINE = "research_outline"
    DRAFT_GENERATION = "draft_generation"
    ENHANCEMENT = "enhancement"
    SEO_POLISH = "seo_polish"
    SEMANTIC_INTEGRATION = "semantic_integration"
    QUALITY_SCORING = "quality_scoring"
    CITATION_GENERATION = "citation_generation"
    FINALIZATION = "finalization"
    COMPLETED = "completed"
    ERROR = "error"


class BlogProgressUpdate(TypedDict):
    """One record of the job's log, with the place of its stage among all."""

    seq: int
    run: int
    stage: BlogGenerationStage
    stage_number: Annotated[
        int, Field(description="`queued` is 0, `initialization` 1, `finalization` and `completed` 13.")
    ]
    total_stages: int
    status: UpdateStatus
    progress_percentage: float
    message: str
    details: Annotated[str, Field(description="The message, under its name of this front door.")]
    data: dict[str, Any]
    metadata: Annotated[
        dict[str, Any], Field(description="`data`, with the whole text of a section where one was written.")
    ]
    timestamp: datetime


class BlogStageResult(BaseModel):
    """What a stage did, who wrote for it, and the tokens and US dollars that took."""

    stage: BlogGenerationStage
    status: Literal["completed", "skipped"]
    reason: str = Field(description="Why it was skipped; else empty.")
    provider: str | None
    model: str | None
    tokens: int
    cost: float
    details: dict[str, Any]


class BlogResultView(BaseModel):
    """A finished post. Scores are 0 to 100, times seconds, costs US dollars."""

    success: bool
    job_id: str
    status: Literal["completed"]
    blog_id: str
    title: str
    content: str = Field(description="Markdown.")
    content_html: str = Field(description="The same as sanitised HTML.")
    meta_title: str
    meta_description: str
    readability_score: float
    seo_score: float
    quality_score: float | None = Field(description="Null where scoring was switched off.")
    quality_dimensions: list[Dimension]
    semantic_keywords: list[SemanticKeyword]
    citations: list[Citation]
    seo_metadata: dict[str, Any]
    structured_data: dict[str, Any] = Field(description="JSON-LD.")
    content_metadata: dict[str, Any]
    stage_results: list[BlogStageResult]
    total_tokens: int
    total_cost: float
    generation_time: float
    warnings: list[str]
    progress_updates: list[BlogProgressUpdate]
