"""The tab of storyboards in a real browser, on a real server process."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.e2e.browser import PATIENCE, Server
from tests.e2e.tab import Tab, by_twos, job_id, until

pytestmark = pytest.mark.e2e

ROOT = "/api/v1/storyboards"
NUMBERS = count(1)
SLOWLY = 2 * PATIENCE
"""Several pictures really drawn, on a busy machine."""
STYLES = ["illustration", "clear", "consistent"]


@pytest.fixture
def wall(tab: Tab) -> Tab:
    """A tab whose storyboards are found under its address."""
    tab.ready = "#project"
    return tab


def prompts(styles: int, beats: int, **more: Any) -> dict[str, Any]:
    """Return a storyboard's request, of a project of its own."""

    def beat(number: int) -> dict[str, Any]:
        return {
            "shot_number": number // 10 + 1,
            "beat_number": f"{number + 1}",
            "ai_prompt": f"A hill, {number}",
            **more,
        }

    by_style = {style: [beat(number) for number in range(beats)] for style in STYLES[:styles]}
    return {"projectPath": f"films/e2e-{next(NUMBERS)}", "promptsByStyle": by_style}


def bring(page: Page, request: dict[str, Any], tmp_path: Path) -> None:
    """Choose a file with these prompts."""
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps(request))
    page.set_input_files("#prompts-file", file)
    expect(page.locator("#project")).to_have_value(request["projectPath"])


def read(server: Server, page: Page) -> Any:
    return server.read(f"{ROOT}/{job_id(page, 'storyboard')}")


def tile(page: Page, style: str, beat: str) -> Any:
    return page.locator(f'[data-style="{style}"] [data-beat="{beat}"]')


def test_a_storyboard_is_planned_drawn_and_shown(wall: Tab, server: Server) -> None:
    page = wall.open("/?sandbox=noop#storyboards")
    page.get_by_role("button", name="Show an example").click()
    expect(page.locator("#prompts-sum")).to_have_text("16 beats in 2 styles: illustration 8, clear 8.")
    before = server.read(ROOT)["storyboards"]
    page.get_by_role("button", name="What would it take?").click()
    expect(page.locator("#board-planned")).to_contain_text("16 to draw.")
    expect(page.locator("#board-planned")).to_contain_text("It costs nothing.")
    assert server.read(ROOT)["storyboards"] == before, "a plan creates nothing"
    page.click("#draw")
    expect(page.locator(".tile")).to_have_count(16)
    expect(page.locator("#board-state")).to_have_text("Finished: 16 of 16 drawn.")
    expect(page).to_have_title("Finished · atelier")
    expect(page.locator('.tile[data-status="completed"] img')).to_have_count(16)
    assert page.locator(".tile img").first.evaluate("image => image.naturalWidth") > 0
    board = read(server, page)
    for style in board["styles"]:
        for beat in style["beats"]:
            shown = tile(page, style["style"], beat["beat_number"]).locator("img")
            assert shown.get_attribute("src") == beat["thumbnail_url"]
    expect(page.locator("#board-bars li")).to_have_text([re.compile("illustration8 of 8"), re.compile("clear8 of 8")])
    for button in ("pause", "resume", "cancel", "retry-failed"):
        expect(page.locator(f"#board-{button}")).to_be_hidden()
    expect(page.locator("#boards .work[aria-current]")).to_contain_text("films/lighthouse")


def test_it_is_paused_resumed_and_cancelled(wall: Tab, server: Server, tmp_path: Path) -> None:
    page = wall.open("/?sandbox=slow&seconds=3#storyboards")
    bring(page, prompts(1, 40, quality="draft"), tmp_path)
    page.click("#draw")
    expect(page.locator('.tile[data-status="generating"]').first).to_be_visible()
    page.click("#board-pause")
    expect(page.locator("#board-state")).to_have_text(re.compile(r"^Paused\."))
    until(page, lambda: statuses(server, page)["generating"] == 0, "what was begun is drawn to its end")
    expect(page.locator('.tile[data-status="generating"]')).to_have_count(0)
    drawn = statuses(server, page)["completed"]
    expect(page.locator('.tile[data-status="completed"]')).to_have_count(drawn)
    page.wait_for_timeout(1500)
    assert page.locator('.tile[data-status="completed"]').count() == statuses(server, page)["completed"] == drawn < 40
    page.click("#board-resume")
    expect(page.locator('.tile[data-status="generating"]').first).to_be_visible()
    left = page.locator("#board-bars .left").filter(has_text=re.compile("about .* left"))
    expect(left.first).to_be_visible()
    page.click("#board-cancel")
    expect(page.locator("#board-cancel")).to_be_hidden()
    expect(page.locator('.tile[data-status="cancelled"]').first).to_be_visible()
    expect(page.locator("#board-state")).to_contain_text("drawn")


