"""citation_generation: each sentence that a source says is tied to it; what no source says is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from atelier.pipelines.blog import researching
from atelier.pipelines.blog.answers import CitationAnswer
from atelier.pipelines.blog.checking import Checker
from atelier.pipelines.blog.manuscript import Piece, manuscript
from atelier.pipelines.blog.models import Citation
from atelier.pipelines.blog.prompts import Prompts, excerpted
from atelier.pipelines.blog.researching import Source
from atelier.pipelines.blog.state import Mark, Verdict
from atelier.pipelines.blog.work import Work

ASKED_MOST = 20
"""Sentences that a model is asked about."""

EXCERPT = 1500
WARNED_MOST = 12
"""Sentences that are told of one by one; of the others, how many there are."""

SHOWN = 140


async def work(work: Work) -> None:
    """Tie sentences to sources, never by a model's word alone. Skipped where it is switched off or there are no sources."""
    run = work.run
    if not run.params.switches.citations:
        return await work.skip("it is switched off")
    sources = researching.sources_of(run)
    if not sources:
        work.warn("The post has no citations: there are no sources.")
        return await work.skip("there are no sources")
    pieces = manuscript(run).pieces
    own = (run.params.topic, *run.params.keywords, run.state.keywords.primary)
    checker = await asyncio.to_thread(Checker, sources, own)
    claims, tied = await asyncio.to_thread(_looked_up, pieces, checker)
    tied |= {each.claim: each.source for each in run.state.verdicts if _holds(each, tied)}
    tied |= await _ask(work, [claim for claim, number in tied.items() if number is None], sources, checker)
    marks = _marks(claims, tied, sources)
    _warn(work, [claim for claim in tied if tied[claim] is None], sources, marks)
    run.state = run.state.model_copy(update={"marks": marks})
    return await work.end(
        f"{len(marks)} sentences have a source",
        citations=len(marks),
        sources=len({mark.source for mark in marks}),
        unsupported=sum(number is None for number in tied.values()),
    )


def _looked_up(pieces: Sequence[Piece], checker: Checker) -> tuple[list[tuple[int, str]], dict[str, int | None]]:
    """Return the sentences that can be checked, with their sections' numbers, and which source each is found in."""
    claims = [(piece.number, claim) for piece in pieces for claim in checker.claims(piece.text)]
    return claims, {claim: checker.looked_up(claim).source for _, claim in claims}


def _holds(verdict: Verdict, tied: Mapping[str, int | None]) -> bool:
    """Whether a verdict with a quote is on a sentence that is still there and has no source yet."""
    return verdict.verdict == "supported" and bool(verdict.quote) and tied.get(verdict.claim, 0) is None


async def _ask(work: Work, claims: Sequence[str], sources: Sequence[Source], checker: Checker) -> dict[str, int | None]:
    """Have a model look for sources that say the same in other words; its quotes have to stand there."""
    if not claims:
        return {}
    asked, about = claims[:ASKED_MOST], " ".join(claims[:ASKED_MOST])
    excerpts = await asyncio.to_thread(excerpted, sources, about, EXCERPT)
    asking = Prompts(work.run.params, work.run.state).citations(asked, excerpts)
    written = await work.attempt(asking, "Sentences were tied to sources word by word only")
    if written is None:
        return {}
    pairs = written.answer(CitationAnswer).pairs
    return {
        asked[pair.claim - 1]: pair.source
        for pair in pairs
        if 0 < pair.claim <= len(asked) and checker.confirms(asked[pair.claim - 1], pair.source, pair.quote)
    }


def _marks(
    claims: Sequence[tuple[int, str]], tied: Mapping[str, int | None], sources: Sequence[Source]
) -> tuple[Mark, ...]:
    by_number = {each.number: each for each in sources}
    return tuple(
        Mark(
            section=section,
            source=number,
            citation=Citation(text=claim, url=by_number[number].url, title=by_number[number].title),
        )
        for section, claim in claims
        if (number := tied[claim]) is not None
    )


def _warn(work: Work, unsupported: Sequence[str], sources: Sequence[Source], marks: Sequence[Mark]) -> None:
    """Say which sentences no source bears out, and which sources bear nothing out."""
    for claim in unsupported[:WARNED_MOST]:
        shown = claim if len(claim) <= SHOWN else claim[: SHOWN - 1] + "…"
        work.warn(f"No source was found for this sentence: “{shown}”")
    if len(unsupported) > WARNED_MOST:
        work.warn(f"No source was found for {len(unsupported) - WARNED_MOST} further sentences.")
    used = {mark.source for mark in marks}
    idle = [each.url for each in sources if each.number not in used]
    if idle:
        work.warn(f"Read, but nothing in the post rests on it: {', '.join(idle)}")
