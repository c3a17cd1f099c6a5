"""The tab of stories in a real browser, on a real server process that paints one picture at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from tests.e2e.browser import PATIENCE, Server
from tests.e2e.tab import Tab, copy, job_id, requests, until, watch

pytestmark = pytest.mark.e2e

ROOT = "/api/ai/generated-content"
REFUSED = "The sandbox refuses this request, as it was asked to."
SLOWLY = 2 * PATIENCE
"""Several pictures really painted, on a busy machine."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("stories"), ATELIER_SLOTS__IMAGE="1")
    yield started
    started.stop()


@pytest.fixture
def book(tab: Tab) -> Tab:
    """A tab whose stories are found under its address."""
    tab.ready = "#story-topic"
    return tab


def order(page: Page, topic: str, scenes: int = 2, level: str = "A2") -> None:
    page.fill("#story-topic", topic)
    page.fill("#story-level", level)
    if scenes:
        page.fill("#story-image-count", str(scenes))
    else:
        page.get_by_label("Illustrated story").uncheck()
    page.click("#tell")


def read(server: Server, page: Page) -> Any:
    return server.read(f"{ROOT}/{job_id(page, 'story')}/")


def plate(page: Page, number: int, status: str | None = None) -> Locator:
    """Return the frame of a scene's picture, in this state where one is named."""
    state = f'[data-status="{status}"]' if status else ""
    return page.locator(f'.plate[data-number="{number}"]{state}')


def expect_pictures(page: Page, count: int) -> None:
    expect(page.locator('.plate[data-status="completed"] img')).to_have_count(count, timeout=SLOWLY)
    expect(page).to_have_title("Finished · atelier")


def test_a_story_is_read_while_its_pictures_arrive(book: Tab, server: Server) -> None:
    page = book.open("/?sandbox_images=slow&seconds=3#stories")
    page.get_by_role("button", name="“A fox who has lost her key”").click()
    assert page.input_value("#story-level") == "A2"
    page.fill("#story-image-count", "2")
    expect(page.locator("#story-count")).to_have_text("2 scenes")
    seen = watch(
        page,
        scenes=".scene",
        plates=".plate",
        pictures=".plate img",
        bar=".plate [role=progressbar], .plate progress",
        message="#story-message",
        times="#story-times",
        percent="#story-progress",
    )
    page.press("#story-topic", "Control+Enter")
    expect_pictures(page, 2)
    story = read(server, page)
    expect(page.locator("#story-job-title")).to_have_text(story["title"])
    for scene in story["scenes"][1:]:
        expect(page.get_by_role("region", name=f"Scene {scene['number']}")).to_contain_text(scene["text"])
    assert any(first_is_painted(state) for state in seen())
    assert any(second_is_painted(state) for state in seen())
    expect_what_is_kept(page, story)


def first_is_painted(state: dict[str, Any]) -> bool:
    """Whether the whole text was there before any picture, and it was told who paints which and how long it takes."""
    if len(state["scenes"]) < 2 or state["pictures"]:
        return False
    first, second = state["plates"]
    begun = "Painting scene 1 of 2…" in first and "by the sandbox" in first and len(state["bar"]) == 1
    told = state["message"] == ["Generating image 1/2... · the sandbox"]
    timed = re.fullmatch(r"\d+ s elapsed · about \d+ s left", "".join(state["times"]))
    return begun and told and bool(timed) and "Waiting for artist…" in second


def second_is_painted(state: dict[str, Any]) -> bool:
    """Whether the first picture was there while the second was being painted."""
    if len(state["plates"]) < 2 or len(state["pictures"]) != 1:
        return False
    begun = "Painting scene 2 of 2…" in state["plates"][1] and "Generating image 2/2..." in "".join(state["message"])
    titled = re.fullmatch(r"\d+ % painting · atelier", state["title"])
    return begun and bool(titled) and 25 <= state["percent"][0] < 100


