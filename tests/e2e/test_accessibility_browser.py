"""What axe-core, the console and the Tab key say of every page, in light and in dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.e2e.axe import violations
from tests.e2e.drawn import drawn

COSTS = ("Per month", "Per right answer", "What if", "Price list", "From scratch", "History")
ADDRESSES = {
    "light": (
        *("/raw", "/fine_tuned", "/paid_api", "/rag", "/evaluate", "/history"),
        *(f"/costs?costs={one.replace(' ', '+')}" for one in COSTS),
    ),
    "dark": ("/paid_api", "/costs"),  # what stands on them is coloured as everywhere
}


def settled(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    drawn(page)


@pytest.mark.parametrize("theme", ADDRESSES)
def test_nothing_stands_in_the_way_of_a_reader(page: Page, scripted_app: str, theme: str) -> None:
    said: list[str] = []
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(f"{page.url}: {message.text}")

    page.on("console", listen)
    page.goto(scripted_app)
    box = page.get_by_role("textbox", name="Your question")
    expect(box).to_be_enabled()
    settled(page)
    found = {"/": violations(page)}
    box.fill("What is the fixed price for repairing an Ember One outside the warranty?")
    box.press("Control+Enter")
    expect(page.get_by_text("Every number")).to_be_visible()
    announced = page.locator(".st-key-announced").get_by_role("status")
    expect(announced).to_contain_text("Answered. Raw model: done, not right, ")
    settled(page)
    found["asked"] = violations(page)
    for address in ADDRESSES[theme]:
        page.goto(scripted_app + address)
        expect(page.get_by_test_id("stMain").get_by_role("heading", level=1)).to_be_visible()
        settled(page)
        found[address] = violations(page)
    page.goto(f"{scripted_app}/history")
    page.locator("[class*=st-key-history_open]").get_by_role("button").first.click()
    expect(page.get_by_text("shown as it was answered")).to_be_visible()
    settled(page)
    found["a question of the history"] = violations(page)
    assert {address: lines for address, lines in found.items() if lines} == {}
    assert said == []


def test_the_keyboard_comes_to_the_question_in_a_few_stops_and_shows_where_it_is(page: Page, scripted_app: str) -> None:
    page.goto(scripted_app)
    box = page.get_by_role("textbox", name="Your question")
    expect(box).to_be_enabled()
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("stSkipToContent")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("Tab")
        ring = "getComputedStyle(document.activeElement)"
        shown = f"[{ring}.boxShadow, {ring}.outlineStyle, {ring}.borderColor].join()"
        assert page.evaluate(shown) != "none,none,"
        if page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    expect(box).to_be_focused()
