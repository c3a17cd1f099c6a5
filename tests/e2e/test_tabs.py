"""The page's tabs: keyboard, addresses, and that a hidden one holds nothing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from tests.e2e.browser import Server
from tests.e2e.tab import API, Tab, job_id, requests, until

pytestmark = pytest.mark.e2e


def chosen(page: Page, name: str) -> None:
    """Check that exactly this tab is chosen, and its panel shown."""
    expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tab", selected=True)).to_have_count(1)
    expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
    expect(page.get_by_role("tabpanel")).to_have_count(1)


def test_tabs_are_walked_with_the_keyboard(tab: Tab) -> None:
    page = tab.open()
    chosen(page, "Pictures")
    page.get_by_role("tab", name="Pictures").focus()
    for key, name in [
        ("ArrowRight", "Blog"), ("ArrowRight", "Storyboards"), ("ArrowRight", "Stories"), ("ArrowRight", "Pictures"),
        ("ArrowLeft", "Stories"), ("Home", "Pictures"), ("End", "Stories"),
    ]:  # fmt: skip
        page.keyboard.press(key)
        chosen(page, name)
        expect(page.get_by_role("tab", name=name)).to_be_focused()
    page.keyboard.press("Home")
    chosen(page, "Pictures")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") != "tab", "one tab is in the tab order"


def test_addresses_choose_the_tab_and_what_it_shows(tab: Tab, server: Server) -> None:
    made = server.ask(f"{API}/generate", {"prompt": "A hill from an address", "sandbox": {"scenario": "noop"}})[
        "job_id"
    ]
    tab.ready = "#topic"
    page = tab.open("/#blog")
    chosen(page, "Blog")
    page.goto(f"{server.url}/#job={made}")
    chosen(page, "Pictures")
    expect(page.locator("#job-title")).to_have_text("A hill from an address")
    page.get_by_role("tab", name="Blog").click()
    chosen(page, "Blog")
    page.get_by_role("tab", name="Pictures").click()
    assert job_id(page) == made, "the tab leads back to what was shown in it"
    page.go_back()
    chosen(page, "Blog")
    page.goto(f"{server.url}/#pictures")
    chosen(page, "Pictures")
    page.goto(f"{server.url}/#nowhere=1")
    page.evaluate("location.hash = 'nothing-of-ours'")
    chosen(page, "Pictures")


def test_the_way_back_shows_what_the_address_shows_when_it_is_loaded(tab: Tab, server: Server) -> None:
    page = tab.open("/")
    page.get_by_role("tab", name="Blog").click()
    chosen(page, "Blog")
    page.go_back()
    chosen(page, "Pictures")
    assert page.url == f"{server.url}/"
    page.goto(f"{server.url}/?sandbox=noop")
    page.fill("#prompt", "A hill to come back from")
    page.click("#generate")
    expect(page.locator("#frame img.finished")).to_be_visible()
    page.go_back()
    expect(page.locator("#nothing")).to_be_visible()
    expect(page.locator("#job")).to_be_hidden()
    expect(page).to_have_title("atelier")
    expect(page.locator("#recent [aria-current]")).to_have_count(0)
    assert page.url == f"{server.url}/?sandbox=noop"
    page.go_forward()
    expect(page.locator("#job-title")).to_have_text("A hill to come back from")
    expect(page.locator("#frame img.finished")).to_be_visible()


def test_the_way_back_to_the_other_tabs_leaves_nothing_there(tab: Tab) -> None:
    page = tab.open("/?sandbox=noop")
    page.get_by_role("tab", name="Blog").click()
    page.fill("#topic", "A hill to come back from")
    page.click("#write")
    expect(page.locator("#post-copy-html")).to_be_visible()
    page.go_back()
    expect(page.locator("#post-nothing")).to_be_visible()
    expect(page.locator("#post-job")).to_be_hidden()
    page.get_by_role("tab", name="Storyboards").click()
    page.get_by_role("button", name="Show an example").click()
    page.click("#draw")
    expect(page.locator("#board-title")).to_have_text("films/lighthouse")
    page.go_back()
    expect(page.locator("#board-nothing")).to_be_visible()
    expect(page.locator("#board-job")).to_be_hidden()
    expect(page.locator("#boards [aria-current]")).to_have_count(0)


def test_the_way_back_leads_past_what_runs(tab: Tab, server: Server) -> None:
    """What runs is shown at `/`, in its place: going back from there leads on."""
    tab.ready = "#topic"
    page = tab.open("/#blog")
    page.goto(f"{server.url}/?sandbox=stall")
    page.fill("#prompt", "A hill that is being drawn")
    page.click("#generate")
    job = job_id(page)
    expect(page.locator("#stages .current")).to_have_text("Generating")
    page.go_back()
    assert job_id(page) == job
    expect(page.locator("#job-title")).to_have_text("A hill that is being drawn")
    expect(page.locator("#job")).to_be_visible()
    page.go_back()
    chosen(page, "Blog")
    server.ask(f"{API}/jobs/{job}/cancel", {})


def test_a_hidden_tab_lets_its_stream_go_and_takes_it_up_again(tab: Tab, server: Server) -> None:
    page = tab.open("/?sandbox=slow&seconds=120")
    with requests(page, "/stream") as opened:
        page.fill("#prompt", "A hill behind a tab")
        page.check('[value="draft"]')
        page.click("#generate")
        expect(page.locator("#message")).to_contain_text("step")
        until(page, lambda: len(opened) == 1, "one stream is open")
        job = job_id(page)
        page.get_by_role("tab", name="Blog").click()
        expect(page.locator("#topic")).to_be_visible()
        until(page, lambda: not opened, "the stream was given back")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/images/" in request.url else None)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_timeout(2500)
        assert asked == [], "nothing is read for a tab that nobody sees"
        with page.expect_request(re.compile(r"stream\?after=\d+")):
            page.get_by_role("tab", name="Pictures").click()
        server.ask(f"{API}/jobs/{job}/cancel", {})
        expect(page.locator("#receipt")).to_be_visible()


def test_the_title_is_that_of_the_tab_that_is_seen(tab: Tab) -> None:
    page = tab.open("/?sandbox=noop")
    page.fill("#prompt", "A hill with a title")
    page.click("#generate")
    expect(page).to_have_title("Finished · atelier")
    page.get_by_role("tab", name="Blog").click()
    expect(page).to_have_title("atelier")
    page.get_by_role("tab", name="Pictures").click()
    expect(page).to_have_title("Finished · atelier")


def test_a_tab_that_could_not_be_fetched_is_chosen_again(tab: Tab) -> None:
    tab.expected = ["net::ERR_", "Failed to fetch"]
    page = tab.open()
    page.route("**/blog/panel.html", lambda route: route.abort())
    page.get_by_role("tab", name="Blog").click()
    expect(page.get_by_role("tabpanel", name="Blog")).to_contain_text("choose the tab again")
    page.unroute("**/blog/panel.html")
    page.get_by_role("tab", name="Blog").click()
    expect(page.locator("#topic")).to_be_visible()


def test_every_tab_has_its_front_door(tab: Tab, server: Server) -> None:
    """A tab without a backend is not shown: each has a room whose door is in the service's own document."""
    paths = server.read("/openapi.json")["paths"]
    page = tab.open()
    rooms = page.get_by_role("tab").evaluate_all("tabs => tabs.map(tab => tab.dataset.room)")
    assert rooms[0] == "pictures"
    for room in rooms:
        page.goto(f"{server.url}/#{room}")
        with page.expect_response(re.compile(r"/api/.*limit=")) as answered:
            page.reload()
        assert answered.value.ok
        assert answered.value.url.removeprefix(server.url).split("?")[0] in paths


