"""The shapes of what is asked of a model: JSON that is checked before anything is done with it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from atelier.pipelines.blog.state import Purpose

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]

NAMED_MOST = 70
"""Terms of each sort that an answer may name: all that a request may give, which models like to repeat, and 20 of its own."""


class KeywordAnswer(BaseModel):
    """Keywords for a topic."""

    primary: Name = Field(description="The one search term the post should be found for, as people type it.")
    secondary: list[Name] = Field(description="Up to 8 further search terms.", max_length=NAMED_MOST)
    long_tail: list[Name] = Field(description="Up to 8 search phrases of three to six words.", max_length=NAMED_MOST)
    questions: list[Line] = Field(
        description="Up to 6 questions that people ask about the topic.", max_length=NAMED_MOST
    )


class RivalAnswer(BaseModel):
    """What other pages on the topic have in common, and what they leave out."""

    topics: list[Line] = Field(description="Up to 8 subtopics that most of the pages deal with.", max_length=20)
    gaps: list[Line] = Field(description="Up to 5 useful things that none of the pages says.", max_length=20)
    angle: Line = Field(description="One sentence: what a better post would do differently.")


class IntentAnswer(BaseModel):
    """What people who search for the keyword want."""

    intent: Purpose
    confidence: float = Field(ge=0, le=1, description="0 to 1.")
    evidence: list[Line] = Field(description="One to three observations that show it.", min_length=1, max_length=10)


class OutlineSection(BaseModel):
    """A section of an outline."""

    heading: Name
    points: list[Line] = Field(description="Two to four things the section deals with.", min_length=1, max_length=12)


class OutlineAnswer(BaseModel):
    """An outline."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    sections: list[OutlineSection] = Field(min_length=3, max_length=20)


class ClaimVerdict(BaseModel):
    """What the sources say of a numbered claim."""

    claim: int
    verdict: Literal["supported", "contradicted", "unclear"]
    source: int | None = Field(None, description="The number of the source that says so.")
    quote: str = Field("", max_length=600, description="The words of that source, exactly as they stand there.")
    correction: str = Field("", max_length=600, description="Where contradicted: the claim as the source has it.")


class FactAnswer(BaseModel):
    """Verdicts on claims."""

    verdicts: list[ClaimVerdict] = Field(max_length=60)


class PolishAnswer(BaseModel):
    """What search engines are shown of a post, and better headings."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    meta_title: Name = Field(description="30 to 60 characters, with the keyword.")
    meta_description: Line = Field(description="70 to 160 characters, with the keyword.")
    headings: list[str] = Field(
        [], max_length=20, description="The given headings in the same order, better where that is possible."
    )


class ChangedParagraph(BaseModel):
    """A numbered paragraph in its new form."""

    number: int
    text: Prose


class IntegrationAnswer(BaseModel):
    """Paragraphs with terms in them."""

    paragraphs: list[ChangedParagraph] = Field(max_length=20)


class ClaimQuote(BaseModel):
    """A numbered sentence, and the words of a source that say the same."""

    claim: int
    source: int
    quote: str = Field(max_length=600, description="The words of the source, exactly as they stand there.")


class CitationAnswer(BaseModel):
    """Which source says which sentence."""

    pairs: list[ClaimQuote] = Field(max_length=60)
