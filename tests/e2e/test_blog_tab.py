"""The tab of posts in a real browser, on a real server process."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect
from tests.e2e.browser import Server
from tests.e2e.tab import Tab, by_twos, copy, job_id, watch

pytestmark = pytest.mark.e2e

BLOG = "/api/v1/blog"
STAGES = [
    "initialization", "keyword_analysis", "competitor_analysis", "intent_analysis", "length_optimization", "research_outline",
    "draft_generation", "enhancement", "seo_polish", "semantic_integration", "quality_scoring", "citation_generation",
    "finalization",
]  # fmt: skip


@pytest.fixture
def desk(tab: Tab) -> Tab:
    """A tab whose posts are found under its address."""
    tab.ready = "#topic"
    return tab


def order(page: Page, topic: str, keywords: str = "", length: str = "short") -> None:
    page.fill("#topic", topic)
    page.fill("#keywords", keywords)
    page.check(f'[name="length"][value="{length}"]')
    page.click("#write")


def read(server: Server, page: Page) -> Any:
    return server.read(f"{BLOG}/jobs/{job_id(page, 'blog')}")


def expect_post(page: Page) -> None:
    expect(page.locator("#post-copy-html")).to_be_visible()
    expect(page.locator("#post-scores .dial").first).to_be_visible()
    expect(page).to_have_title("Finished · atelier")


def test_a_post_is_written_stage_by_stage(desk: Tab, server: Server) -> None:
    page = desk.open("/?sandbox=slow&seconds=6#blog")
    seen = watch(
        page,
        current="#post-stages .current",
        sections="#post-article section",
        percent="#post-progress",
        times="#post-times",
    )
    page.get_by_role("button", name="Growing tomatoes on a balcony").click()
    assert page.input_value("#keywords") == "balcony tomatoes, container gardening"
    page.select_option("#tone", "friendly")
    page.press("#topic", "Control+Enter")
    expect_post(page)
    expect(page.locator('[data-stage="keyword_analysis"] .found')).to_have_text("Keyword: balcony tomatoes")
    assert any(half_written(state) for state in seen())
    post = read(server, page)
    assert (post["tone"], post["length"], post["topic"]) == ("friendly", "medium", "Growing tomatoes on a balcony")
    stages = page.locator("#post-stages li").evaluate_all("items => items.map(item => item.dataset.stage)")
    assert stages == STAGES
    expect_outcome(page, post["result"])


def half_written(state: dict[str, Any]) -> bool:
    """Whether its beginning could be read while the rest was still being written."""
    text = "\n".join(state["sections"])
    begun = "This text was written by the sandbox" in text and "Conclusion" not in text
    told = len(state["current"]) == 1 and re.match(r"\d+ s elapsed", "".join(state["times"]))
    return begun and bool(told) and state["percent"][0] < 100


def expect_outcome(page: Page, result: dict[str, Any]) -> None:
    """Check that the page shows what the service has: stages, scores, text, facts, warnings."""
    for stage in result["stage_results"]:
        row = page.locator(f'[data-stage="{stage["stage"]}"]')
        expect(row).to_have_class("skipped" if stage["status"] == "skipped" else "done")
        if stage["reason"]:
            expect(row).to_contain_text(f"Skipped: {stage['reason']}")
    scores = [result["quality_score"], result["readability_score"], result["seo_score"]]
    shown = page.locator("#post-scores [role=meter]").evaluate_all("all => all.map(each => each.ariaValueNow)")
    assert [abs(float(each) - score) < 1 for each, score in zip(shown, scores, strict=True)] == [True] * 3
    expect(page.locator("#post-article h3").first).to_have_text(result["title"])
    expect(page.locator("#post-facts")).to_contain_text(f"{result['total_tokens']:,}")
    expect(page.locator("#post-facts")).to_contain_text("Costnothing")
    assert page.locator("#post-warnings li").all_inner_texts() == result["warnings"]
    assert result["citations"], "the sandbox's search has sources"
    for citation in result["citations"]:
        place = page.locator("#post-citations li").filter(has=page.locator(f'a[href="{citation["url"]}"]'))
        expect(place.locator("q").get_by_text(citation["text"], exact=True)).to_have_count(1)
    page.get_by_text("What the scores were seen from").click()
    for dimension in result["quality_dimensions"]:
        expect(page.locator("#post-dimensions")).to_contain_text(dimension["evidence"])
    page.get_by_text("What search engines are shown").click()
    expect(page.locator("#post-meta-title")).to_have_text(result["meta_title"])
    page.get_by_text("What each stage took").click()
    expect(page.locator("#post-taken tr")).to_have_count(13)


def test_the_text_is_copied_as_markdown_and_as_html(desk: Tab, server: Server) -> None:
    page = desk.open("/?sandbox=ok#blog")
    order(page, "Something to copy")
    expect_post(page)
    result = read(server, page)["result"]
    for button, text in [("#post-copy-markdown", result["content"]), ("#post-copy-html", result["content_html"])]:
        assert copy(page, button) == text
    assert page.locator("#post-article").inner_text().count("Something to copy") > 3


def test_every_word_of_a_post_is_shown(desk: Tab, server: Server) -> None:
    """What is shown is what the service's own HTML says, heading by heading and word by word."""
    page = desk.open("/#blog")
    order(page, "A long read", length="long")
    expect_post(page)
    theirs, ours = page.evaluate(
        """(html) => {
          const words = (node) => node.textContent.split(/\\s+/).filter(Boolean).join(" ");
          const texts = (root, what) => [...root.querySelectorAll(what)].map(words);
          const sent = new DOMParser().parseFromString(html, "text/html").body;
          const shown = document.getElementById("post-article");
          const parts = (root) => ["h1,h2,h3,h4,h5", "p", "li", "strong", "em", "a"].map((what) => texts(root, what));
          const anchors = (root, name) => [...root.querySelectorAll(`[${name}]`)].map((each) => each.getAttribute(name));
          return [[parts(sent), anchors(sent, "id")], [parts(shown), anchors(shown, "data-anchor")]];
        }""",
        read(server, page)["result"]["content_html"],
    )
    assert ours == theirs
    assert sum(len(text) for text in ours[0][1]) > 8000, "paragraphs"