def statuses(server: Server, page: Page) -> Counter[str]:
    """Count its beats by their status, as the service has them."""
    return Counter(beat["status"] for style in read(server, page)["styles"] for beat in style["beats"])


def test_what_failed_is_told_with_what_to_do_and_tried_again(wall: Tab, server: Server, tmp_path: Path) -> None:
    page = wall.open("/#storyboards")
    request = prompts(1, 4, sandbox={"scenario": "noop"})
    request["promptsByStyle"]["illustration"][2]["sandbox"] = {"scenario": "refused"}
    bring(page, request, tmp_path)
    page.click("#draw")
    expect(page.locator("#board-state")).to_have_text("Finished: 3 of 4 drawn, 1 failed.")
    expect(tile(page, "illustration", "3")).to_have_attribute("data-status", "failed")
    expect(page.locator("#board-troubles")).to_contain_text("Write these prompts differently")
    expect(page.locator("#board-bars .failed")).to_have_text("1 failed")
    jobs = {beat["beat_number"]: beat["job_id"] for beat in read(server, page)["styles"][0]["beats"]}
    with page.expect_response(re.compile("retry-failed")) as retried:
        page.get_by_role("button", name="Retry 1 failed").click()
    assert retried.value.ok
    expect(page.locator("#board-state")).to_have_text("Finished: 3 of 4 drawn, 1 failed.")
    again = {beat["beat_number"]: beat["job_id"] for beat in read(server, page)["styles"][0]["beats"]}
    assert {beat: job for beat, job in again.items() if beat != "3"} == {
        beat: job for beat, job in jobs.items() if beat != "3"
    }
    assert server.read(f"/api/v1/images/jobs/{again['3']}")["run"] == 2


def test_one_beat_is_drawn_again(wall: Tab, server: Server, tmp_path: Path) -> None:
    page = wall.open("/#storyboards")
    bring(page, prompts(1, 3, quality="draft"), tmp_path)
    page.click("#draw")
    expect(page.locator("#board-state")).to_have_text("Finished: 3 of 3 drawn.", timeout=SLOWLY)
    before = tile(page, "illustration", "2").locator("img").get_attribute("src")
    others = tile(page, "illustration", "1").locator("img").get_attribute("src")
    tile(page, "illustration", "2").click()
    dialog = page.get_by_role("dialog", name="illustration, shot 1, beat 2")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("img")).to_be_visible()
    dialog.get_by_label("In other words").fill("A lake instead")
    dialog.get_by_role("button", name="Draw it again").click()
    expect(page.locator("#beat-state")).to_have_text("Drawn · drawn 2 times")
    dialog.get_by_role("button", name="Close").click()
    expect(tile(page, "illustration", "2")).to_be_focused()
    after = tile(page, "illustration", "2").locator("img").get_attribute("src")
    assert after != before
    assert tile(page, "illustration", "1").locator("img").get_attribute("src") == others
    beat = read(server, page)["styles"][0]["beats"][1]
    assert (beat["thumbnail_url"], beat["drawing"]) == (after, 2)


def test_a_chosen_file_is_named_and_may_be_chosen_again(wall: Tab, tmp_path: Path) -> None:
    page = wall.open("/#storyboards")
    field = page.locator("#prompts-file")
    bring(page, prompts(1, 2), tmp_path)
    expect(page.locator("#prompts-sum")).to_have_text("2 beats in 1 style: illustration 2.")
    assert field.evaluate("field => [...field.files].map((file) => file.name)") == ["prompts.json"]
    page.fill("#project", "")
    bring(page, prompts(1, 3), tmp_path)
    expect(page.locator("#prompts-sum")).to_have_text("3 beats in 1 style: illustration 3.")
    page.get_by_role("button", name="Show an example").click()
    assert field.evaluate("field => field.files.length") == 0, "the example is no file's"


def test_further_storyboards_are_a_page_away(wall: Tab, server: Server) -> None:
    for _ in range(3):
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{server.url}/api/generate-images", json.dumps(prompts(1, 1, sandbox={"scenario": "noop"})).encode()
        )
        urllib.request.urlopen(request, timeout=PATIENCE / 1000).close()  # noqa: S310 - our own server
    wall.page.route(re.compile(r"/storyboards\?limit=50"), by_twos)
    page = wall.open("/#storyboards")
    expect(page.locator("#boards .work")).to_have_count(2)
    page.get_by_role("button", name="More storyboards").click()
    expect(page.locator("#boards .work").nth(2)).to_be_focused()
    names = page.locator("#boards .name").all_inner_texts()
    assert names == sorted(names)
    assert len(set(names)) == len(names) > 2