def expect_what_is_kept(page: Page, story: dict[str, Any]) -> None:
    """Check that a finished story is shown as the service has it."""
    assert story["status"] == "completed"
    for image in story["images"]:
        shown = plate(page, image["event_number"]).locator("img")
        shown.scroll_into_view_if_needed()
        expect(shown).to_have_js_property("complete", value=True)
        assert shown.evaluate("image => image.naturalWidth") > 0
        assert (shown.get_attribute("src"), shown.get_attribute("alt")) == (image["image_url"], image["alt_text"])
        expect(plate(page, image["event_number"])).to_contain_text("Painted by the sandbox")
    expect(page.locator("#story-facts")).to_have_text("for A2 · 2 pictures")
    expect(page.locator("#story-running")).to_be_hidden()
    expect(page.locator("#story-cancel")).to_be_hidden()
    assert copy(page, "#story-copy") == f"{story['title']}\n\n{story['text']}\n"


def test_a_picture_opens_large_and_leads_to_the_others(book: Tab, server: Server) -> None:
    page = book.open("/?sandbox=noop#stories")
    order(page, "A walk by the river", 3)
    expect_pictures(page, 3)
    images = read(server, page)["images"]
    plate(page, 2).get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="Scene 2 of 3")
    expect(dialog).to_be_visible()
    assert page.locator("#closer-picture").get_attribute("src") == images[1]["image_url"]
    page.keyboard.press("ArrowRight")
    expect(page.locator("#closer-words")).to_have_text(images[2]["alt_text"])
    expect(page.locator("#closer-after")).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("ArrowRight")
    for _ in range(2):
        page.get_by_role("button", name="The picture before").click()
    expect(page.locator("#closer-words")).to_have_text(images[0]["alt_text"])
    assert page.locator("#closer-open").get_attribute("href") == images[0]["image_url"]
    page.keyboard.press("Escape")
    expect(plate(page, 2).get_by_role("button")).to_be_focused()


def test_a_reload_midway_goes_on(book: Tab) -> None:
    page = book.open("/?sandbox_images=slow&seconds=5#stories")
    order(page, "A story through a reload")
    expect(plate(page, 1, "completed")).to_be_visible()
    before, percent = job_id(page, "story"), page.locator("#story-progress").evaluate("bar => bar.value")
    page.reload()
    expect(plate(page, 1, "completed").locator("img")).to_be_visible()
    expect(plate(page, 2)).to_contain_text("Painting scene 2 of 2…")
    assert job_id(page, "story") == before
    page.wait_for_function(f"document.getElementById('story-progress').value >= {percent - 1}")
    book.open("/#stories")
    assert job_id(page, "story") == before, "what goes on is shown first"
    expect_pictures(page, 2)


def test_a_picture_lost_with_its_server_is_tried_again(context: BrowserContext, tmp_path: Path) -> None:
    """The process dies with the first picture in hand, and nobody has a second attempt."""
    server = Server(tmp_path, ATELIER_SLOTS__IMAGE="1", ATELIER_MAX_ATTEMPTS="1")
    try:
        tab = Tab(context, server, ready="#story-topic")
        tab.expected = ["net::ERR_"]
        page = tab.open("/?sandbox_images=slow&seconds=3#stories")
        order(page, "A story through a power cut")
        expect(plate(page, 1)).to_contain_text("Painting scene 1 of 2…")
        server.kill()
        expect(page.locator("#story-link")).to_contain_text("The connection is cut; the job goes on.")
        expect(page.locator(".scene")).to_have_count(2)
        server.start()
        expect(page.locator("#story-link")).to_be_hidden()
        expect(plate(page, 1, "failed").locator(".problem")).not_to_be_empty()
        expect(plate(page, 2, "completed")).to_be_visible()
        expect(page.locator("#story-verdict")).to_have_text("1 of 2 images are ready; the others can be retried.")
        expect(page.locator("#story-repaint")).to_be_hidden()
        page.get_by_role("button", name="Try again: picture 1").press("Enter")
        expect(plate(page, 1)).to_contain_text("Painting scene 1 of 2…")
        expect(plate(page, 1)).to_be_focused()
        expect_pictures(page, 2)
        expect(page.locator("#story-verdict")).to_be_hidden()
        tab.check_silence()
    finally:
        server.stop()


