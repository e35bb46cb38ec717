"""A rater in a real browser: by keyboard alone, on a phone, blind, and without a foreign request."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.axe import violations


@pytest.mark.slow
def test_answers_are_rated_by_keyboard_and_the_result_is_shown(
    page: Page, context: BrowserContext, scripted_app: str, screenshots: Path
) -> None:
    page.goto(f"{scripted_app}/evaluate")
    expect(page.get_by_role("radio", name="Runs", exact=True)).to_be_checked()
    page.get_by_text("New run", exact=True).or_(page.get_by_text("Or choose questions")).click()
    page.get_by_role("radio", name="Sample questions").click()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("radio", name="Results")).to_be_checked()
    page.get_by_role("radio", name="Ratings").click()
    page.get_by_role("button", name="Make the session").or_(page.get_by_text("New session", exact=True)).first.click()
    expect(page.get_by_text("Invite with this link")).to_be_visible()
    assert violations(page) == []
    link = page.get_by_test_id("stCode").first.inner_text().strip()

    rater = context.new_page()
    rater.set_viewport_size({"width": 390, "height": 800})
    requests: list[str] = []
    rater.on("request", lambda one: requests.append(one.url))
    errors: list[str] = []
    rater.on("console", lambda one: errors.append(one.text) if one.type == "error" else None)
    rater.goto(link)
    rater.keyboard.type("Ada")
    with rater.expect_navigation():
        rater.keyboard.press("Enter")
    assert violations(rater) == []
    assert rater.evaluate("document.documentElement.scrollWidth <= innerWidth")
    rater.screenshot(path=screenshots / "rate.png")
    for keys in (("2", "Enter"), ("t",), ("b",), ("s",)):
        expect(rater.locator("#rate")).to_be_visible()
        with rater.expect_navigation():
            for key in keys:
                rater.keyboard.press(key)
        expect(rater.get_by_text("Saved.")).to_be_visible()
    expect(rater.get_by_text("4 done")).to_be_visible()
    rater.keyboard.press("c")
    rater.keyboard.type("unsur")
    with rater.expect_response(lambda one: one.url.endswith("/beat") and one.request.post_data == "draft=unsure"):
        rater.keyboard.type("e")
    rater.reload()
    expect(rater.get_by_label("Comment")).to_have_value("unsure")
    with rater.expect_navigation():
        rater.keyboard.press("u")
    expect(rater.get_by_text("3 done")).to_be_visible()
    assert errors == []
    assert all(one.startswith(scripted_app) for one in requests)

    page.get_by_role("button", name="Lock and reveal").click()
    expect(page.get_by_text("Who won against whom")).to_be_visible()
    assert violations(page) == []
    rater.reload()
    expect(rater.get_by_text("This session is closed.")).to_be_visible()
