"""An audience votes with a phone, while the presenter's page says no more than the phone does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.axe import violations


@pytest.mark.slow
def test_a_phone_votes_and_the_presenter_reveals_it(
    page: Page, context: BrowserContext, start_app: Callable[..., str], screenshots: Path
) -> None:
    page.goto(start_app(CROSSROADS_SCRIPTED="true"))
    page.get_by_text("May employees bring dogs to work?").click()
    page.get_by_text("Ask the audience").click()
    page.get_by_role("button", name="Open the vote").click()
    expect(page.get_by_text("Vote with your phone")).to_be_visible()
    expect(page.get_by_text("0 votes. Open for 10 min more.")).to_be_visible()
    expect(page.get_by_test_id("stMain").get_by_text("Raw model")).to_have_count(0)
    link = page.get_by_test_id("stCode").first.inner_text().strip()
    page.get_by_role("button", name="Open for the room").click()
    expect(page.get_by_text("Others on this network use:")).to_be_visible()
    assert violations(page) == []
    page.screenshot(path=screenshots / "audience-blind.png", full_page=True)

    phone = context.new_page()
    phone.set_viewport_size({"width": 390, "height": 800})
    phone.goto(link)
    expect(phone.get_by_text("Raw model")).to_have_count(0)
    phone.get_by_role("radio", name="B").check()
    phone.get_by_role("button", name="Vote").click()
    expect(phone.get_by_text("Your vote: B.")).to_be_visible()
    assert violations(phone) == []
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.screenshot(path=screenshots / "audience-phone.png")
    expect(page.get_by_text("1 vote. Open for")).to_be_visible()  # without a click

    page.get_by_role("button", name="Close the room").click()
    expect(page.get_by_role("button", name="Open for the room")).to_be_visible()
    page.get_by_role("button", name="Reveal").click()
    expect(page.get_by_text("What the audience said")).to_be_visible()
    expect(page.get_by_role("heading", name="Raw model")).to_be_visible()
    page.get_by_text("What the audience said").scroll_into_view_if_needed()
    assert violations(page) == []
    page.screenshot(path=screenshots / "audience-revealed.png", full_page=True)
    phone.reload()
    expect(phone.get_by_text("1 vote", exact=True)).to_be_visible()