def test_failed_pictures_say_why_one_by_one(book: Tab, server: Server) -> None:
    page = book.open("/?sandbox_images=refused#stories")
    order(page, "Something nobody paints")
    for number in (1, 2):
        expect(plate(page, number, "failed").locator(".problem")).to_have_text(REFUSED)
        expect(plate(page, number).get_by_role("button", name="Open settings")).to_be_hidden()
    expect(page.locator("#story-verdict")).to_have_text(REFUSED)
    expect(page.locator(".scene").first).to_contain_text("This text was written by the sandbox")
    expect(page.locator("#story-retry")).to_be_hidden()
    jobs = [image["job_id"] for image in read(server, page)["images"]]

    def runs() -> list[int]:
        return [server.read(f"/api/v1/images/jobs/{job}")["run"] for job in jobs]

    with page.expect_response(re.compile("/images/2/retry/")) as retried:
        plate(page, 2).get_by_role("button", name="Try again: picture 2").click()
    assert retried.value.json()["status"] == "processing"
    expect(plate(page, 2, "failed").locator(".problem")).to_have_text(REFUSED)
    assert runs() == [1, 2]
    page.get_by_role("button", name="Try all 2 again").click()
    expect(page.locator("#story-cancel")).to_be_hidden()
    expect(page.locator('.plate[data-status="failed"]')).to_have_count(2)
    page.wait_for_function(
        "jobs => Promise.all(jobs.map((job) => fetch(`/api/v1/images/jobs/${job}`).then((answer) => answer.json())))"
        ".then((all) => all[0].run === 2 && all[1].run === 3)",
        arg=jobs,
        polling=200,
    )


def test_a_cancelled_story_keeps_its_text_and_what_is_painted(book: Tab) -> None:
    page = book.open("/?sandbox_images=slow&seconds=3#stories")
    order(page, "A story that is stopped")
    expect(plate(page, 1, "completed")).to_be_visible()
    expect(plate(page, 2)).to_contain_text("Painting scene 2 of 2…")
    page.click("#story-cancel")
    expect(plate(page, 2, "failed").locator(".problem")).to_have_text(re.compile("ancelled"))
    expect(page.locator("#story-cancel")).to_be_hidden()
    expect(plate(page, 1, "completed")).to_be_visible()
    expect(page.locator(".scene")).to_have_count(2)
    page.get_by_role("button", name="Try again: picture 2").click()
    expect(page.locator("#story-cancel")).to_be_visible()
    expect_pictures(page, 2)


def test_a_text_that_failed_says_why_and_is_tried_again(book: Tab, server: Server) -> None:
    page = book.open("/?sandbox=refused#stories")
    order(page, "Something nobody writes")
    expect(page.locator("#story-verdict")).to_have_text(REFUSED)
    expect(page).to_have_title("Failed · atelier")
    expect(page.locator("#story-pages")).to_be_hidden()
    expect(page.locator("#story-copy")).to_be_hidden()
    with page.expect_response(re.compile(f"{job_id(page, 'story')}/retry/")) as retried:
        page.click("#story-retry")
    assert retried.value.json()["status"] != "failed"
    until(page, lambda: read(server, page)["status"] == "failed", "the second run failed, too")
    expect(page.locator("#story-verdict")).to_have_text(REFUSED)


def test_a_story_without_pictures_is_text_alone(book: Tab, server: Server) -> None:
    page = book.open("/#stories")
    order(page, "A story without pictures", 0)
    expect(page.locator("#story-scenes")).to_be_hidden()
    expect(page.locator("#story-copy")).to_be_visible()
    expect(page).to_have_title("Finished · atelier")
    expect(page.locator(".scene")).to_have_count(8)
    expect(page.locator(".plate")).to_have_count(0)
    assert read(server, page)["illustrated"] is False


