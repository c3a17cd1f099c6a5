"""The panel of provider keys of one's own, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect
from tests.canaries import WATCH
from tests.e2e.browser import PATIENCE, Server
from tests.e2e.tab import Tab

pytestmark = pytest.mark.e2e

KEYS = "/api/settings/image-keys"
HORDE, FACE = "horde-key-of-the-browser-0815", "hf_KeyOfTheBrowserWith30Letters"
NOBODY = (
    "No image generation providers configured. Please add your Stable Horde API Key or Hugging Face API Token in"
    " Settings."
)
CLOSED = {"ATELIER_PROVIDERS__STABLE_HORDE__BASE_URL": "http://127.0.0.1:9"}
"""Nobody is asked outside this machine."""


@pytest.fixture(scope="module", autouse=True)
def known() -> None:
    for secret in (HORDE, FACE):
        WATCH.know(secret)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("settings"), **CLOSED)
    yield started
    started.stop()


def show(page: Page) -> None:
    page.get_by_role("button", name="Settings", exact=True).click()
    expect(page.get_by_role("dialog", name="Image Generation Configuration")).to_be_visible()


def expect_standing(page: Page, *, horde: bool, face: bool) -> None:
    for name, is_set in (("stable_horde_api_key", horde), ("hugging_face_api_token", face)):
        expect(page.locator(f"#settings-{name}-standing")).to_have_text("set" if is_set else "not set")
        remove = page.locator(f'[data-field="{name}"] button')
        expect(remove).to_be_visible() if is_set else expect(remove).to_be_hidden()


def nothing_is_kept(page: Page, *secrets: str) -> None:
    """Check that no key is anywhere in the page: neither in its text, nor in a field, nor in what it stores."""
    values = "[...document.querySelectorAll('input, textarea')].map((each) => each.value)"
    held = page.evaluate(
        f"JSON.stringify([document.documentElement.outerHTML, {values}, {{...localStorage}}, {{...sessionStorage}},"
        " document.cookie, location.href, history.state])"
    )
    assert [secret for secret in secrets if secret in held] == []


def test_keys_are_brought_shown_as_set_and_removed(tab: Tab, server: Server) -> None:
    page = tab.open()
    show(page)
    expect_standing(page, horde=False, face=False)
    field = page.get_by_label("Stable Horde API Key", exact=True)
    expect(field).to_be_focused()
    assert field.get_attribute("type") == "password"
    links = {"Stable Horde API Key": "https://stablehorde.net/register"}
    links["Hugging Face API Token"] = "https://huggingface.co/settings/tokens"
    for title, address in links.items():
        expect(page.get_by_role("link", name=f"Get a key: {title}")).to_have_attribute("href", address)
    page.get_by_role("button", name="Save Image Keys").click()
    expect(page.locator("#settings-said")).to_contain_text("Nothing to save")
    field.fill(f" {HORDE} ")
    field.press("Enter")
    expect(page.locator("#settings-said")).to_have_text("Saved.")
    expect_standing(page, horde=True, face=False)
    expect(field).to_have_value("")
    nothing_is_kept(page, HORDE)
    page.reload()
    show(page)
    expect_standing(page, horde=True, face=False)
    page.get_by_label("Hugging Face API Token", exact=True).fill(FACE)
    page.get_by_role("button", name="Save Image Keys").click()
    expect_standing(page, horde=True, face=True)
    nothing_is_kept(page, HORDE, FACE)
    page.get_by_role("button", name="Remove the Stable Horde API Key").press("Enter")
    expect(page.locator("#settings-said")).to_have_text("The Stable Horde API Key was removed.")
    expect_standing(page, horde=False, face=True)
    expect(field).to_be_focused()
    assert server.read(KEYS) == {"stable_horde_api_key": False, "hugging_face_api_token": True}
    page.get_by_role("button", name="Remove the Hugging Face API Token").click()
    expect_standing(page, horde=False, face=False)
    page.keyboard.press("Escape")
    expect(page.locator("#settings-open")).to_be_focused()


def test_what_is_no_key_is_told_at_its_field_and_forgotten(tab: Tab, server: Server) -> None:
    tab.expected = ["422 (Unprocessable"]
    page = tab.open()
    show(page)
    field = page.get_by_label("Hugging Face API Token", exact=True)
    field.fill("no-token-at-all")
    page.get_by_role("button", name="Save Image Keys").click()
    expect(page.locator("#settings-hugging_face_api_token-problem")).to_contain_text("Such a key is hf_ and")
    expect(field).to_be_focused()
    assert field.get_attribute("aria-invalid") == "true"
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#settings")).to_be_hidden()
    expect(field).to_have_value("")  # a dialog is hidden first, then it tells that it was closed
    nothing_is_kept(page, "no-token-at-all")
    show(page)
    expect(page.locator("#settings .problems")).to_be_hidden()
    expect_standing(page, horde=False, face=False)
    assert server.read(KEYS) == {"stable_horde_api_key": False, "hugging_face_api_token": False}


def test_a_service_that_takes_no_keys_says_so(context: BrowserContext, tmp_path: Path) -> None:
    server = Server(tmp_path, ATELIER_OWN_KEYS="none")
    try:
        tab = Tab(context, server)
        tab.expected = ["501 (Not Implemented"]
        page = tab.open()
        show(page)
        expect(page.locator("#settings .problems")).to_contain_text("keeps no provider keys of its callers")
        expect(page.locator("#settings-save")).to_be_hidden()
        expect(page.locator("#settings input")).to_have_count(0)
        tab.check_silence()
    finally:
        server.stop()


def test_a_story_without_painters_leads_to_the_settings_and_back(context: BrowserContext, tmp_path: Path) -> None:
    patient = {"ATELIER_RETRY_BASE_SECONDS": "0.5", "ATELIER_MAX_ATTEMPTS": "20"}
    server = Server(tmp_path, ATELIER_AUTH="keys", **patient, **CLOSED)
    try:
        tab = Tab(context, server, ready="#story-topic")
        tab.expected = ["401", "422 (Unprocessable"]
        page = tab.open("/#stories")
        page.get_by_role("button", name="Not now").click()
        show(page)
        expect(page.locator("#key-dialog")).to_be_visible()
        page.get_by_role("button", name="Not now").click()
        expect(page.locator("#settings .problems")).to_contain_text("needs a valid API key")
        page.keyboard.press("Escape")
        show(page)
        page.fill("#key", server.run("keys", "create", "ann"))
        page.get_by_role("button", name="Use this key").click()
        expect_standing(page, horde=False, face=False)
        page.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="“A fox who has lost her key”").click()
        page.click("#tell")
        expect(page.locator("#story-commission .problems")).to_contain_text(NOBODY)
        page.get_by_role("button", name="Open settings").click()
        page.get_by_label("Stable Horde API Key", exact=True).fill(HORDE)
        page.get_by_role("button", name="Save Image Keys").click()
        expect_standing(page, horde=True, face=False)
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("button", name="Open settings").first).to_be_focused()
        page.click("#tell")
        expect(page.locator(".scene").first).to_be_visible()
        nothing_is_kept(page, HORDE)
        expect_failed_for_want_of_a_key(page)
        tab.check_silence()
    finally:
        server.stop()


def expect_failed_for_want_of_a_key(page: Page) -> None:
    """Remove the key while its pictures wait for a provider that is away: their frames lead to the settings, too."""
    show(page)
    page.get_by_role("button", name="Remove the Stable Horde API Key").click()
    expect_standing(page, horde=False, face=False)
    page.get_by_role("button", name="Close").click()
    frame = page.locator('.plate[data-status="failed"]').first
    expect(frame.locator(".problem")).to_have_text(NOBODY, timeout=2 * PATIENCE)
    frame.get_by_role("button", name="Open settings").click()
    expect(page.get_by_role("dialog", name="Image Generation Configuration")).to_be_visible()


def test_the_panel_fits_a_phone_and_its_fields_are_the_service_s(tab: Tab) -> None:
    names = ["anthropic_api_key", "hugging_face_api_token", "stable_horde_api_key", "a_vendor_of_tomorrow_key"]

    def answer(route: Route) -> None:
        route.fulfill(json=dict.fromkeys(names, True))

    tab.page.set_viewport_size({"width": 360, "height": 640})
    tab.page.route(re.compile(KEYS), answer)
    page = tab.open()
    show(page)
    expect(page.locator("#settings .standing")).to_have_count(4)
    shown = page.locator("#settings .field").evaluate_all("all => all.map((each) => each.dataset.field)")
    assert shown == ["stable_horde_api_key", "hugging_face_api_token", "anthropic_api_key", "a_vendor_of_tomorrow_key"]
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    box = page.locator("#settings").bounding_box()
    assert box is not None
    assert box["width"] <= 360
    assert page.locator("#settings").evaluate("box => box.scrollWidth <= box.clientWidth")
