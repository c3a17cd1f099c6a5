"""Front door B's wire: requests as they are checked, jobs as they are sent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    with_config,
)
from typing_extensions import TypedDict

from atelier.api.blog.result_schemas import BlogGenerationStage, BlogProgressUpdate, BlogResultView
from atelier.api.errors import Problem
from atelier.api.fields import KIND, Filled, Identifier, JobStatus, Page, SandboxScript, Text, printable
from atelier.api.wire_schemas import AcceptedJob, Cancellation, JobState
from atelier.pipelines.blog.models import Length, Tone

TextProvider = Literal["openai", "anthropic", "gemini", "sandbox"]


_ADDRESS = TypeAdapter(AnyHttpUrl)


def _web_address(text: str) -> str:
    url = _ADDRESS.validate_python(text)
    if url.username or url.password:
        raise ValueError("an address with a name or password in it is not fetched")
    return str(url)


Keyword = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(printable)
]
Address = Annotated[Text, Field(max_length=2000), AfterValidator(_web_address)]
Kind = Annotated[str, Field(pattern=KIND)]


class BlogRequest(BaseModel):
    """A post to write. Unknown fields are ignored; null means left out."""

    model_config = ConfigDict(
        strict=True,
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {
                    "topic": "Growing tomatoes on a balcony",
                    "keywords": ["tomatoes", "balcony garden"],
                    "tone": "friendly",
                    "length": "short",
                }
            ]
        },
    )

    topic: Filled = Field(min_length=1, max_length=500)
    keywords: list[Keyword] | None = Field(
        None, max_length=50, description="Trimmed; of those that differ in case only the first one counts."
    )
    tone: Tone | None = Field(None, description="Left out: professional.")
    length: Length | None = Field(
        None, description="About 600, 1200, 2200 or 3500 words; left out: medium. Not together with `target_length`."
    )
    target_length: int | None = Field(None, ge=200, le=6000, description="Words. Not together with `length`.")
    target_audience: Text | None = Field(None, max_length=200)
    custom_instructions: Text | None = Field(None, max_length=2000, description="Wishes for style and content.")
    template_type: Kind | None = Field(None, description="What kind of post: `how-to`, say, or `listicle`.")
    blog_id: Identifier | None = Field(None, description="What the post is found by; left out: one is made.")
    provider: TextProvider | None = Field(None, description="Who writes; left out: the first one that works.")
    sources: list[Address] | None = Field(
        None, max_length=20, description="Pages that may be cited, besides those that a search finds."
    )
    use_google_search: bool | None = Field(None, description="Search the web; left out: yes.")
    use_fact_checking: bool | None = Field(None, description="Check claims against the sources; left out: yes.")
    use_citations: bool | None = Field(None, description="Cite the sources; left out: yes.")
    use_serp_optimization: bool | None = Field(
        None,
        description="Have title, description and headings polished for the lists of search engines; left out: yes.",
    )
    use_semantic_keywords: bool | None = Field(None, description="Place terms that belong to the topic; left out: yes.")
    use_quality_scoring: bool | None = Field(None, description="Score the post; left out: yes.")
    async_mode: bool | None = Field(None, description="As in the query, which goes before this.")
    sandbox: SandboxScript | None = Field(None, description="Scripted behaviour of the sandbox provider.")


_JOB = "http://localhost:8000/api/v1/blog/jobs/7c2d0f9b6a1e4d58b3f4a5c6d7e8f901"


@with_config(
    ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job_id": "7c2d0f9b6a1e4d58b3f4a5c6d7e8f901",
                    "status": "queued",
                    "message": "Blog generation job queued successfully",
                    "estimated_completion_time": 2.0,
                    "blog_id": "tomatoes",
                    "warnings": [],
                    "urls": {
                        "self": _JOB,
                        **{name: f"{_JOB}/{name}" for name in ("stream", "cancel", "retry", "ticket")},
                    },
                }
            ]
        }
    )
)
class BlogAccepted(AcceptedJob):
    """The job is recorded durably and queued."""

    status: JobStatus
    blog_id: str
    urls: dict[str, str]


class PostProblem(Problem):
    """Why there is no post yet, or never will be, and the job that was to make it."""

    job_id: str
    urls: dict[str, str]


class BlogJobView(JobState):
    """A post's job as it is now. Times are RFC 3339 in UTC, durations are seconds."""

    current_stage: BlogGenerationStage
    stage_number: int
    total_stages: int
    result: Annotated[BlogResultView | None, Field(description="Set when completed.")]
    title: Annotated[str, Field(description="The topic, shortened.")]
    topic: str
    tone: str
    length: str
    target_length: int | None
    provider: Annotated[
        str, Field(description="Who was asked to write; `first_that_works`: the choice was left to the service.")
    ]
    blog_id: str | None
    step: int | None
    total_steps: int | None
    cancellation: Cancellation | None
    progress_updates: list[BlogProgressUpdate]
    urls: dict[str, str]


class BlogJobList(TypedDict):
    """Jobs, newest first; `next_cursor` leads to the next page, null at the end."""

    jobs: list[BlogJobView]
    next_cursor: str | None


class BlogHistory(Page):
    """Which jobs to list."""
