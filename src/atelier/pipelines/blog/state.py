"""What a post's job keeps between attempts: small findings here, texts and pages as parts of their own."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from atelier.jobs.pipeline import Run
from atelier.pipelines.blog.models import BlogParams, Citation, Dimension, SemanticKeyword
from atelier.pipelines.ledger import Ledger

Purpose = Literal["informational", "commercial", "navigational", "transactional"]


class Kept(BaseModel):
    """Something that is kept as it was found."""

    model_config = ConfigDict(frozen=True)


class KeywordPlan(Kept):
    """What the post shall be found for. `difficulty` 0 to 100, None: there were no search results to judge by."""

    primary: str = ""
    secondary: tuple[str, ...] = ()
    long_tail: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    difficulty: float | None = None
    evidence: str = ""


class Rivals(Kept):
    """What the pages that are found already have: how many were read, their median length in words, their terms."""

    pages: int = 0
    median_words: int = 0
    headings: int = 0
    terms: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    angle: str = ""


class Intent(Kept):
    """What people who search for it want, how sure that is (0 to 1), and what it was seen from."""

    purpose: Purpose = "informational"
    confidence: float = 0.0
    evidence: tuple[str, ...] = ()


class LengthPlan(Kept):
    """How long the post shall be, in words and sections, and why."""

    words: int = 0
    sections: int = 0
    reason: str = ""


class Fact(Kept):
    """A sentence of a source that can be checked. `source` is the source's number."""

    source: int
    text: str


class SectionPlan(Kept):
    """A section to be written: its heading, what it has to deal with, its words, the facts it may use."""

    heading: str
    points: tuple[str, ...]
    words: int
    facts: tuple[Fact, ...] = ()


class Outline(Kept):
    """The post's title and sections; the first is its introduction."""

    title: str = ""
    sections: tuple[SectionPlan, ...] = ()


class Verdict(Kept):
    """What was found out about a sentence of the draft. `source` and `quote`: who says so, and in which words."""

    claim: str
    verdict: Literal["supported", "contradicted", "unsupported"]
    source: int | None = None
    quote: str = ""
    correction: str = ""


class Polish(Kept):
    """What search engines are shown, the headings in their last form, and whether a table of contents stands there."""

    title: str = ""
    meta_title: str = ""
    meta_description: str = ""
    headings: tuple[str, ...] = ()
    contents: bool = False


class Edit(Kept):
    """A paragraph in its new form: the section's number, and the text before and after."""

    section: int
    before: str
    after: str


class Quality(Kept):
    """The post's scores, 0 to 100."""

    score: float | None = None
    dimensions: tuple[Dimension, ...] = ()


class Mark(Kept):
    """A sentence that a source says, too: its section's number, and the source's."""

    section: int
    source: int
    citation: Citation


class BlogState(BaseModel):
    """How far a post is."""

    ledger: Ledger = Ledger()
    keywords: KeywordPlan = KeywordPlan()
    rivals: Rivals | None = None
    intent: Intent = Intent()
    length: LengthPlan = LengthPlan()
    outline: Outline = Outline()
    verdicts: tuple[Verdict, ...] = ()
    enhanced: tuple[int, ...] = ()
    """Numbers of the sections whose second form was taken."""
    polish: Polish | None = None
    edits: tuple[Edit, ...] = ()
    terms: tuple[SemanticKeyword, ...] = ()
    quality: Quality = Quality()
    marks: tuple[Mark, ...] = ()


BlogRun = Run[BlogParams, BlogState]
