"""What every test in a browser gets: Chromium, a server, a context, a tab."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
from tests.e2e.browser import FLAGS, PATIENCE, Server
from tests.e2e.tab import Tab
from tests.live import needs

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session", autouse=True)
def forked(nursery: None) -> None:
    """Every server is forked."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    needs(chromium, "Chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("studio"))
    yield started
    started.stop()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """What moves on a page is painted anew for as long as a test waits: only what is about motion asks for it."""
    made = browser.new_context(
        viewport={"width": 1280, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
        reduced_motion="reduce",
    )
    yield made
    made.close()


@pytest.fixture
def tab(context: BrowserContext, server: Server) -> Iterator[Tab]:
    opened = Tab(context, server)
    yield opened
    opened.check_silence()
