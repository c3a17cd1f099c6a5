"""The tab of pictures in a real browser, on a real server process."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect
from tests.e2e.browser import PATIENCE, Server
from tests.e2e.tab import API, Tab, by_twos, copy, job_id, requests, until, watch

pytestmark = pytest.mark.e2e


def order(page: Page, prompt: str, **choices: str) -> None:
    page.fill("#prompt", prompt)
    for name, value in choices.items():
        page.check(f'[name="{name}"][value="{value}"]')
    page.click("#generate")


def expect_picture(page: Page) -> None:
    picture = page.locator("#frame img.finished")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("complete", value=True)
    assert picture.evaluate("image => image.naturalWidth") > 0
    expect(page.locator("#stages li.done")).to_have_count(5)
    expect(page).to_have_title("Finished · atelier")


def test_a_picture_is_made_and_shown_with_its_facts(tab: Tab, server: Server) -> None:
    page = tab.open()
    page.get_by_role("button", name="A lone tree in the mist").click()
    page.select_option("#style", "origami")
    page.check('[value="3:2"]')
    page.check('[value="draft"]')
    page.press("#prompt", "Control+Enter")
    expect_picture(page)
    stages = page.locator("#stages li").evaluate_all("items => items.map(item => item.dataset.stage)")
    assert stages == ["queued", "processing", "generating", "uploading", "completed"]
    picture = server.read(f"{API}/jobs/{job_id(page)}")["result"]["images"][0]
    assert picture["style"] == "origami"
    assert abs(picture["width"] / picture["height"] - 1.5) < 0.05
    expect(page.locator("#facts")).to_contain_text(f"{picture['width']} × {picture['height']}")  # noqa: RUF001 - as people write it
    expect(page.locator("#facts")).to_contain_text(str(picture["seed"]))
    assert page.get_attribute("#open", "href") == picture["image_url"]
    assert page.locator("#frame img").get_attribute("alt") == "A lone tree in the mist, mountains behind it"
    page.click("#use-seed")
    assert page.input_value("#seed") == str(picture["seed"])
    expect(page.locator("#recent .work").first).to_contain_text("Finished")
    expect(page.locator("#recent .work img").first).to_be_visible()


def test_the_copied_curl_makes_the_same_request(tab: Tab) -> None:
    page = tab.open("/?sandbox=noop")
    order(page, "It's a painter's table\nwith brushes", aspect_ratio="16:9", quality="high")
    expect_picture(page)
    command = copy(page, "#copy-curl")
    answer = subprocess.run(["bash", "-c", command], capture_output=True, check=True, timeout=PATIENCE / 1000)
    ours, theirs = page.locator("#job-title").inner_text(), answer.stdout.decode()
    assert ours == "It's a painter's table with brushes"
    assert '"stage":"completed"' in theirs
    assert f'"alt_text":"{ours}"' in theirs


def test_steps_and_previews_show_while_it_is_drawn(tab: Tab) -> None:
    page = tab.open("/?sandbox=slow&seconds=4")
    seen = watch(page, message="#message", times="#times", preview="#frame img.preview", percent="#progress")
    order(page, "A red planet with two moons", aspect_ratio="16:9", quality="draft")
    expect(page.locator("#frame")).to_be_visible()
    reserved = page.locator("#frame").bounding_box()
    expect_picture(page)
    assert any(half_drawn(state) for state in seen())
    shown = page.locator("#frame").bounding_box()
    assert reserved is not None
    assert shown is not None
    assert (round(shown["width"]), round(shown["height"])) == (round(reserved["width"]), round(reserved["height"]))


def half_drawn(state: dict[str, Any]) -> bool:
    """Whether a preview was shown, and told how far the picture is and how long it takes."""
    stepped = re.search(r"step \d+ of 8", "".join(state["message"]))
    timed = re.fullmatch(r"\d+ s elapsed · about \d+ s left", "".join(state["times"]))
    titled = re.fullmatch(r"\d+ % generating · atelier", state["title"])
    return bool(stepped and timed and titled and state["preview"]) and 15 < state["percent"][0] <= 90


@pytest.mark.parametrize("words", ["A long hill 🎨 " * 20, "W" * 130])
def test_a_long_title_is_cut_once(tab: Tab, words: str) -> None:
    """What is shown before the service has answered is its own title already."""
    page = tab.open("/?sandbox=noop")
    seen = watch(page, titles="#job-title")
    order(page, words)
    expect_picture(page)
    (shown,) = {title for state in seen() for title in state["titles"]}
    assert shown == page.locator("#recent .name").first.inner_text()
    assert len(shown) <= 125
    assert shown.endswith("…")
    assert " ".join(words.split()).startswith(shown[:-1])


def test_older_pictures_are_a_page_away(tab: Tab, server: Server) -> None:
    for number in range(3):
        server.ask(f"{API}/generate", {"prompt": f"Old hill {number}", "sandbox": {"scenario": "noop"}})
    tab.page.route(re.compile(r"/jobs\?limit=24"), by_twos)
    page = tab.open()
    expect(page.locator("#recent .work")).to_have_count(2)
    page.get_by_role("button", name="Older pictures").click()
    expect(page.locator("#recent .work")).to_have_count(3 if page.locator("#recent-more").is_hidden() else 4)
    assert page.locator("#recent .name").all_inner_texts()[:3] == ["Old hill 2", "Old hill 1", "Old hill 0"]
    expect(page.locator("#recent .work").nth(2)).to_be_focused()


EVEN = """
() => Object.values(Object.groupBy(document.querySelectorAll("#ratios label"), (label) => label.offsetTop)).map((row) => row.length)
"""


def test_the_shapes_stand_in_even_rows(tab: Tab) -> None:
    page = tab.open()
    for width, rows in [(320, [3, 3, 3]), (390, [3, 3, 3]), (600, [9]), (900, [9]), (1280, [9])]:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(EVEN) == rows, width
        assert page.locator("#ratios label").evaluate_all(
            "all => all.every((each) => each.scrollWidth <= each.offsetWidth)"
        )


def test_the_same_words_again_are_another_picture(tab: Tab) -> None:
    page = tab.open("/?sandbox=noop")
    order(page, "Twice the same")
    expect_picture(page)
    first = job_id(page)
    page.click("#generate")
    page.wait_for_url(lambda url: "#job=" in url and first not in url)
    expect_picture(page)
    expect(page.locator("#recent .work").filter(has_text="Twice the same")).to_have_count(2)


def test_who_is_at_work_is_told(tab: Tab, server: Server) -> None:
    """A picture that two models take turns at, as the service tells of one."""
    made = server.ask(f"{API}/generate", {"prompt": "A hill in two coats", "sandbox": {"scenario": "stall"}})["job_id"]
    answer = {
        **server.read(f"{API}/jobs/{made}"),
        "status": "processing",
        "current_stage": "generating",
        "message": "Generating",
    }
    answer |= {"step": 41, "total_steps": 50, "part": "refiner_model", "progress_percentage": 77.0}
    tab.expected = ["net::ERR_"]
    page = tab.page
    page.route(f"**/jobs/{made}/stream**", lambda route: route.abort())
    page.route(f"**/jobs/{made}", lambda route: route.fulfill(json=answer))
    tab.open(f"/#job={made}")
    expect(page.locator("#message")).to_have_text("Generating · Refiner · step 41 of 50")
    server.ask(f"{API}/jobs/{made}/cancel", {})


def test_a_cancelled_job_shows_its_receipt(tab: Tab) -> None:
    page = tab.open("/?sandbox=stall")
    order(page, "A still life that never ends")
    expect(page.locator("#stages .current")).to_have_text("Generating")
    page.click("#cancel")
    expect(page.locator("#receipt")).to_have_text("The provider confirmed that it stopped. Nothing was charged.")
    expect(page.locator("#stages .stopped")).to_contain_text("Generating")
    expect(page.locator("#announcer")).to_have_text("It was cancelled.")
    expect(page.locator("#cancel")).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "job-title"


def test_a_failed_job_says_why_and_can_be_tried_again(tab: Tab, server: Server) -> None:
    page = tab.open("/?sandbox=refused")
    order(page, "Something refused")
    sentence = "The sandbox refuses this request, as it was asked to."
    expect(page.locator("#verdict")).to_have_text(sentence)
    expect(page).to_have_title("Failed · atelier")
    assert server.read(f"{API}/jobs/{job_id(page)}")["run"] == 1
    page.click("#retry")
    page.wait_for_function(f"fetch('{API}/jobs/{job_id(page)}').then(r => r.json()).then(j => j.run === 2)")
    expect(page.locator("#verdict")).to_have_text(sentence)
    expect(page.locator("#retry")).to_be_visible()


def test_a_wait_says_why_and_until_when(tab: Tab) -> None:
    page = tab.open("/?sandbox=rate_limited_then_ok")
    seen = watch(page, reason="#reason")
    order(page, "A picture in the rush hour", quality="draft")
    expect_picture(page)
    waits = re.compile(r"takes no more requests for the moment\. Attempt 2 of 3 (in \d+ s|begins now)\.")
    assert any(waits.search("".join(state["reason"])) for state in seen())
    expect(page.locator("#reason")).to_be_hidden()


def test_a_job_without_a_slot_says_so(tab: Tab, server: Server) -> None:
    body = {"prompt": "Taking a place", "sandbox": {"scenario": "stall"}}
    taken = [server.ask(f"{API}/generate", body)["job_id"] for _ in range(4)]
    page = tab.open("/?sandbox=noop")
    order(page, "Waiting for a place")
    expect(page.locator("#reason")).to_have_text("Every place at the easel is taken; it begins as soon as one is free.")
    expect(page.locator("#stages .current")).to_have_text("Queued")
    for job in taken:
        server.ask(f"{API}/jobs/{job}/cancel", {})
    expect_picture(page)


@pytest.mark.parametrize("keep_address", [True, False])
def test_a_reload_goes_on_watching(tab: Tab, server: Server, *, keep_address: bool) -> None:
    page = tab.open("/?sandbox=slow&seconds=120")
    order(page, "A lighthouse through a reload", quality="draft")
    expect(page.locator("#message")).to_contain_text("step")
    before, percent = job_id(page), page.locator("#progress").evaluate("bar => bar.value")
    if keep_address:
        page.reload()
    else:
        tab.open("/")
    expect(page.locator("#stages .current")).to_have_text("Generating")
    assert job_id(page) == before
    assert page.locator("#progress").evaluate("bar => bar.value") >= percent
    server.ask(f"{API}/jobs/{before}/cancel", {})
    expect(page.locator("#receipt")).to_be_visible()
    expect(page.locator("#stages .stopped")).to_contain_text("Generating")


def test_two_tabs_watch_one_job_to_its_end(tab: Tab, context: BrowserContext, server: Server) -> None:
    page = tab.open("/?sandbox=slow&seconds=2")
    order(page, "A lighthouse seen twice", quality="draft")
    second = Tab(context, server)
    other = second.open(f"/#job={job_id(page)}")
    expect_picture(page)
    expect_picture(other)
    second.check_silence()


def test_what_two_tabs_watch_ends_in_both(tab: Tab, context: BrowserContext, server: Server) -> None:
    page = tab.open("/?sandbox=stall")
    order(page, "A lighthouse that is never seen")
    second = Tab(context, server)
    other = second.open(f"/#job={job_id(page)}")
    for each in (page, other):
        expect(each.locator("#stages .current")).to_have_text("Generating")
    server.ask(f"{API}/jobs/{job_id(page)}/cancel", {})
    for each in (page, other):
        expect(each.locator("#receipt")).to_be_visible()
    second.check_silence()


def test_one_tab_holds_one_stream(tab: Tab) -> None:
    page = tab.open("/?sandbox=stall")
    with requests(page, "/stream") as opened:
        for prompt in ("The first of two", "The second of two"):
            order(page, prompt)
            expect(page.locator("#job-title")).to_have_text(prompt)
            expect(page.locator("#stages .current")).to_have_text("Generating")
        page.get_by_role("button", name="The first of two").click()
        expect(page.locator("#job-title")).to_have_text("The first of two")
        expect(page.locator("#stages .current")).to_have_text("Generating")
        page.wait_for_timeout(500)
        until(page, lambda: len(opened) == 1, "one stream is open")
    for prompt in ("The second of two", "The first of two"):
        page.get_by_role("button", name=prompt).click()
        expect(page.locator("#job-title")).to_have_text(prompt)
        page.click("#cancel")
        expect(page.locator("#receipt")).to_be_visible()
    page.go_back()
    expect(page.locator("#job-title")).to_have_text("The second of two")


def test_leaving_a_cut_job_ends_its_attempts(tab: Tab, server: Server) -> None:
    tab.expected = ["net::ERR_"]
    done = server.ask(f"{API}/generate", {"prompt": "Finished long ago", "sandbox": {"scenario": "noop"}})["job_id"]
    cut = server.ask(f"{API}/generate", {"prompt": "Cut off", "sandbox": {"scenario": "stall"}})["job_id"]
    page = tab.open(f"/#job={cut}")
    expect(page.locator("#stages .current")).to_have_text("Generating")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.route(f"**/jobs/{cut}**", lambda route: route.abort())
    page.reload()
    expect(page.locator("#link")).to_contain_text("The connection is cut; the job goes on.")
    page.get_by_role("button", name="Finished long ago").click()
    expect(page.locator("#job-title")).to_have_text("Finished long ago")
    expect_picture(page)
    asked.clear()
    page.wait_for_timeout(1500)
    assert [url for url in asked if cut in url or f"{done}/stream" in url] == []
    expect(page.locator("#link")).to_be_hidden()
    server.ask(f"{API}/jobs/{cut}/cancel", {})


def test_a_killed_server_costs_nothing_but_time(context: BrowserContext, tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        tab = Tab(context, server)
        tab.expected = ["net::ERR_"]
        page = tab.open("/?sandbox=slow&seconds=6")
        order(page, "A lighthouse through a power cut", quality="draft")
        expect(page.locator("#message")).to_contain_text("step")
        percent = page.locator("#progress").evaluate("bar => bar.value")
        server.kill()
        expect(page.locator("#link")).to_contain_text("The connection is cut; the job goes on.")
        server.start()
        expect(page.locator("#link")).to_be_hidden()
        assert page.locator("#progress").evaluate("bar => bar.value") >= percent
        expect_picture(page)
        expect(page.locator("#recent .work")).to_have_count(1)
        tab.check_silence()
    finally:
        server.stop()


def test_wrong_values_are_told_at_their_fields(tab: Tab) -> None:
    tab.expected = ["422 (Unprocessable"]
    page = tab.open()
    page.click("#generate")
    expect(page.locator("#prompt-problem")).to_have_text("Say in a few words what the picture shall show.")
    page.fill("#prompt", "   ")
    page.fill("#seed", "99999999999")
    page.click("#generate")
    expect(page.locator("#prompt-problem")).to_have_text("Must not be blank.")
    expect(page.locator("#seed-problem")).to_have_text("It should be less than or equal to 4294967294.")
    expect(page.locator("#problems li")).to_have_count(2)
    assert page.get_attribute("#seed", "aria-invalid") == "true"
    assert page.evaluate("document.activeElement.id") == "prompt"
    page.get_by_role("link", name="Seed:").click()
    assert page.evaluate("document.activeElement.id") == "seed"
    page.fill("#seed", "7")
    expect(page.locator("#seed-problem")).to_be_empty()
    page.fill("#prompt", "Now it is fine")
    page.check('[value="draft"]')
    page.click("#generate")
    expect(page.locator("#problems")).to_be_hidden()
    expect_picture(page)


def test_other_problems_say_what_to_do(tab: Tab) -> None:
    tab.expected = ["503 (Service", "net::ERR_"]
    page = tab.open()
    full = {"detail": "The store does not answer.", "code": "store_unavailable"}

    def busy(route: Route) -> None:
        route.fulfill(
            status=503, headers={"Retry-After": "2"}, content_type="application/problem+json", body=json.dumps(full)
        )

    page.route("**/generate/stream", busy)
    order(page, "A picture for later")
    expect(page.locator("#problems")).to_contain_text("The store does not answer.")
    expect(page.locator("#problems")).to_contain_text("Press the button again in 2 s; your words are kept.")
    page.unroute("**/generate/stream")
    page.route("**/generate/stream", lambda route: route.abort())
    page.click("#generate")
    expect(page.locator("#problems")).to_contain_text("The service could not be reached.")
    assert page.input_value("#prompt") == "A picture for later"


@pytest.mark.parametrize("address", ["job", "blog", "storyboard", "story"])
def test_of_what_is_gone_a_sentence_says_so_and_nothing_else(tab: Tab, address: str) -> None:
    tab.expected = ["404 (Not Found)"]
    tab.ready = ".easel .job"
    page = tab.open(f"/#{address}=0123456789abcdef")
    called = {"job": "picture", "blog": "post"}.get(address, address)
    told = f"There is no such {called}. It may have been removed."
    expect(page.locator(".easel .job:visible")).to_have_text(told, use_inner_text=True)
    rest = page.locator(".easel:visible").locator(".nothing, .mount, .stages, .steps, button")
    expect(rest.filter(visible=True)).to_have_count(0)
    expect(page).to_have_title("atelier")
    expect(page.locator(".recent:visible")).to_be_visible()


def test_an_address_of_something_gone_spoils_nothing(tab: Tab, server: Server) -> None:
    tab.expected = ["404 (Not Found)"]
    made = server.ask(f"{API}/generate", {"prompt": "A hill that is there", "sandbox": {"scenario": "noop"}})["job_id"]
    page = tab.open("/#job=nope")
    expect(page.locator("#link")).to_be_visible()
    page.goto(f"{server.url}/#job={made}")
    expect_picture(page)
    expect(page.locator("#job-title")).to_have_text("A hill that is there")
    expect(page.locator("#link")).to_be_hidden()


def test_a_blocked_stream_falls_back_to_reading(tab: Tab, server: Server) -> None:
    tab.expected = ["net::ERR_"]
    page = tab.open("/?sandbox=stall")
    page.route(re.compile(r"/jobs/\w+/stream"), lambda route: route.abort())
    order(page, "A picture behind a strict proxy")
    job = job_id(page)
    page.reload()
    expect(page.locator("#stages .current")).to_have_text("Generating")
    server.ask(f"{API}/jobs/{job}/cancel", {})
    expect(page.locator("#receipt")).to_be_visible()


@pytest.mark.parametrize("width", [360, 390, 768, 1920])
def test_nothing_is_wider_than_the_screen(tab: Tab, width: int) -> None:
    tab.page.set_viewport_size({"width": width, "height": 800})
    page = tab.open("/?sandbox=noop")
    order(page, "W" * 300, aspect_ratio="9:21")
    expect_picture(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    expect(page.locator("#frame")).to_be_in_viewport(ratio=0.95)
    box = page.locator("#frame").bounding_box()
    assert box is not None
    assert box["height"] < 800


NAMELESS = """
() => [...document.querySelectorAll("button, a, input, select, textarea, progress, summary")]
  .filter((item) => item.checkVisibility() && !item.textContent.trim() && !item.labels?.length && !item.ariaLabel)
  .map((item) => item.outerHTML)
