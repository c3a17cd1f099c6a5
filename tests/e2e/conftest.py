"""What every test in a browser gets: Chromium, a server, a context, a tab."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize, expect, sync_playwright
from tests.e2e.browser import FLAGS, PATIENCE, Server
from tests.e2e.tab import Tab
from tests.live import needs

expect.set_options(timeout=PATIENCE)

SCREEN = ViewportSize(width=1280, height=900)


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


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> Iterator[list[BrowserContext]]:
    """The context that the tests of a file use one after the other, where there is one."""
    yield []
    for context in browser.contexts:
        context.close()


@pytest.fixture
def context(
    browser: Browser, contexts: list[BrowserContext], request: pytest.FixtureRequest
) -> Iterator[BrowserContext]:
    """Have an empty page and nothing stored: the last test's where that passed, for a new one takes most of a second.

    What moves on a page is painted anew for as long as a test waits: only what is about motion asks for it.
    """
    if not contexts:
        made = browser.new_context(
            viewport=SCREEN, permissions=["clipboard-read", "clipboard-write"], reduced_motion="reduce"
        )
        contexts.append(made)
    failed = request.session.testsfailed
    yield contexts[0]
    if request.session.testsfailed == failed and all(page.url.startswith("http") for page in contexts[0].pages):
        empty(contexts[0])
    else:
        contexts.pop().close()


def empty(context: BrowserContext) -> None:
    """Leave one page as a new one would be."""
    first, *others = context.pages
    for page in others:
        page.close()
    first.unroute_all(behavior="ignoreErrors")
    first.evaluate("localStorage.clear(); sessionStorage.clear()")
    first.goto("about:blank")
    first.set_viewport_size(SCREEN)
    first.emulate_media(color_scheme="light", reduced_motion="reduce")


@pytest.fixture
def tab(context: BrowserContext, server: Server) -> Iterator[Tab]:
    opened = Tab(context, server)
    yield opened
    opened.check_silence()
