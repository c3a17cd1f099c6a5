"""seo_polish: title, description and headings as search engines show them, alternative texts, a table of contents."""

from __future__ import annotations

import re
from collections.abc import Sequence

from atelier.pipelines.blog.answers import PolishAnswer
from atelier.pipelines.blog.manuscript import manuscript
from atelier.pipelines.blog.prompts import Prompts
from atelier.pipelines.blog.seo import DESCRIPTION, TITLE
from atelier.pipelines.blog.state import BlogRun, Polish
from atelier.pipelines.blog.work import Work

LONGEST_HEADING = 90
LONGEST_TITLE = 200
CONTENTS_FROM = 1000
"""Words from which on a post has a table of contents."""

LEAD = 600
"""Characters of the beginning that are shown."""


async def work(work: Work) -> None:
    """Have titles and headings written, and take those that keep to their limits. Skipped where it is switched off."""
    run = work.run
    if not run.params.switches.serp_optimization:
        return await work.skip("it is switched off")
    lead = manuscript(run).pieces[0].text
    asking = Prompts(run.params, run.state).polish(lead[:LEAD])
    written = await work.attempt(asking, "Title and headings stay as they are in the outline")
    polish = usual(run) if written is None else polished(run, written.answer(PolishAnswer))
    run.state = run.state.model_copy(update={"polish": polish})
    return await work.end(
        f"Title: {polish.meta_title}",
        title=polish.title,
        meta_title=polish.meta_title,
        meta_description=polish.meta_description,
        headings=len(polish.headings),
        contents=polish.contents,
    )


def polished(run: BlogRun, answer: PolishAnswer) -> Polish:
    """Return what was answered as far as it can be used; the rest as it would be without."""
    plain = usual(run)
    present = [section.heading for section in run.state.outline.sections[1:]]
    return plain.model_copy(
        update={
            "title": _line(answer.title, LONGEST_TITLE) or plain.title,
            "meta_title": cut(answer.meta_title, TITLE[1]),
            "meta_description": cut(answer.meta_description, DESCRIPTION[1]),
            "headings": tuple(renamed(present, answer.headings)),
        }
    )


def usual(run: BlogRun) -> Polish:
    """Return title, description and headings without a model: from the outline and the beginning of the text."""
    post = manuscript(run)
    title = run.state.outline.title
    lead = " ".join(re.sub(r"[*_`#>]", "", post.pieces[0].text).split())
    return Polish(
        title=title,
        meta_title=cut(title, TITLE[1]),
        meta_description=cut(lead, DESCRIPTION[1]),
        headings=tuple(section.heading for section in run.state.outline.sections[1:]),
        contents=run.state.length.words >= CONTENTS_FROM,
    )


def renamed(present: Sequence[str], offered: Sequence[str]) -> list[str]:
    """Return the headings in their new form, where there are as many, none is empty or too long, and no two are alike."""
    lines = [_line(heading, LONGEST_HEADING) for heading in offered]
    whole = len(lines) == len(present) and all(lines) and len({line.casefold() for line in lines}) == len(lines)
    return lines if whole else list(present)


def _line(text: str, most: int) -> str:
    """Return a text as one line without Markdown's marks; empty where it is too long."""
    line = " ".join(re.sub(r"^[#\s]+|[`*<>\[\]]", "", text).split())
    return line if len(line) <= most else ""


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters, cut between words."""
    plain = " ".join(text.split())
    if len(plain) <= most:
        return plain
    head = plain[: most - 1]
    whole = head if plain[most - 1] == " " else head.rsplit(" ", 1)[0]
    return whole.rstrip(",;:.– ") + "…"  # noqa: RUF001 - a dash that a cut may leave