def test_a_table_of_contents_leads_to_its_headings_and_not_to_other_tabs(desk: Tab) -> None:
    page = desk.open("/#blog")
    order(page, "Something with contents", length="long")
    expect_post(page)
    address = page.url
    link = page.locator("#post-article a[data-to]").last
    name = link.inner_text()
    link.click()
    assert page.evaluate("document.activeElement.textContent") == name
    expect(page.get_by_role("heading", name=name)).to_be_in_viewport()
    assert page.url == address


def test_a_reload_midway_shows_what_is_written_already(desk: Tab) -> None:
    page = desk.open("/?sandbox=slow&seconds=24#blog")
    order(page, "A post through a reload")
    sections = page.locator("#post-article section")
    expect(sections.first).to_contain_text("written by the sandbox")
    text, before = sections.first.inner_text(), job_id(page, "blog")
    page.reload()
    expect(sections.first).to_have_text(re.compile(re.escape(text[-60:])))
    expect(page.locator("#post-stages .done").first).to_contain_text("Planning 600 words")
    assert job_id(page, "blog") == before
    desk.open("/#blog")
    assert job_id(page, "blog") == before, "what runs is shown first"
    expect(sections.first).to_be_attached()
    expect(sections.nth(sections.count())).to_be_attached()
    page.click("#post-cancel")
    expect(page.locator("#post-verdict")).to_have_text("This post was cancelled.")


