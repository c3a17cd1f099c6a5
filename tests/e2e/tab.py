"""A tab of the browser with the service's page in it, whose console has to stay silent."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect
from tests.e2e.browser import PATIENCE, Server

API = "/api/v1/images"


class Tab:
    """A page whose console has to stay silent, but for what a test expects. `ready`: what is there once it is open."""

    def __init__(self, context: BrowserContext, server: Server, ready: str = "#ratios input") -> None:
        self.ready = ready
        self.page = context.new_page()
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
