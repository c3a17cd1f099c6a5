"""The post as it is handed over: Markdown with its sources, HTML, what search engines and callers are told. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from atelier.jobs.models import Json
from atelier.pipelines.blog import document, judging, readability, render, seo, structure, words
from atelier.pipelines.blog.document import Document, slug
from atelier.pipelines.blog.manuscript import Manuscript, Piece
from atelier.pipelines.blog.researching import Source
from atelier.pipelines.blog.state import BlogRun, BlogState, Mark, Polish

SOURCES: Final = "Sources"


def cited(post: Manuscript, marks: Sequence[Mark], sources: Sequence[Source]) -> str:
    """Return the post in Markdown, a number behind each sentence that has a source, the sources listed at the end."""
    used = {mark.source for mark in marks}
    numbers = {each.number: place for place, each in enumerate((each for each in sources if each.number in used), 1)}

    def marked(piece: Piece) -> str:
        text = piece.markdown
        for mark in marks:
            if mark.section == piece.number:
                text = _marked(text, mark, numbers[mark.source])
        return text

    listed = [
        f"{numbers[each.number]}. [{_label(each.title)}](<{_address(each.url)}>)"
        for each in sources
        if each.number in used
    ]
    body = post.whole(marked)
    return body + (f"\n## {SOURCES}\n\n" + "\n".join(listed) + "\n" if listed else "")


def _marked(text: str, mark: Mark, number: int) -> str:
    """Return the text with a number behind the sentence; as it is where Markdown hides the sentence."""
    said = words.words(mark.citation.text)
    found = re.search(r"[\W_]+".join(map(re.escape, said)) + r"[^\w\s\[]*", text)
    if found is None:
        return text
    return f"{text[: found.end()]} [\\[{number}\\]](<{_address(mark.citation.url)}>){text[found.end() :]}"


def _label(text: str) -> str:
    return re.sub(r"([\\\[\]*_`<>])", r"\\\1", " ".join(text.split()))


def _address(url: str) -> str:
    return url.replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")


def published(run: BlogRun, post: Manuscript, polish: Polish, sources: Sequence[Source]) -> Json:
    """Return everything of the result that comes from the text, by the result's own names."""
    state = run.state
    markdown = cited(post, state.marks, sources)
    whole, prose = document.read(markdown), judging.prose(document.read(post.body))
    read = readability.readability(prose)
    return {
        "title": polish.title,
        "content": markdown,
        "content_html": render.html(markdown),
        "meta_title": polish.meta_title,
        "meta_description": polish.meta_description,
        "readability_score": read.score,
        **_seo(state, whole, polish),
        "structured_data": render.article(
            title=polish.title,
            description=polish.meta_description,
            keywords=_keywords(state),
            words=read.words,
            written_at=run.now,
            citations=[(mark.citation.title, mark.citation.url) for mark in state.marks],
        ),
        "content_metadata": {
            "words": read.words,
            "target_words": state.length.words,
            "reading_time": render.reading_minutes(read.words),
            "sections": len(post.pieces),
            "headings": [_heading(node) for node in structure.structure(whole).tree],
            "reading_grade": read.grade,
            "tone": run.params.tone,
            "sources": [_told(each) for each in sources],
        },
    }


def _told(source: Source) -> Json:
    read_at = (
        source.read_at.isoformat(timespec="seconds").replace("+00:00", "Z") if source.read_at is not None else None
    )
    return {"url": source.url, "title": source.title, "given": source.given, "read_at": read_at}


def _seo(state: BlogState, post: Document, polish: Polish) -> Json:
    """Return the score for search engines and what it was seen from."""
    found = seo.seo(
        seo.Post(
            document=post,
            title=polish.title,
            meta_title=polish.meta_title,
            meta_description=polish.meta_description,
            keyword=state.keywords.primary,
            keywords=state.keywords.secondary,
        )
    )
    checks = [{"name": each.name, "share": round(each.share, 3), "evidence": each.evidence} for each in found.checks]
    about = {
        "slug": slug(polish.title),
        "keyword": state.keywords.primary,
        "keywords": _keywords(state),
        "long_tail": list(state.keywords.long_tail),
        "difficulty": state.keywords.difficulty,
        "intent": state.intent.purpose,
        "checks": checks,
    }
    return {"seo_score": found.value, "seo_metadata": about}


def _keywords(state: BlogState) -> list[str]:
    return [state.keywords.primary, *state.keywords.secondary]


def _heading(node: structure.Node) -> Json:
    below = [_heading(child) for child in node.children]
    return {"title": node.title, "level": node.level, "anchor": node.anchor, **({"children": below} if below else {})}