WIDER = """
() => {
  const { right } = document.querySelector("main").getBoundingClientRect();
  const parts = document.querySelectorAll("main form :is(input, textarea, select, button, p)");
  return [...parts].filter((part) => part.checkVisibility() && part.getBoundingClientRect().right > right).map((part) => part.id);
}
"""
HINTS = """
() => [...document.querySelectorAll("main form .field > .hint")]
  .filter((hint) => hint.checkVisibility() && hint.textContent !== "")
  .map((hint) => {
    const field = [...hint.parentElement.children].slice(0, [...hint.parentElement.children].indexOf(hint)).findLast((each) => each.checkVisibility());
    return [hint.id, hint.getBoundingClientRect().top - field.getBoundingClientRect().bottom];
  })
"""
HINTED = [
    "seed-hint",
    "keywords-hint",
    "sources-hint",
    "prompts-hint",
    "prompts-sum",
    "project-hint",
    "story-level-hint",
]


def test_every_tab_has_the_same_head_and_measure(tab: Tab) -> None:
    """The head is as high on each tab, whatever the width; no form is wider than its column; hints stand off alike."""
    page = tab.open()
    hints: dict[str, float] = {}
    for width in [1280, 1090, 1024, 390, 320]:
        page.set_viewport_size({"width": width, "height": 800})
        tops = set()
        for each in page.get_by_role("tab").all():
            each.click()
            expect(page.locator("main form:visible .submit")).to_be_visible()
            tops.add(page.evaluate("document.querySelector('main').getBoundingClientRect().top + window.scrollY"))
            assert page.evaluate(WIDER) == [], width
            page.evaluate("document.querySelectorAll('main details').forEach((fold) => (fold.open = true))")
            if page.locator("#board-example").is_visible():
                page.click("#board-example")
            hints |= dict(page.evaluate(HINTS))
        assert len(tops) == 1, width
    assert {name: round(gap) for name, gap in hints.items()} == dict.fromkeys(HINTED, 6)


