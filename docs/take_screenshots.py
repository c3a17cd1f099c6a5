"""Take the README's screenshots: a server of its own, a few pictures, a post, a storyboard and a story, the page in a real browser.

Run from anywhere: `.venv/bin/python docs/take_screenshots.py [--into docs]`. Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
API = "/api/v1/images"
WIDTH, HEIGHT = 1280, 900
LARGEST = 400_000
RECENT = [
    {"prompt": "A red planet with two moons over its dunes", "aspect_ratio": "3:2", "style": "cinematic"},
    {"prompt": "A city of towers on a rainy night, neon on wet streets", "aspect_ratio": "2:3", "style": "neon-punk"},
    {"prompt": "A lone tree in the mist, mountains behind it", "aspect_ratio": "1:1", "style": "analog-film"},
    {"prompt": "A sailing boat in a storm", "aspect_ratio": "16:9", "style": "comic-book"},
    {"prompt": "A paper crane above a quiet valley", "aspect_ratio": "4:5", "style": "origami"},
    {"prompt": "A desert road under a wide sky", "aspect_ratio": "21:9", "style": "low-poly"},
]
TOPIC = "Growing tomatoes on a balcony"
STORY = "A fox who has lost her key"
SHOWN = "A lighthouse above a calm sea, an hour before sunset"


@contextmanager
def serving(**more: str) -> Iterator[str]:
    """Yield the address of a server with a data directory that goes with it, and these settings."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as data:
        settings = {"PORT": str(port), "ATELIER_DATA_DIR": data, "ATELIER_LOG_LEVEL": "warning", **more}
        process = subprocess.Popen([sys.executable, "main.py"], cwd=ROOT, env={**os.environ, **settings})
        try:
            _until(lambda: _asked(f"http://127.0.0.1:{port}/health"))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _until(condition: Any) -> None:  # noqa: ANN401 - any callable
    until = time.monotonic() + 60
    while not condition():
        if time.monotonic() > until:
            sys.exit("It took too long.")
        time.sleep(0.2)


def _asked(url: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON value
    data = json.dumps(body).encode() if body is not None else None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as response:  # noqa: S310 - our own server
            return json.load(response)
    except OSError:
        return None


def make_recent(url: str) -> None:
    """Have the recent pictures made, one after the other."""
    for request in RECENT:
        made = _asked(f"{url}{API}/generate", request)
        own = made["urls"]["self"]
        _until(lambda own=own: _asked(own)["status"] == "completed")


def take_desktop(browser: Browser, url: str, target: Path) -> None:
    """Take a picture in the making, down to the first row of the recent ones."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    page.goto(f"{url}/?sandbox=slow&seconds=12")
    page.fill("#prompt", SHOWN)
    page.check('[value="16:9"]')
    page.check('[value="ultra"]')
    page.click("#generate")
    page.mouse.move(0, 0)
    page.wait_for_function("document.querySelector('#progress').value > 60 && document.querySelector('img.preview')")
    page.wait_for_timeout(700)
    bottom = page.evaluate("document.querySelector('#recent .work').getBoundingClientRect().bottom + scrollY")
    # A higher window instead of a full-page picture, in which sticky parts would float in the middle.
    page.set_viewport_size({"width": WIDTH, "height": int(bottom) + 24})
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(200)
    page.screenshot(path=target)
    page.wait_for_selector("img.finished")
    page.close()


def take_blog(browser: Browser, url: str, target: Path) -> None:
    """Take a post in the writing: the stages and what they found, the sections that are there."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    page.goto(f"{url}/?sandbox=slow&seconds=15#blog")
    page.get_by_role("button", name=TOPIC).click()
    page.select_option("#tone", "friendly")
    page.click("#write")
    page.mouse.move(0, 0)
    page.wait_for_function("document.querySelector('#post-progress').value > 55")
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT + 150})
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(700)
    page.screenshot(path=target)
    page.wait_for_selector("#post-scores .dial")
    page.close()


def take_storyboard(browser: Browser, url: str, target: Path) -> None:
    """Take a storyboard that fills: a bar for each style, the beats that are drawn and those that wait."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    page.goto(f"{url}/#storyboards")
    page.set_input_files("#prompts-file", ROOT / "docs/examples/storyboard.json")
    page.click("#draw")
    page.mouse.move(0, 0)
    page.wait_for_function("document.querySelectorAll('.tile img').length > 14")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(700)
    page.screenshot(path=target)
    page.close()


def take_story(browser: Browser, target: Path) -> None:
    """Take a story that is read while its pictures arrive: some are there, one is painted, others wait."""
    with serving(ATELIER_SLOTS__IMAGE="1") as url:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(f"{url}/?sandbox_images=slow&seconds=4#stories")
        page.get_by_role("button", name=STORY).click()
        page.fill("#story-image-count", "4")
        page.click("#tell")
        page.mouse.move(0, 0)
        page.wait_for_function("document.querySelectorAll('.canvas img').length > 1")
        page.wait_for_function("document.querySelector('[data-number=\"3\"] progress').value > 40")
        bottom = page.evaluate("document.querySelector('[data-number=\"4\"]').getBoundingClientRect().bottom + scrollY")
        page.set_viewport_size({"width": WIDTH, "height": int(bottom) + 60})
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(200)
        page.screenshot(path=target)
        page.close()


def take_phone(browser: Browser, url: str, target: Path) -> None:
    """Take the finished picture on a phone in the dark."""
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark", reduced_motion="reduce")
    page.goto(url)
    page.get_by_role("button", name=SHOWN).click()
    page.wait_for_selector("img.finished")
    page.locator("#easel").evaluate("easel => easel.scrollIntoView()")
    page.wait_for_timeout(700)
    page.screenshot(path=target)
    page.close()


def shrink(path: Path) -> None:
    """Reduce to a palette where the file is larger than a README needs."""
    if path.stat().st_size > LARGEST:
        with Image.open(path) as image:
            image.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--into", type=Path, default=ROOT / "docs", help="where the pictures go")
    into = parser.parse_args().into
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is not installed.")
    names = ("studio.png", "studio-blog.png", "studio-storyboards.png", "studio-stories.png", "studio-dark-phone.png")
    desktop, blog, storyboard, story, phone = (into / name for name in names)
    with serving() as url, sync_playwright() as playwright:
        make_recent(url)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        take_desktop(browser, url, desktop)
        take_blog(browser, url, blog)
        take_storyboard(browser, url, storyboard)
        take_story(browser, story)
        take_phone(browser, url, phone)
        browser.close()
    for path in (desktop, blog, storyboard, story, phone):
        shrink(path)


if __name__ == "__main__":
    main()
