"""The Costs page on a small screen: what is said in a table can be read."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

_CUT = """() => [...document.querySelectorAll('[data-testid=stTable], [data-testid=stTable] *')]
    .filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0)
    .filter(one => getComputedStyle(one).overflowX !== 'visible')
    .map(one => `${one.tagName} of ${one.clientWidth} px holds ${one.scrollWidth}`)"""


def _tables_are_whole(page: Page, width: int, section: str) -> None:
    page.set_viewport_size({"width": width, "height": 1000})
    page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert page.evaluate(_CUT) == [], f"{section}, {width} px wide"


def test_no_table_is_cut_and_every_section_can_be_taken_away(page: Page, scripted_app: str) -> None:
    """Each section is opened once on a small screen, which then grows: opening one takes a second of the processor."""
    page.goto(scripted_app)
    page.get_by_label("Your question").fill("hello there")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Every number")).to_be_visible(timeout=60_000)
    files = {}
    for section, tables, buttons in (
        ("Per month", 1, 2),
        ("Per right answer", 1, 1),
        ("What if", 1, 1),
        ("Price list", None, 1),
        ("From scratch", 2, 1),
        ("History", None, 2),
    ):
        page.set_viewport_size({"width": 800, "height": 1000})
        page.goto(f"{scripted_app}/costs?costs={section.replace(' ', '+')}")
        expect(page.get_by_test_id("stDownloadButton")).to_have_count(buttons, timeout=60_000)
        if tables is not None:
            expect(page.get_by_test_id("stTable").last).to_be_visible(timeout=60_000)
            expect(page.get_by_test_id("stTable")).to_have_count(tables)
            for width in (800, 1440):
                _tables_are_whole(page, width, section)
        for button in page.get_by_test_id("stDownloadButton").all():
            with page.expect_download() as found:
                button.get_by_role("button").click()
            files[found.value.suggested_filename] = Path(found.value.path()).read_text(encoding="utf-8-sig")
    assert {name: text.partition(",")[0] for name, text in files.items()} == {
        "crossroads-break-even.csv": "kind",
        "crossroads-costs.csv": "kind",
        "crossroads-right-answers.csv": "kind",
        "crossroads-what-if.csv": "kind",
        "crossroads-price-list.csv": "kind",
        "crossroads-from-scratch.csv": "kind",
        "crossroads-history-by-day.csv": "day (UTC)",
        "crossroads-history.csv": "at",
    }
    assert files["crossroads-history.csv"].count("scripted answers") >= 4
