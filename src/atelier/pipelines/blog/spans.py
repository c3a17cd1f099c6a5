"""Where the bar stands while a post is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SPANS: Final[Mapping[str, tuple[float, float]]] = {
    "initialization": (2, 3),
    "keyword_analysis": (4, 8),
    "competitor_analysis": (9, 14),
    "intent_analysis": (15, 18),
    "length_optimization": (18, 19),
    "research_outline": (20, 27),
    "draft_generation": (28, 60),
    "enhancement": (61, 78),
    "seo_polish": (79, 82),
    "semantic_integration": (83, 87),
    "quality_scoring": (88, 90),
    "citation_generation": (91, 95),
    "finalization": (96, 99),
}
"""When a stage begins and when it is done, in per cent; the stages in their order."""
