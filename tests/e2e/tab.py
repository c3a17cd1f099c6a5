"""A tab of the browser with the service's page in it, whose console has to stay silent."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Route, expect
from tests.e2e.browser import PATIENCE, Server

API = "/api/v1/images"


class Tab:
    """A page whose console has to stay silent, but for what a test expects. `ready`: what is there once it is open."""

    def __init__(self, context: BrowserContext, server: Server, ready: str = "#ratios input") -> None:
        self.ready = ready
        self.page = next((page for page in context.pages if page.url == "about:blank"), None) or context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.expected: list[str] = []
        self._said: list[str] = []
        self._url = server.url
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self._said.append(str(error)))

    def open(self, path: str = "/") -> Page:
        self.page.goto(self._url + path)
        expect(self.page.locator(self.ready).first).to_be_attached()
        return self.page

    def check_silence(self) -> None:
        unexpected = [text for text in self._said if not any(part in text for part in self.expected)]
        assert unexpected == []

    def _hear(self, message: ConsoleMessage) -> None:
        # The browser reports a preview that is gone; the page cannot keep it from that.
        if message.type in {"error", "warning"} and "/preview-" not in message.location["url"]:
            self._said.append(message.text)


def job_id(page: Page, item: str = "job") -> str:
    """Return the number in the page's address, which names what is shown."""
    page.wait_for_url(re.compile(f"#{item}="))
    return page.url.split(f"#{item}=")[1]


WATCH = """
(places) => {
  const read = (item) => item.value ?? item.getAttribute("src") ?? item.textContent.trim();
  const seen = (window.seen = []);
  let last = "";
  const look = () => {
    const now = { title: document.title };
    for (const [name, where] of Object.entries(places)) {
      now[name] = [...document.querySelectorAll(where)].filter((item) => item.checkVisibility()).map(read);
    }
    if (JSON.stringify(now) !== last) seen.push(now);
    last = JSON.stringify(now);
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
}
"""


def watch(page: Page, **places: str) -> Callable[[], list[dict[str, Any]]]:
    """Let the page write down all that is to be seen at these places and in its title, until it is left.

    Returns a function that returns what was seen so far, one state after the other. What passes by is asserted over that
    and not caught in passing: on a busy machine a test may look too late.
    """
    page.evaluate(WATCH, places)

    def seen() -> list[dict[str, Any]]:
        states: list[dict[str, Any]] = page.evaluate("window.seen")
        return states

    return seen


COPIED = """
(selector) => {
  const button = document.querySelector(selector);
  const said = () => button.textContent === "Copied";
  window.copied = new Promise((resolve) => {
    new MutationObserver(() => said() && resolve()).observe(button, { subtree: true, childList: true, characterData: true });
  });
}
"""


def copy(page: Page, button: str) -> str:
    """Press a button that copies, hear it say so, which it does for a moment only, and return what it copied."""
    page.evaluate(COPIED, button)
    page.click(button)
    page.evaluate("window.copied")
    copied: str = page.evaluate("navigator.clipboard.readText()")
    return copied


def until(page: Page, there: Callable[[], bool], what: str) -> None:
    """Wait until that is so, while the page's news come in."""
    end = time.monotonic() + PATIENCE / 1000
    while not there():
        assert time.monotonic() < end, f"Not so: {what}"
        page.wait_for_timeout(50)


def by_twos(route: Route) -> None:
    """Have a list read in pages of two."""
    route.continue_(url=re.sub(r"limit=\d+", "limit=2", route.request.url))


@contextmanager
def requests(page: Page, part: str) -> Iterator[set[Request]]:
    """Yield the requests that are open, of those that have this in their address."""
    opened: set[Request] = set()

    def begin(request: Request) -> None:
        if part in request.url:
            opened.add(request)

    def end(request: Request) -> None:
        opened.discard(request)

    page.on("request", begin)
    page.on("requestfinished", end)
    page.on("requestfailed", end)
    yield opened
