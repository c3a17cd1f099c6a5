"""A page of another origin that watches its picture over a WebSocket, in a real browser, on a real server process."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.e2e.browser import PATIENCE, Server

pytestmark = pytest.mark.e2e

PAGE = (Path(__file__).parent / "progress.html").read_bytes()


class Website(http.server.BaseHTTPRequestHandler):
    """Somebody's web site: one page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def website() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Website) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://localhost:{serving.server_port}"
        serving.shutdown()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("progress"))
    yield started
    started.stop()


@pytest.fixture
def page(browser: Browser, server: Server, website: str) -> Iterator[Page]:
    opened = browser.new_page()
    opened.set_default_timeout(PATIENCE)
    opened.goto(f"{website}/?service={server.url}")
    yield opened
    opened.close()


def ask(page: Page, *, seconds: float = 0, refine: bool = False, topic: str | None = None) -> None:
    if topic is not None:
        page.fill('[name="topic"]', topic)
    page.fill('[name="seconds"]', str(seconds))
    page.set_checked('[name="refine"]', refine)
    page.click("button")


def test_a_page_shows_how_its_picture_is_getting_on(page: Page) -> None:
    ask(page, seconds=4, refine=True)
    expect(page.locator("#picture")).to_be_visible()
    assert page.locator("#picture").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    expect(page.locator("#sentence")).to_have_text("Image generated successfully")
    expect(page.locator("#bar")).to_have_attribute("aria-valuenow", "100")
    steps, models, sentences = zip(*page.evaluate("shown"), strict=True)
    assert next(step for step in steps if step != "0 of 0") == "0 of 8"
    assert any("Base model generation: step" in sentence for sentence in sentences)
    assert "Refining" in models
    assert page.evaluate("told[0].message") == "Waiting for the request", "the socket was there first"
    bars = page.evaluate("told.map(message => message.percentage)")
    assert bars == sorted(bars)
    page.wait_for_function("window.codes?.length === 1")
    assert page.evaluate("codes") == [1000]
    assert "NaN" not in page.locator("#dialogue").inner_text()


def test_cut_off_the_page_goes_on_where_it_was(page: Page) -> None:
    ask(page, seconds=4)
    expect(page.locator("#sentence")).to_contain_text("Base model generation: step")
    page.evaluate("cut()")
    page.wait_for_function("window.codes?.length === 1")
    page.evaluate("cut()")
    expect(page.locator("#picture")).to_be_visible()
    page.wait_for_function("codes.at(-1) === 1000")
    numbers = page.evaluate("told.map(message => message.seq)")
    assert sorted(set(numbers)) == [0, 1, 2, 3, 4, 5]
    assert numbers == sorted(numbers)


def test_what_is_wrong_is_shown(page: Page) -> None:
    ask(page, topic="")
    expect(page.locator("#wrong")).to_have_text("prompt: String should have at least 1 character")
    ask(page, topic="A hill", seconds=-1)
    expect(page.locator("#wrong")).to_contain_text("sandbox.seconds")
