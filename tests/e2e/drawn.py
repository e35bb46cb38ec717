"""When a page of the app has been drawn."""

from __future__ import annotations

from playwright.sync_api import Page

_DRAWN = """() => {
    const app = document.querySelector('[data-test-script-state]')
    return app.dataset.testScriptState === 'notRunning' && !document.querySelector('[data-stale=true]')
}"""


def drawn(page: Page) -> None:
    """Wait until nothing runs for the page, and nothing on it stands there from before.

    After an action, wait first for what that action alone can bring: it may not have begun yet.
    """
    page.wait_for_function(_DRAWN, polling="raf")
