"""What axe-core finds on a page of the app."""

from __future__ import annotations

from importlib import resources
from typing import Any

from playwright.sync_api import Page

from tests.e2e.drawn import drawn

AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
"""axe-core itself, which the package carries along."""

OF_STREAMLIT = {
    ("presentation-role-conflict", "stFileUploaderDropzone"): "the area to drop a file on; its button has the name",
    ("scrollable-region-focusable", "stVerticalBlock"): "a container of fixed height has no tab index; browsers give "
    "what scrolls to the keyboard by themselves",
}
"""Rule and element that Streamlit draws so, and no setting mends -> why it is let be."""


def violations(page: Page) -> list[str]:
    """What axe-core finds on the page once it is drawn, one line for each element: what is drawn anew is paler."""
    if page.get_by_test_id("stApp").count():  # raters have plain pages
        drawn(page)
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        for node in one["nodes"]
        if not any(one["id"] == rule and element in node["html"] for rule, element in OF_STREAMLIT)
    ]
