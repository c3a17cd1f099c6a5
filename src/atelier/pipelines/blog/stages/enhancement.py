"""enhancement: what the draft claims is checked against the sources, then each section is made better."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from atelier.pipelines.blog import figures, researching
from atelier.pipelines.blog.answers import ClaimVerdict, FactAnswer
from atelier.pipelines.blog.checking import Checker, Found
from atelier.pipelines.blog.manuscript import Piece, manuscript, tidied, worse
from atelier.pipelines.blog.prompts import Prompts, excerpted
from atelier.pipelines.blog.researching import Source
from atelier.pipelines.blog.state import Verdict
from atelier.pipelines.blog.work import Work

CLAIMS_MOST = 20
"""Claims that a model is asked about."""

EXCERPT = 1500


async def work(work: Work) -> None:
    """Check facts where that is wanted and there are sources; then have each section improved."""
    run = work.run
    pieces, sources = manuscript(run).pieces, researching.sources_of(run)
    texts = await asyncio.to_thread(lambda: [piece.text for piece in pieces])
    checked, verdicts = await _check(work, "\n\n".join(texts), sources)
    run.state = run.state.model_copy(update={"verdicts": tuple(verdicts.values())})
    figures_known = await asyncio.to_thread(figures.numbers, "\n".join(each.text for each in sources))
    enhanced = []
    for piece, text in zip(pieces, texts, strict=True):
        wrong = [each for each in verdicts.values() if each.verdict != "supported" and each.claim in text]
        if await _enhance(work, piece, wrong, figures_known):
            enhanced.append(piece.number)
    run.state = run.state.model_copy(update={"enhanced": tuple(enhanced)})
    counts = {name: sum(each.verdict == name for each in verdicts.values()) for name in ("supported", "contradicted")}
    await work.end(
        f"{len(enhanced)} of {len(pieces)} sections improved",
        fact_checking=checked,
        claims=len(verdicts),
        **counts,
        unsupported=len(verdicts) - sum(counts.values()),
    )


async def _check(work: Work, text: str, sources: Sequence[Source]) -> tuple[str, Mapping[str, Verdict]]:
    """Return whether facts were checked, and what was found out about each claim."""
    if not work.run.params.switches.fact_checking:
        return "switched off", {}
    if not sources:
        work.warn("Facts were not checked: there are no sources.")
        return "no sources", {}
    own = (work.run.params.topic, *work.run.params.keywords, work.run.state.keywords.primary)
    checker = await asyncio.to_thread(Checker, sources, own)
    found = await asyncio.to_thread(lambda: [checker.looked_up(claim) for claim in checker.claims(text)])
    verdicts = {each.claim: _verdict(each) for each in found}
    open_ = [each for each in found if each.source is None][:CLAIMS_MOST]
    if open_:
        verdicts |= await _ask(work, open_, sources, checker)
    return "checked", verdicts


def _verdict(found: Found) -> Verdict:
    if found.source is None:
        return Verdict(claim=found.claim, verdict="unsupported")
    return Verdict(claim=found.claim, verdict="supported", source=found.source)


async def _ask(work: Work, found: Sequence[Found], sources: Sequence[Source], checker: Checker) -> dict[str, Verdict]:
    """Have a model look for what the sources say in other words; its quotes have to stand there."""
    claims = [each.claim for each in found]
    about = " ".join(claims)
    near = {each.nearest for each in found} or {None}
    chosen = [each for each in sources if each.number in near] or list(sources)
    excerpts = await asyncio.to_thread(excerpted, chosen, about, EXCERPT)
    asking = Prompts(work.run.params, work.run.state).facts(claims, excerpts)
    written = await work.attempt(asking, "Facts were compared with the sources word by word only")
    if written is None:
        return {}
    told = (_judged(claims, each, checker) for each in written.answer(FactAnswer).verdicts)
    return {verdict.claim: verdict for verdict in told if verdict is not None}


def _judged(claims: Sequence[str], told: ClaimVerdict, checker: Checker) -> Verdict | None:
    """Return a model's verdict, where a quote that is really there bears it out."""
    if told.verdict == "unclear" or not 0 < told.claim <= len(claims):
        return None
    claim = claims[told.claim - 1]
    says = told.correction if told.verdict == "contradicted" else claim
    if not says or not checker.confirms(says, told.source, told.quote):
        return None
    return Verdict(claim=claim, verdict=told.verdict, source=told.source, quote=told.quote, correction=told.correction)


async def _enhance(work: Work, piece: Piece, wrong: Sequence[Verdict], figures_known: frozenset[str]) -> bool:
    """Have a section improved; whether its new form is taken."""
    run = work.run
    faults = [(each.claim, _fault(each)) for each in wrong]
    asking = Prompts(run.params, run.state).enhance(piece.number, piece.markdown, faults)
    heading = run.state.outline.sections[piece.number - 1].heading
    written = await work.attempt(asking, f"Section {piece.number} stays as it was drafted")
    if written is None:
        return False
    text, _ = tidied(written.text, heading, researching.known(run))
    reason = await asyncio.to_thread(worse, piece.markdown, text, figures_known)
    if reason:
        work.warn(f"Section {piece.number} stays as it was drafted: of its new form, {reason}.")
    return not reason


def _fault(verdict: Verdict) -> str:
    if verdict.verdict == "contradicted":
        return f"A source says: {verdict.correction}"
    return "No source says this: put it in general terms, without figures and names, or leave it out."