def test_a_cancelled_post_shows_its_receipt_and_can_be_tried_again(desk: Tab, server: Server) -> None:
    page = desk.open("/?sandbox=slow&seconds=10#blog")
    order(page, "A post that is stopped")
    expect(page.locator("#post-article section").first).to_contain_text("written by the sandbox")
    page.click("#post-cancel")
    expect(page.locator("#post-receipt")).to_be_visible()
    expect(page.locator("#post-verdict")).to_have_text("This post was cancelled.")
    expect(page.locator("#post-stages .stopped")).to_have_count(1)
    kept = page.locator("#post-article section").count()
    assert kept > 0, "what was written stays"
    page.click("#post-retry")
    expect(page.locator("#post-verdict")).to_be_hidden()
    assert page.locator("#post-article section").count() >= kept
    expect(page.locator('[data-stage="keyword_analysis"]')).to_have_class("done")
    expect_post(page)
    assert read(server, page)["run"] == 2


def test_a_failed_post_says_why(desk: Tab) -> None:
    page = desk.open("/?sandbox=refused#blog")
    order(page, "Something refused")
    expect(page.locator("#post-verdict")).to_have_text(re.compile("refuses"))
    expect(page.locator("#post-retry")).to_be_visible()
    expect(page.locator("#post-article")).to_be_hidden()
    expect(page).to_have_title("Failed · atelier")


def test_a_wait_says_why(desk: Tab) -> None:
    page = desk.open("/?sandbox=rate_limited_then_ok#blog")
    seen = watch(page, reason="#post-reason")
    order(page, "A post in the rush hour")
    expect_post(page)
    assert any("takes no more requests for the moment" in "".join(state["reason"]) for state in seen())


def test_switches_leave_stages_out(desk: Tab, server: Server) -> None:
    page = desk.open("/#blog")
    page.get_by_text("Stages to leave out").click()
    page.get_by_label("Score the post").uncheck()
    page.get_by_text("Readers, wishes and sources").click()
    page.fill("#target_audience", "people without a garden")
    order(page, "A post without scores")
    expect(page.locator('[data-stage="quality_scoring"]')).to_have_class("skipped")
    expect(page.locator("#post-copy-html")).to_be_visible()
    assert read(server, page)["result"]["quality_score"] is None
    expect(page.locator("#post-scores .dial")).to_have_count(2)


