"""semantic_integration: terms that belong to the topic are placed where they read naturally; measured before and after."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence

from atelier.pipelines.blog import document, figures, words
from atelier.pipelines.blog.answers import IntegrationAnswer
from atelier.pipelines.blog.coverage import Coverage, coverage, stems
from atelier.pipelines.blog.manuscript import Manuscript, manuscript
from atelier.pipelines.blog.models import SemanticKeyword
from atelier.pipelines.blog.prompts import Prompts
from atelier.pipelines.blog.state import Edit
from atelier.pipelines.blog.terms import belonging
from atelier.pipelines.blog.work import Work

PLACED_MOST = 6
"""Terms that are placed; more make a text read like a list of terms."""

PARAGRAPHS_MOST = 10
KEPT = 0.8
"""A changed paragraph has this share of its words still."""

ADDED_MOST = 45
"""Words that a paragraph may get."""

_PLAIN = re.compile(r"^(?![#>\-*+|`\d\s])[^\n]+(?:\n(?![#>\-*+|`\s])[^\n]+)*$")


async def work(work: Work) -> None:
    """Have the terms that are missing placed in a few paragraphs. Skipped where it is switched off."""
    run = work.run
    if not run.params.switches.semantic_keywords:
        return await work.skip("it is switched off")
    post, wanted = manuscript(run), belonging(run.state)
    before = {each.term: each.count for each in (await asyncio.to_thread(_measured, post, wanted)).terms}
    missing = [term for term, count in before.items() if not count][:PLACED_MOST]
    edits = await _place(work, post, missing) if missing else ()
    run.state = run.state.model_copy(update={"edits": edits})
    after = await asyncio.to_thread(_measured, manuscript(run), wanted)
    if after.overused:
        work.warn(f"These terms stand in the post very often: {', '.join(after.overused)}.")
    found = tuple(SemanticKeyword(term=each.term, before=before[each.term], after=each.count) for each in after.terms)
    run.state = run.state.model_copy(update={"terms": found})
    present = sum(each.after > 0 for each in found)
    return await work.end(
        f"{present} of {len(found)} terms are in the post",
        terms=len(found),
        before=sum(each.before > 0 for each in found),
        after=present,
        paragraphs_changed=len(edits),
    )


async def _place(work: Work, post: Manuscript, missing: Sequence[str]) -> tuple[Edit, ...]:
    run = work.run
    chosen = await asyncio.to_thread(paragraphs, post, missing)
    if not chosen:
        return ()
    asking = Prompts(run.params, run.state).integrate(missing, [text for _, text in chosen])
    written = await work.attempt(asking, "The post stays without the terms it lacks")
    if written is None:
        return ()
    told = {each.number: each.text for each in written.answer(IntegrationAnswer).paragraphs}
    return taken(chosen, told, missing)


def paragraphs(post: Manuscript, missing: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """Return plain paragraphs with their sections' numbers: those nearest to the terms, in the order of the post."""
    wanted, body = stems(" ".join(missing)), post.body
    found = [
        (piece.number, part)
        for piece in post.pieces
        for part in re.split(r"\n\s*\n", piece.markdown)
        if _PLAIN.match(part) and body.count(part) == 1
    ]
    ranked = sorted(range(len(found)), key=lambda at: (-len(wanted & stems(found[at][1])), at))
    return tuple(found[at] for at in sorted(ranked[:PARAGRAPHS_MOST]))


def taken(chosen: Sequence[tuple[int, str]], told: Mapping[int, str], missing: Sequence[str]) -> tuple[Edit, ...]:
    """Return the changes that only place terms: nearly all the words are still there, and no figure is new."""
    edits = []
    for number, (section, before) in enumerate(chosen, 1):
        after = " ".join(told.get(number, before).split())
        if after != before and _harmless(before, after) and any(each.count for each in coverage(after, missing).terms):
            edits.append(Edit(section=section, before=before, after=after))
    return tuple(edits)


def _harmless(before: str, after: str) -> bool:
    old, new = list(words.folded(before)), list(words.folded(after))
    left = list(new)
    kept = 0
    for word in old:
        if word in left:
            left.remove(word)
            kept += 1
    plain = "](" not in after.replace("](", "", before.count("](")) and "<" not in after
    return (
        plain
        and kept >= KEPT * len(old)
        and len(left) <= ADDED_MOST
        and not figures.numbers(after) - figures.numbers(before)
    )


def _measured(post: Manuscript, wanted: Sequence[str]) -> Coverage:
    return coverage(document.read(post.body).text, wanted)