def test_who_stands_in_is_told_and_a_story_is_deleted(book: Tab, server: Server) -> None:
    page = book.open("/#stories")
    order(page, "A story of one picture", 1)
    told = "No image generation provider is configured; the sandbox draws the pictures."
    expect(page.locator("#story-warnings")).to_contain_text(told)
    expect_pictures(page, 1)
    item = page.locator("#story-list .work").filter(has_text="A story of one picture")
    expect(item).to_contain_text("Finished")
    item.scroll_into_view_if_needed()
    expect(item.locator("img")).to_be_visible()
    story = job_id(page, "story")
    page.click("#story-delete")
    page.get_by_role("button", name="Keep it").click()
    assert server.read(f"{ROOT}/{story}/")["status"] == "completed"
    page.click("#story-delete")
    page.get_by_role("button", name="Delete it").click()
    expect(page.locator("#story-nothing")).to_be_visible()
    expect(item).to_have_count(0)
    page.wait_for_url(re.compile("#stories$"))
    assert story not in {each["id"] for each in server.read(f"{ROOT}/")["results"]}


def test_older_stories_are_a_page_away(book: Tab, server: Server) -> None:
    for number in range(26):
        server.ask(
            f"{ROOT}/", {"topic": f"Story {number}", "level": "A1", "image_count": 1, "sandbox": {"scenario": "noop"}}
        )
    page = book.open("/#stories")
    expect(page.locator("#story-list .work")).to_have_count(24)
    page.get_by_role("button", name="Older stories").click()
    page.wait_for_function("document.querySelectorAll('#story-list .work').length > 25")
    page.wait_for_function("[...document.querySelectorAll('#story-list .work')].indexOf(document.activeElement) === 24")


def test_wrong_values_are_told_at_their_fields(book: Tab) -> None:
    book.expected = ["422 (Unprocessable"]
    page = book.open("/#stories")
    page.click("#tell")
    expect(page.locator("#story-topic-problem")).to_have_text("Say in a few words what the story shall be about.")
    expect(page.locator("#story-level-problem")).to_have_text("Say how well its readers know the language.")
    order(page, "Fine", level="A" * 65)
    expect(page.locator("#story-level-problem")).not_to_be_empty()
    expect(page.locator("#story-topic-problem")).to_be_empty()
    assert page.evaluate("document.activeElement.id") == "story-level"


def test_a_hidden_tab_lets_the_story_s_stream_go(book: Tab, server: Server) -> None:
    page = book.open("/?sandbox_images=stall#stories")
    order(page, "A story nobody sees", 1)
    expect(plate(page, 1)).to_contain_text("Painting scene 1 of 1…")
    (image,) = read(server, page)["images"]
    with page.expect_event("requestfailed", lambda request: "/stream" in request.url):
        page.get_by_role("tab", name="Blog").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3300)
    assert [url for url in asked if "/api/ai/" in url] == []
    with page.expect_request(re.compile("/images/stream/")):
        page.get_by_role("tab", name="Stories").click()
    server.ask(f"/api/v1/images/jobs/{image['job_id']}/cancel", {})
    expect(plate(page, 1, "failed").locator(".problem")).to_have_text(re.compile("ancelled"))


def test_a_story_that_has_ended_is_not_asked_for_again(book: Tab) -> None:
    page = book.open("/?sandbox=noop#stories")
    with requests(page, "/api/ai/") as opened:
        order(page, "A story that is over")
        expect_pictures(page, 2)
        until(page, lambda: not opened, "its stream and the last reading have ended")
        page.wait_for_timeout(1000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3300)
    assert [url for url in asked if job_id(page, "story") in url] == []


NAMELESS = """
() => [...document.querySelectorAll("button, a, input, select, textarea, progress, summary")]
  .filter((item) => item.checkVisibility() && !item.textContent.trim() && !item.labels?.length && !item.ariaLabel)
  .map((item) => item.outerHTML)
"""


