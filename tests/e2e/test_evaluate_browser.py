"""A run of questions in a real browser: started, watched, stopped, resumed, and its results."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.axe import violations
from tests.e2e.drawn import drawn

ENDLESS = {"name": "endless.csv", "mimeType": "text/csv", "buffer": b"question\nendless words\n"}


def choose(page: Page, origin: str) -> None:
    page.get_by_text("New run", exact=True).or_(page.get_by_text("Or choose questions")).click()
    page.get_by_role("radio", name=origin).click()


def test_a_run_is_started_watched_stopped_resumed_and_its_results_open(page: Page, scripted_app: str) -> None:
    page.goto(f"{scripted_app}/evaluate")
    choose(page, "A file")
    page.locator("input[type=file]").set_input_files(files=[ENDLESS])
    expect(page.get_by_text("No question says what a right answer is")).to_be_visible()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="endless.csv: 1 question × 4 approaches")).to_be_visible()
    choose(page, "Sample questions")
    expect(page.get_by_role("spinbutton", name="How many of")).to_have_value("10")
    drawn(page)  # Start begins what it was drawn for
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Waiting behind")).to_be_visible()
    assert violations(page) == []
    page.reload()
    expect(page.get_by_text("Waiting behind")).to_be_visible()
    page.get_by_role("button", name="Stop").nth(1).click()
    expect(page.get_by_text("stopped, 0 of 40 answers are there")).to_be_visible()
    page.get_by_role("button", name="Stop").first.click()
    expect(page.get_by_text("stopped, 0 of 4 answers are there")).to_be_visible()
    expect(page.get_by_role("button", name="Ask what is missing")).to_have_count(3)
    page.get_by_role("button", name="Ask what is missing").nth(1).click()
    expect(page.get_by_role("radio", name="Results")).to_be_checked()
    expect(page).to_have_url(re.compile("evaluate=Results"))
    page.get_by_role("radio", name="Runs", exact=True).click()
    expect(page.get_by_role("button", name="Ask what is missing (0)")).to_be_disabled()
    assert violations(page) == []


@pytest.mark.parametrize("width", [1440, 800])
def test_no_column_of_the_runs_and_of_typed_questions_is_out_of_sight(
    page: Page, scripted_app: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 1000})
    page.goto(f"{scripted_app}/evaluate")
    choose(page, "Sample questions")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("radio", name="Results")).to_be_checked()
    page.get_by_role("radio", name="Runs", exact=True).click()
    choose(page, "Typed here")
    expect(page.get_by_text("There is no question yet.")).to_be_visible()
    tables = "[...document.querySelectorAll('.dvn-scroller')]"
    page.wait_for_function(f"() => {tables}.length === 2 && {tables}.every(one => one.scrollWidth <= one.clientWidth)")
