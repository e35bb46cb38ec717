"""What a person does in the app, done by a real Chromium: open it, type, ask, see the first word."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

LIMIT_S = 240.0
"""How long any one step may take before it counts as failed."""

_POLL_S = 0.02
_CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# An empty placeholder is drawn as a blank, so text counts only when it is not blank.
_FIRST_TEXT = "() => [...document.querySelectorAll('[class*=st-key-answer-]')].some(e => e.innerText.trim())"


@contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium, else the one that playwright installed, without a window."""
    path = next((found for name in _CHROMIUMS if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


@contextmanager
def fresh_page(started: Browser) -> Iterator[Page]:
    """A page with an empty cache, 1440 pixels wide."""
    context = started.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(LIMIT_S * 1000)
    try:
        yield context.new_page()
    finally:
        context.close()


def open_compare_page(page: Page, url: str) -> None:
    """Wait until the server listens, open the app, and wait until the question box can be typed into."""
    _wait_for_server(url)
    page.goto(url, wait_until="commit")
    _enabled_box(page, "compare")


def ask_raw(page: Page, question: str) -> None:
    """Go to the raw model's page, ask there, and wait until the first text of the answer can be seen."""
    page.get_by_role("link", name="Raw model").click()
    _enabled_box(page, "raw")
    page.locator(_box("raw")).fill(question)
    page.get_by_role("button", name="Ask").click()
    page.wait_for_function(_FIRST_TEXT, polling="raf")


def check_answering(page: Page) -> None:
    """Raise `RuntimeError` if what can be seen is a fault and not an answer."""
    if page.locator(".stMarkdownBadge").filter(has_text="failed").count():
        raise RuntimeError("the raw column failed: " + " ".join(page.get_by_test_id("stText").all_inner_texts()))


def _box(name: str) -> str:
    return f".st-key-question-{name} textarea"


def _enabled_box(page: Page, name: str) -> None:
    page.wait_for_selector(f"{_box(name)}:enabled", state="visible")


def _wait_for_server(url: str) -> None:
    parts = urlsplit(url)
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((str(parts.hostname), int(parts.port or 80)), timeout=1):
            return
        time.sleep(_POLL_S)
    raise TimeoutError(f"nothing listened at {url} within {LIMIT_S:.0f} s")