def test_wrong_prompts_are_told_at_their_field(wall: Tab) -> None:
    wall.expected = ["422 (Unprocessable"]
    page = wall.open("/#storyboards")
    page.click("#draw")
    expect(page.locator("#prompts-problem")).to_have_text("Choose a file with prompts, or paste them.")
    expect(page.locator("#project-problem")).to_have_text("Say where its files shall lie.")
    page.fill("#prompts", "{not json")
    page.fill("#project", "films/../etc")
    page.click("#draw")
    expect(page.locator("#prompts-problem")).to_contain_text("This is not JSON")
    page.fill("#prompts", "[1, 2]")
    page.click("#draw")
    expect(page.locator("#prompts-problem")).to_contain_text("a list of beats for each style")
    request = prompts(1, 12)
    for beat in request["promptsByStyle"]["illustration"]:
        del beat["ai_prompt"]
    page.fill("#prompts", json.dumps(request["promptsByStyle"]))
    page.click("#board-plan")
    expect(page.locator("#prompts-problem")).to_contain_text("illustration, beat 1, ai_prompt: Field required.")
    expect(page.locator(".problems:visible li")).to_have_count(9)
    page.fill("#prompts", json.dumps(prompts(1, 1)["promptsByStyle"]))
    page.click("#board-plan")
    expect(page.locator("#project-problem")).not_to_be_empty()
    assert page.evaluate("document.activeElement.id") == "project"


def test_a_reload_midway_goes_on_and_the_same_again_costs_nothing(wall: Tab, server: Server, tmp_path: Path) -> None:
    page = wall.open("/?sandbox=slow&seconds=1#storyboards")
    request = prompts(1, 6, quality="draft")
    bring(page, request, tmp_path)
    page.click("#draw")
    expect(page.locator('.tile[data-status="completed"]').first).to_be_visible(timeout=SLOWLY)
    page.reload()
    expect(page.locator("#board-title")).to_have_text(request["projectPath"])
    expect(page.locator("#board-state")).to_have_text("Finished: 6 of 6 drawn.", timeout=SLOWLY)
    jobs = [beat["job_id"] for beat in read(server, page)["styles"][0]["beats"]]
    bring(page, request, tmp_path)
    page.click("#board-plan")
    expect(page.locator("#board-planned")).to_contain_text("6 there already.")
    page.click("#draw")
    expect(page.locator("#board-state")).to_have_text("Finished: 6 of 6 drawn.")
    assert [beat["job_id"] for beat in read(server, page)["styles"][0]["beats"]] == jobs