def test_every_control_has_a_name_and_the_keyboard_reaches_it(book: Tab) -> None:
    page = book.open("/?sandbox_images=stall#stories")
    assert page.evaluate(NAMELESS) == []
    page.focus("#story-topic")
    page.keyboard.type("Told by keyboard alone")
    visited: list[str] = []
    while not visited or visited[-1] != "tell":
        page.keyboard.press("Tab")
        visited.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
        if visited[-1] == "story-level":
            page.keyboard.type("B1")
        assert len(visited) < 12
    assert {"story-level", "illustrated", "story-image-count"} < set(visited)
    page.keyboard.press("Enter")
    expect(page.get_by_role("progressbar", name="Progress of the story")).to_be_visible()
    expect(plate(page, 1)).to_contain_text("Painting scene 1 of 8…")
    assert page.evaluate(NAMELESS) == []
    page.get_by_role("button", name="Cancel", exact=True).press("Enter")
    expect(page.locator("#story-repaint")).to_be_visible()
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate("document.activeElement.id") == "story-job-title"


@pytest.mark.parametrize("width", [360, 768, 1920])
def test_nothing_is_wider_than_the_screen(book: Tab, width: int) -> None:
    book.page.set_viewport_size({"width": width, "height": 800})
    page = book.open("/?sandbox=noop#stories")
    order(page, "W" * 300, 2, level="W" * 64)
    expect_pictures(page, 2)
    page.locator(".words p").last.evaluate("text => (text.textContent = 'W'.repeat(300))")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    words, picture = (page.locator(f".scene:first-child {part}").bounding_box() for part in (".words", ".plate"))
    assert words is not None
    assert picture is not None
    assert (picture["y"] >= words["y"] + words["height"]) == (width < 1000), "beside the text where there is room"
    plate(page, 1).get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    box = page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert box["width"] <= width
    assert box["height"] <= 800


NEWS = """
async () => {
  const model = await import("/studio/stories/story.js");
  const image = (number, status, more = {}) => ({ event_number: number, status, job_id: "j" + number, image_url: null, error: null, ...more });
  const view = (more) => ({
    title: null, topic: "T", level: "A1", status: "processing", progress_percentage: 5, message: "m", error_message: null, warnings: [],
    scenes: [], text: null, eta: { p50: 9 }, created_at: "2026-01-01T00:00:00Z", images: [image(1, "pending"), image(2, "pending")], ...more,
  });
  const scenes = [{ number: 1, text: "a" }, { number: 2, text: "b" }];
  const read = model.withView(model.newJob("s", "T"), view({}), 1000);
  const wrote = model.withEvent(read, { type: "text", status: "processing", stage: "illustrating", progress: 90, message: "there" });
  const drawing = model.withEvent(wrote, { type: "image", ...image(1, "generating"), progress: 40 });
  const told = model.withText(drawing, view({ scenes, status: "completed", eta: null, progress_percentage: 100 }), 2000);
  const standing = { message: "x", current_provider: "sandbox", estimated_time_remaining: 3, images: [image(1, "pending"), image(2, "pending")] };
  const stale = model.withStanding(told, standing, 3000, false);
  const taken = model.withStanding(told, standing, 3000, true);
  const late = model.withEvent(told, { type: "image", ...image(3, "completed") });
  const repeated = model.withEvent(told, { type: "text", status: "processing", stage: "illustrating", progress: 90, message: "there" });
  return [
    [read.stage, read.progress.toFixed(1), model.lacks(read)], [model.lacks(wrote), wrote.written],
    [told.stage, told.images[0].status, told.images[0].progress, told.status, told.remaining, model.lacks(told), told.message],
    [stale.images[0].status, stale.provider, stale.remaining.seconds], [taken.images[0].status], late === told, repeated.stage,
  ];
}
"""


def test_news_of_pictures_are_taken_as_they_are_told(tab: Tab) -> None:
    read, wrote, told, stale, taken, late, repeated = tab.open().evaluate(NEWS)
    assert read == ["writing", "1.7", False]
    assert wrote == [True, 90]
    assert told == ["painting", "generating", 40, "processing", None, False, "Generating image 1/2..."]
    assert stale == ["generating", "sandbox", 3], "what came meanwhile is newer"
    assert taken == ["pending"]
    assert late is True, "there is no such scene"
    assert repeated == "painting", "a text that is there is not being written"