def test_wrong_values_are_told_at_their_fields(desk: Tab) -> None:
    desk.expected = ["422 (Unprocessable"]
    page = desk.open("/#blog")
    page.click("#write")
    expect(page.locator("#topic-problem")).to_have_text("Say in a few words what the post shall be about.")
    page.get_by_text("Readers, wishes and sources").click()
    page.fill("#sources", "ftp://example.org/a")
    page.get_by_text("Readers, wishes and sources").click()
    order(page, "Fine", keywords="k" * 101)
    expect(page.locator("#keywords-problem")).not_to_be_empty()
    expect(page.locator("#sources-problem")).not_to_be_empty()
    expect(page.locator("#sources")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "keywords"


def test_older_posts_are_a_page_away(desk: Tab, server: Server) -> None:
    for number in range(3):
        asked = {"topic": f"Old post {number}", "length": "short", "sandbox": {"scenario": "noop"}}
        server.ask(f"{BLOG}/generate-enhanced", asked)
    desk.page.route(re.compile(r"/jobs\?limit=24"), by_twos)
    page = desk.open("/#blog")
    expect(page.locator("#posts .work")).to_have_count(2)
    page.get_by_role("button", name="Older posts").click()
    expect(page.locator("#posts .name").nth(2)).to_have_text("Old post 0")
    expect(page.locator("#posts .work").nth(2)).to_be_focused()


def test_two_tabs_watch_one_post(desk: Tab, context: BrowserContext, server: Server) -> None:
    page = desk.open("/?sandbox=slow&seconds=2#blog")
    order(page, "A post seen twice")
    second = Tab(context, server, ready="#topic")
    other = second.open(f"/#blog={job_id(page, 'blog')}")
    expect_post(page)
    expect_post(other)
    assert other.locator("#post-article").inner_text() == page.locator("#post-article").inner_text()
    second.check_silence()


def test_a_killed_server_costs_a_post_nothing_but_time(context: BrowserContext, tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        tab = Tab(context, server, ready="#topic")
        tab.expected = ["net::ERR_"]
        page = tab.open("/?sandbox=slow&seconds=8#blog")
        order(page, "A post through a power cut")
        first = page.locator("#post-article section").first
        expect(first).to_contain_text("written by the sandbox")
        text = first.inner_text()
        server.kill()
        expect(page.locator("#post-link")).to_contain_text("The connection is cut; the job goes on.")
        server.start()
        expect(page.locator("#post-link")).to_be_hidden()
        assert first.inner_text() == text
        expect_post(page)
        tab.check_silence()
    finally:
        server.stop()


def test_hostile_texts_of_a_post_stay_texts(desk: Tab, server: Server) -> None:
    """Whatever a model writes: nothing of it runs, loads or leads anywhere but to the web."""
    made = server.ask(f"{BLOG}/generate-enhanced", {"topic": "Harmless", "length": "short"})["job_id"]
    page = desk.open(f"/#blog={made}")
    expect_post(page)
    answer = server.read(f"{BLOG}/jobs/{made}")
    evil = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    answer["result"] |= {
        "content": f"# {evil}\n\n[a](javascript:alert(1)) ![b](https://elsewhere.example/b.png) {evil}\n\n- {evil}\n",
        "citations": [{"text": evil, "url": "javascript:alert(1)", "title": evil}],
        "meta_title": evil,
        "quality_dimensions": [{"name": evil, "score": 1e9, "evidence": evil}],
    }
    answer["warnings"] = [evil] * 9
    answer["title"] = evil

    def lie(route: Route) -> None:
        route.fulfill(content_type="application/json", body=json.dumps(answer))

    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url) if not request.url.startswith(server.url) else None)
    page.on("dialog", lambda dialog: outside.append(dialog.message))
    page.route(f"**{BLOG}/jobs/{made}", lie)
    page.reload()
    expect(page.locator("#post-article h3").first).to_have_text(evil)
    expect(page.locator("#post-citations")).to_contain_text(evil)
    assert page.locator("#desk img, #desk script, #desk [onerror]").count() == 0
    assert page.locator("#post-warnings li").all_inner_texts() == [evil] * 9
    assert page.locator("#post-warnings").evaluate("list => list.scrollHeight === list.clientHeight"), "read whole"
    links = page.locator("#desk a[href]").evaluate_all("links => links.map(link => link.protocol)")
    assert set(links) <= {"http:", "https:"}
    assert outside == []


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_nothing_is_wider_than_the_screen(desk: Tab, width: int) -> None:
    desk.page.set_viewport_size({"width": width, "height": 800})
    page = desk.open("/#blog")
    order(page, "W" * 300, keywords="K" * 90)
    expect_post(page)
    expect(page.locator("#post-job-title")).to_be_in_viewport()
    for fold in page.locator("#post-more summary").all():
        fold.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width