def test_a_killed_server_costs_nothing_but_time(context: BrowserContext, tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        tab = Tab(context, server, ready="#project")
        tab.expected = ["net::ERR_"]
        page = tab.open("/?sandbox=slow&seconds=1#storyboards")
        bring(page, prompts(1, 6, quality="draft"), tmp_path)
        page.click("#draw")
        expect(page.locator('.tile[data-status="completed"]').first).to_be_visible(timeout=SLOWLY)
        server.kill()
        expect(page.locator("#board-link")).to_contain_text("The connection is cut; the drawing goes on.")
        server.start()
        expect(page.locator("#board-link")).to_be_hidden()
        expect(page.locator("#board-state")).to_have_text("Finished: 6 of 6 drawn.", timeout=SLOWLY)
        tab.check_silence()
    finally:
        server.stop()


def test_tiles_are_walked_with_the_keyboard(wall: Tab, tmp_path: Path) -> None:
    page = wall.open("/?sandbox=noop#storyboards")
    bring(page, prompts(2, 20), tmp_path)
    page.click("#draw")
    expect(page.locator("#board-state")).to_contain_text("40 of 40")
    expect(page.locator('.tile[tabindex="0"]')).to_have_count(2)
    tile(page, "clear", "1").focus()
    below = page.evaluate(
        "() => { const all = [...document.querySelectorAll('[data-style=clear] .tile')];"
        " return all.find((each) => each.getBoundingClientRect().top > all[0].getBoundingClientRect().top + 1).dataset.beat; }"
    )
    for key, beat in [
        ("ArrowRight", "2"),
        ("ArrowLeft", "1"),
        ("ArrowDown", below),
        ("ArrowUp", "1"),
        ("End", "20"),
        ("Home", "1"),
    ]:
        page.keyboard.press(key)
        expect(tile(page, "clear", beat)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(tile(page, "clear", "1")).to_be_focused()
    assert tile(page, "clear", "1").get_attribute("aria-label") == "Shot 1, beat 1: drawn"


def test_a_hidden_tab_lets_the_storyboard_s_stream_go(wall: Tab, server: Server, tmp_path: Path) -> None:
    page = wall.open("/#storyboards")
    request = prompts(1, 8, sandbox={"scenario": "noop"})
    request["promptsByStyle"]["illustration"][5]["sandbox"] = {"scenario": "stall"}
    bring(page, request, tmp_path)
    page.click("#draw")
    expect(tile(page, "illustration", "6")).to_have_attribute("data-status", "generating")
    board = job_id(page, "storyboard")
    with page.expect_event("requestfailed", lambda request: "/stream" in request.url):
        page.get_by_role("tab", name="Pictures").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3500)
    assert [url for url in asked if "storyboard" in url or "generation-status" in url] == []
    with page.expect_request(re.compile("/stream")):
        page.get_by_role("tab", name="Storyboards").click()
    server.ask(f"{ROOT}/{board}/cancel", {})
    expect(page.locator("#board-state")).to_have_text("Finished: 7 of 8 drawn.")


NEWS = """
async () => {
  const { Board } = await import("/studio/storyboards/board.js");
  const beat = (number) => ({ beat_number: number, shot_number: "1", status: "pending", job_id: "j" + number, image_url: null, thumbnail_url: null });
  const pools = [{ name: "default", per_minute: 30, keys: [] }];
  const board = new Board("b");
  const standing = { storyboard_id: "b", project_path: "p", status: "processing", paused: false, cost: 0, troubles: [], files: {}, pools };
  board.take({ ...standing, styles: [{ style: "a", beats: ["1", "2", "3", "4"].map(beat) }] });
  const news = (number, status, more = {}) => board.apply({ type: "progress", style: "a", beat_number: number, status, job_id: "j" + number, ...more }, 1000);
  const before = board.left("a", 1000);
  const told = [
    news("1", "generating")?.status,
    news("1", "generating")?.status ?? "nothing new",
    news("1", "complete", { image_url: "i", thumbnail_url: "t" })?.thumbnail_url,
    news("2", "error", { error: "No.", code: "provider_refused" })?.status,
    news("3", "error", { error: "Cancelled", code: "cancelled" })?.status,
    news("9", "complete")?.status ?? "no such beat",
    board.apply({ type: "start", message: "Drawing" }, 1000) ?? "no beat",
  ];
  return [before, told, board.counts("a")];
}
"""


def test_news_of_beats_are_taken_as_they_are_told(tab: Tab) -> None:
    left, told, counts = tab.open().evaluate(NEWS)
    assert left == 8, "four pictures, thirty a minute"
    assert told == ["generating", "nothing new", "t", "failed", "cancelled", "no such beat", "no beat"]
    assert counts == {"completed": 1, "generating": 0, "pending": 1, "failed": 1, "cancelled": 1, "total": 4}


def longest_task(trace: bytes) -> float:
    """Return the seconds of processor that the longest task of a page took: the machine's own pauses do not count."""
    events = json.loads(trace)["traceEvents"]
    named = [event for event in events if event["name"] == "thread_name"]
    mains = {(event["pid"], event["tid"]) for event in named if event["args"]["name"] == "CrRendererMain"}
    tasks = [each for each in events if each["name"] == "RunTask" and (each["pid"], each["tid"]) in mains]
    taken: list[int] = [task["tdur"] for task in tasks]
    return max(taken) / 1_000_000


@pytest.mark.parametrize("beats", [40, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
def test_it_stays_responsive_while_it_fills(wall: Tab, browser: Browser, tmp_path: Path, beats: int) -> None:
    """Nothing keeps the page busy for more than a twentieth of the time in which it fills."""
    page = wall.open("/?sandbox=noop#storyboards")
    bring(page, prompts(3, beats), tmp_path)
    browser.start_tracing(page=page, categories=["disabled-by-default-devtools.timeline", "__metadata"])
    begun = time.monotonic()
    page.click("#draw")
    expect(page.locator(".tile")).to_have_count(3 * beats)
    expect(page.locator("#board-state")).to_contain_text(f"{3 * beats} of {3 * beats}", timeout=10 * PATIENCE)
    took = time.monotonic() - begun
    assert longest_task(browser.stop_tracing()) < took / 20
    page.get_by_role("tab", name="Pictures").click()
    page.get_by_role("tab", name="Storyboards").click()
    expect(page.locator('.tile[data-status="completed"]')).to_have_count(3 * beats)
    expect(page.locator(".tile img").first).to_be_visible()


@pytest.mark.parametrize("width", [360, 768, 1920])
def test_nothing_is_wider_than_the_screen(wall: Tab, width: int, tmp_path: Path) -> None:
    wall.page.set_viewport_size({"width": width, "height": 800})
    page = wall.open("/?sandbox=noop#storyboards")
    request = prompts(1, 30)
    request["promptsByStyle"] = {"W" * 64: request["promptsByStyle"]["illustration"]}
    request["projectPath"] = "W" * 64
    bring(page, request, tmp_path)
    page.click("#draw")
    expect(page.locator("#board-state")).to_contain_text("30 of 30")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator(".tile").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