SWAGGER = "https://cdn.jsdelivr.net/**"
BUNDLE = """
window.SwaggerUIBundle = ({ url, dom_id }) => (document.querySelector(dom_id).textContent = `Shown: ${url}`);
"""


def test_the_reference_says_something_without_the_internet(tab: Tab, server: Server) -> None:
    tab.expected = ["net::ERR_"]
    page = tab.page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(SWAGGER, hold)
    page.goto(f"{server.url}/docs", wait_until="commit")
    expect(page.get_by_role("link", name="/openapi.json")).to_be_visible()
    until(page, lambda: bool(held), "Swagger UI was asked for")
    held[0].abort()
    page.wait_for_load_state()
    expect(page.get_by_role("link", name="/openapi.json")).to_be_visible()
    page.unroute(SWAGGER)
    page.route(SWAGGER, lambda route: route.fulfill(body=BUNDLE if route.request.url.endswith(".js") else ""))
    page.reload()
    expect(page.locator("#swagger-ui")).to_have_text("Shown: /openapi.json")


def test_without_scripts_the_page_says_where_to_go(browser: Browser, server: Server) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(server.url)
    link = page.locator(".noscript a")
    expect(link).to_be_visible()
    assert link.get_attribute("href") == "/openapi.json"
    page.close()


POLICY = "default-src 'self'; img-src * data:; object-src 'none'; base-uri 'none'; form-action 'self'"


def strictly(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, headers={**answer.headers, "Content-Security-Policy": POLICY})


def test_the_page_works_under_a_strict_policy(tab: Tab, server: Server) -> None:
    """A proxy may add one: no script or style is inline, nothing comes from elsewhere. The console stays silent."""
    tab.page.route(f"{server.url}/?sandbox=noop", strictly)
    page = tab.open("/?sandbox=noop")
    told = page.evaluate(
        "fetch(location.pathname + location.search).then((page) => page.headers.get('content-security-policy'))"
    )
    assert told == POLICY
    page.fill("#prompt", "A hill under a policy")
    page.check('[value="16:9"]')
    page.click("#generate")
    expect(page.locator("#frame img.finished")).to_be_visible()
    page.get_by_role("tab", name="Blog").click()
    page.fill("#topic", "A hill under a policy")
    page.click("#write")
    expect(page.locator("#post-scores .dial").first).to_be_visible()
    page.get_by_role("tab", name="Stories").click()
    page.fill("#story-topic", "A hill under a policy")
    page.fill("#story-level", "A1")
    page.fill("#story-image-count", "1")
    page.click("#tell")
    expect(page.locator('.plate[data-status="completed"] img')).to_be_visible()
    page.get_by_role("button", name="Settings", exact=True).click()
    expect(page.locator("#settings input").first).to_be_visible()


def test_the_skip_link_leads_past_the_form(tab: Tab) -> None:
    page = tab.open()
    for name, easel in [("Pictures", "easel"), ("Blog", "desk")]:
        page.get_by_role("tab", name=name).click()
        expect(page.locator(f"#{easel}")).to_be_visible()
        page.get_by_role("link", name="Skip to what is made").press("Enter")
        assert page.evaluate("document.activeElement.id") == easel
        chosen(page, name)


def test_a_tab_left_while_it_is_fetched_stays_quiet(tab: Tab) -> None:
    page = tab.open()
    held: list[Route] = []
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/v1/blog" in request.url else None)

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/blog/panel.html", hold)
    page.get_by_role("tab", name="Blog").click()
    page.get_by_role("tab", name="Pictures").click()
    chosen(page, "Pictures")
    until(page, lambda: bool(held), "the tab was asked for")
    with page.expect_response("**/blog/panel.html"):
        held[0].continue_()
    page.wait_for_timeout(500)
    chosen(page, "Pictures")
    assert asked == []
    page.get_by_role("tab", name="Blog").click()
    expect(page.locator("#topic")).to_be_visible()