RENDER = """
async (texts) => {
  const { render } = await import("/studio/shared/markdown.js");
  return texts.map((text) => {
    const place = document.createElement("div");
    place.append(render(text));
    for (const each of place.querySelectorAll("[data-anchor], [tabindex]")) {
      each.removeAttribute("data-anchor");
      each.removeAttribute("tabindex");
    }
    return place.innerHTML.replaceAll(' target="_blank" rel="noopener nofollow"', "");
  });
}
"""
MARKDOWN = {
    "# One\n## Two #\n####### seven": "<h3>One</h3><h4>Two</h4><p>####### seven</p>",
    "a\nb\n\nc  \nd\\\ne": "<p>a\nb</p><p>c<br>d<br>e</p>",
    "**a** __b__ *c* _d_ ***e*** ~~f~~": "<p><strong>a</strong> <strong>b</strong> <em>c</em> <em>d</em> <strong><em>e</em></strong> <s>f</s></p>",
    "snake_case_name 2 * 3 * 4 \\*no\\* a*": "<p>snake_case_name 2 * 3 * 4 *no* a*</p>",
    "`a * b` ``c ` d`` `": "<p><code>a * b</code> <code>c ` d</code> `</p>",
    "- a\n- b\n  - c\n\n1. d\n2. e": "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><ol><li>d</li><li>e</li></ol>",
    "3. x\n4. y": '<ol start="3"><li>x</li><li>y</li></ol>',
    "- a\n\n  b\n- c": "<ul><li><p>a</p><p>b</p></li><li>c</li></ul>",
    "> a\n> > b\n\nc": "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote><p>c</p>",
    "```js\n<b>*x*</b>\n\n```\nafter": "<pre><code>&lt;b&gt;*x*&lt;/b&gt;\n</code></pre><p>after</p>",
    "~~~\nnever closed": "<pre><code>never closed</code></pre>",
    "a\n---\n***": "<p>a</p><hr><hr>",
    "[a](https://b.example/c_d_e?f=*g*) <https://h.example>": '<p><a href="https://b.example/c_d_e?f=*g*">a</a> <a href="https://h.example/">https://h.example</a></p>',
    '[**a** [b]](x) [c](https://d.example "t")': '<p>[<strong>a</strong> [b]](x) <a href="https://d.example/">c</a></p>',
    "[a](javascript:alert(1)) [b](data:text/html,x) [c](//d.example) [e](/f)": "<p><span>a</span> <span>b</span> <span>c</span> <span>e</span></p>",
    "![alt](https://a.example/b.png)": '<p><a href="https://a.example/b.png">alt</a></p>',
    "[up](#the-top)": '<p><a href="#the-top" data-to="the-top">up</a></p>',
    "a &amp; b &lt;i&gt; <i>c</i> &bogus;": "<p>a &amp; b &lt;i&gt; &lt;i&gt;c&lt;/i&gt; &amp;bogus;</p>",
    "": "",
}


def test_markdown_becomes_elements(tab: Tab) -> None:
    rendered = tab.open().evaluate(RENDER, list(MARKDOWN))
    assert dict(zip(MARKDOWN, rendered, strict=True)) == MARKDOWN


def test_headings_have_names_of_their_own(tab: Tab) -> None:
    names = tab.open().evaluate(
        """async (text) => {
          const { render } = await import("/studio/shared/markdown.js");
          return [...render(text).querySelectorAll("[data-anchor]")].map((heading) => heading.dataset.anchor);
        }""",
        "# Über Äpfel\n## It's *fine*\n## It\u2019s fine!\n## …\n## 日本 2\n",
    )
    assert names == ["uber-apfel", "its-fine", "its-fine-2", "section", "日本-2"]


def test_tables_and_deep_quotes(tab: Tab) -> None:
    table, deep = tab.open().evaluate(RENDER, ["| a | b |\n|---|:-:|\n| *c* | d\\|e |\nf", ">" * 5000 + " deep"])
    assert (
        "<thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td><em>c</em></td><td>d|e</td></tr></tbody>" in table
    )
    assert table.endswith("<p>f</p>")
    assert deep.count("<blockquote>") == 8


BUSY = 2000
"""Milliseconds."""
HOSTILE = [
    "*" * 20_000, "_" * 20_000, "[" * 20_000, "`" * 20_000 + "x", "**a" * 10_000, "[a](" * 10_000, "![" * 10_000, "> " * 10_000,
    "- " * 10_000, "\\" * 20_000, "<https:" * 5_000, "~~a" * 10_000, "&" * 20_000, "|" * 20_000 + "\n|" + "-|" * 10_000,
    "# " * 10_000, "a_b*c`d" * 5_000, "1. " * 10_000, "\n" * 20_000, "((" * 10_000, "  " * 20_000 + "x",
]  # fmt: skip


def test_no_text_keeps_the_page_busy(tab: Tab) -> None:
    """Text that grows twice as long takes twice as long, not four times; the machine's own pauses are not counted."""
    page = tab.open()
    took = page.evaluate(
        """async (texts) => {
          const { render } = await import("/studio/shared/markdown.js");
          const time = (text) => {
            const begun = performance.now();
            render(text);
            return performance.now() - begun;
          };
          return texts.map((text) => Math.min(time(text), time(text), time(text)));
        }""",
        HOSTILE,
    )
    slow = [text[:10] for text, milliseconds in zip(HOSTILE, took, strict=True) if milliseconds > BUSY]
    assert slow == []