"""


def test_every_control_has_a_name_and_the_keyboard_reaches_it(tab: Tab) -> None:
    page = tab.open("/?sandbox=stall")
    assert page.evaluate(NAMELESS) == []
    page.focus("#prompt")
    page.keyboard.type("Made by keyboard alone")
    visited: list[str] = []
    while not visited or visited[-1] != "generate":
        page.keyboard.press("Tab")
        visited.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
        assert len(visited) < 15
    assert {"style", "aspect_ratio", "quality", "seed", "surprise"} < set(visited)
    page.keyboard.press("Enter")
    expect(page.get_by_role("progressbar", name="Progress of the picture")).to_be_visible()
    assert page.evaluate(NAMELESS) == []
    expect(page.locator("#stages [aria-current=step]")).to_have_text("Generating")
    page.get_by_role("button", name="Cancel", exact=True).press("Enter")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


CONTRAST = """
(pairs) => {
  const colour = (name) => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = `var(--${name})`;
    const parts = getComputedStyle(probe).color.match(/[\\d.]+/g).map((part) => part / 255);
    probe.remove();
    const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return pairs.map(([one, other]) => {
    const [dark, light] = [colour(one), colour(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  });
}
"""
TEXTS = [
    ["ink", "paper"], ["ink", "sheet"], ["ink", "tint"], ["soft", "paper"], ["soft", "sheet"], ["accent", "paper"],
    ["accent-deep", "paper"], ["accent-deep", "tint"], ["on-accent", "accent"], ["on-accent", "accent-deep"],
]  # fmt: skip
EDGES = [["edge", "paper"], ["edge", "sheet"], ["accent", "sheet"], ["accent", "line"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough(tab: Tab, scheme: Any) -> None:
    tab.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page = tab.open()
    assert min(page.evaluate(CONTRAST, TEXTS)) >= 4.5
    assert min(page.evaluate(CONTRAST, EDGES)) >= 3


ENDLESS = """
() => document.getAnimations()
  .filter((each) => each.effect.getTiming().iterations === Infinity)
  .flatMap((each) => each.effect.getKeyframes().flatMap((frame) => Object.keys(frame)))
  .filter((name) => !["offset", "computedOffset", "easing", "composite"].includes(name))
"""


@pytest.mark.parametrize("room", ["pictures", "blog", "stories", "storyboards"])
def test_what_moves_while_a_tab_waits_is_not_painted_anew(browser: Browser, server: Server, room: str) -> None:
    """Endless movement only moves and fades, and where less motion is wished for, nothing moves at all."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="no-preference")
    page.goto(f"{server.url}/?sandbox=stall#{room}")
    if room == "pictures":
        order(page, "A hill that waits")
    elif room == "blog":
        page.fill("#topic", "A hill that waits")
        page.click("#write")
    elif room == "stories":
        page.fill("#story-topic", "A hill that waits")
        page.fill("#story-level", "A1")
        page.click("#tell")
    else:
        page.get_by_role("button", name="Show an example").click()
        page.click("#draw")
    until(page, lambda: bool(page.evaluate(ENDLESS)), "something moves")
    assert set(page.evaluate(ENDLESS)) <= {"scale", "translate", "opacity"}
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate("document.getAnimations().length") == 0
    with page.expect_response(re.compile("/cancel")):
        page.locator("#cancel:visible, #post-cancel:visible, #story-cancel:visible, #board-cancel:visible").click()
    page.close()


PARSE = """
async ([text, mode]) => {
  const { EventParser } = await import("/studio/shared/sse.js");
  const bytes = new TextEncoder().encode(text);
  const parse = (...cuts) => {
    const parser = new EventParser();
    const edges = [0, ...cuts, bytes.length];
    const events = edges.slice(1).flatMap((edge, index) => parser.push(bytes.slice(edges[index], edge)));
    return JSON.stringify([events, parser.lastId, parser.retry]);
  };
  const whole = parse();
  const every = bytes.keys().toArray().slice(1);
  const wrong = mode === "pairs"
    ? every.flatMap((one) => every.filter((other) => other > one && parse(one, other) !== whole).map((other) => [one, other]))
    : every.filter((cut) => parse(cut) !== whole);
  if (parse(...every) !== whole) wrong.push("byte by byte");
  return [JSON.parse(whole), wrong];
}
"""
STREAM = (
    "\ufeff: ping\r\n\r\n"
    'id: 1\r\ndata: {"message":"Grüße, 世界 🎨"}\r\n\r\n'
    "retry: 1500\nretry: soon\n"
    "id:2\ndata: first\ndata:  second\ndata\n\n"
    "event: named\rid: 3\rdata: with a lone return\r\r"
    "id: bad\0id\ndata: keeps the number\nunknown: field\n\n"
    "id: 4\n\n"
    ": the end is cut\ndata: never sent"
)  # fmt: skip


def test_the_parser_does_not_mind_where_chunks_are_cut(tab: Tab) -> None:
    page = tab.open()
    (events, last_id, retry), wrong = page.evaluate(PARSE, [STREAM, "single"])
    assert wrong == []
    assert [(event["id"], event["type"], event["data"]) for event in events] == [
        ("1", "message", '{"message":"Grüße, 世界 🎨"}'),
        ("2", "message", "first\n second\n"),
        ("3", "named", "with a lone return"),
        ("3", "message", "keeps the number"),
    ]
    assert (last_id, retry) == ("4", 1500)
    short = "id: 1\r\ndata: ü\r\r\ndata: 🎨\r\n\r\n\n"
    assert page.evaluate(PARSE, [short, "pairs"])[1] == []


def test_old_news_change_nothing(tab: Tab) -> None:
    page = tab.open()
    states = page.evaluate(
        """async () => {
          const { newJob, withEvent } = await import("/studio/shared/job.js");
          const event = (stage, progress, second, more = {}) => ({
            stage, progress, status: "processing", message: stage, data: {}, timestamp: `2026-01-01T00:00:0${second}Z`, ...more,
          });
          const first = withEvent(newJob("a", "A"), 3, event("generating", 15, 1));
          const step = withEvent(first, 3, event("generating", 50, 3, { step: 5, total_steps: 10 }));
          const late = withEvent(step, 3, event("generating", 30, 2, { step: 2, total_steps: 10 }));
          const older = withEvent(step, 2, event("processing", 5, 4));
          const again = withEvent(step, 3, event("generating", 50, 3, { step: 5, total_steps: 10 }));
          const reopened = withEvent(step, 6, event("queued", 0, 5, { status: "queued" }));
          return [late === step, older === step, again.progress, again.step, reopened.progress, reopened.seq];
        }"""
    )
    assert states == [True, True, 50, 5, 0, 6]


HIDE = """
(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""


def test_a_tab_nobody_sees_gives_its_stream_back(tab: Tab, server: Server) -> None:
    page = tab.open("/?sandbox=stall")
    order(page, "A hidden valley")
    expect(page.locator("#stages li.current")).to_have_text(re.compile("Generating"))
    with page.expect_event("requestfailed", lambda request: "stream" in request.url):
        page.evaluate(HIDE, arg=True)
    with page.expect_request(lambda request: "stream?after=" in request.url):
        page.evaluate(HIDE, arg=False)
    server.ask(f"{API}/jobs/{job_id(page)}/cancel", {})
    expect(page.locator("#receipt")).to_be_visible()


EVENT_SOURCE = """
(path) => new Promise((resolve) => {
  const seen = [];
  const events = new EventSource(path);
  events.onmessage = ({ data, lastEventId }) => {
    const event = JSON.parse(data);
    seen.push([Number(lastEventId), event.stage]);
    if (event.stage === "completed" || event.stage === "error") {
      // Left open on purpose: it connects again with its last id, is told 204, and gives up for good.
      events.onerror = () => {
        if (events.readyState === EventSource.CLOSED) resolve(seen);
      };
    }
  };
})
"""


def test_an_event_source_sees_every_stage_and_stops_by_itself(tab: Tab, server: Server) -> None:
    made = server.ask(f"{API}/generate", {"prompt": "A hill", "sandbox": {"scenario": "noop"}})
    seen = tab.open().evaluate(EVENT_SOURCE, f"{API}/jobs/{made['job_id']}/stream")
    assert seen == [[1, "queued"], [2, "processing"], [3, "generating"], [4, "uploading"], [5, "completed"]]


def test_a_service_with_keys_asks_once_and_sends_the_key_with_everything(
    context: BrowserContext, tmp_path: Path
) -> None:
    server = Server(tmp_path / "data", ATELIER_AUTH="keys")
    try:
        tab = Tab(context, server)
        tab.expected = ["401"]
        page = tab.open("/?sandbox=slow&seconds=1")
        unsent: list[str] = []
        page.on("request", lambda request: note_unsent(request, unsent))
        dialog = page.locator("#key-dialog")
        expect(dialog).to_be_visible()
        page.get_by_role("button", name="Not now").click()
        expect(page.locator("#recent-note")).to_have_text(re.compile(r"needs a valid API key\b[^.]*\.$"))
        page.wait_for_timeout(300)
        expect(dialog).to_be_hidden()
        order(page, "A hill behind a gate", quality="draft")
        expect(dialog).to_be_visible()
        page.fill("#key", "atelier_wrong")
        page.press("#key", "Enter")
        expect(page.locator("#key-reason")).to_contain_text("not accepted")
        expect(page.locator("#key")).to_have_value("")
        key = server.run("keys", "create", "ann")
        page.fill("#key", f" {key} ")
        page.get_by_role("button", name="Use this key").click()
        unsent.clear()
        expect_picture(page)
        expect(page.locator("#recent .work")).to_have_count(1)
        command = copy(page, "#copy-curl")
        assert key not in command
        again = subprocess.run(
            ["bash", "-c", command],
            capture_output=True,
            check=True,
            timeout=PATIENCE / 1000,
            env={**os.environ, "ATELIER_KEY": key},
        )
        assert '"stage":"completed"' in again.stdout.decode()
        page.reload()
        expect_picture(page)
        expect(page.locator("#recent .work")).to_have_count(2)
        expect(dialog).to_be_hidden()
        assert unsent == [], "every call and stream carries the key"
        assert key not in page.content()
        assert page.evaluate("JSON.stringify(localStorage)").count(key) == 0
        tab.check_silence()
    finally:
        server.stop()


def note_unsent(request: Request, unsent: list[str]) -> None:
    """Remember a call of the API that carries no key."""
    if "/api/" in request.url and "authorization" not in request.headers:
        unsent.append(request.url)
