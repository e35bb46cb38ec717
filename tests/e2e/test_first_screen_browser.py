"""What stands on the first screen once a sample was clicked: every answer, who is right, how fast, at what cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.drawn import drawn

SAMPLE = "What is the fixed price for repairing an Ember One outside the warranty?"
APPROACHES = ("raw", "fine_tuned", "paid_api", "rag")

_PLACES = """() => {
    const box = one => one && one.getBoundingClientRect()
    const cards = [...document.querySelectorAll('[class*=st-key-answer-]')].map(text => {
        const card = text.parentElement.closest('[data-testid=stVerticalBlock]')
        const find = (where, words) => [...card.querySelectorAll(where)].find(one => words.test(one.innerText))
        const number = words => find('[class*=st-key-numbers-] strong', words)
        const answer = text.querySelector('[data-testid=stMarkdown] p')
        return {
            answer: box(answer), size: parseFloat(getComputedStyle(answer).fontSize),
            verdict: box(find('[class*=st-key-state-] p', /Right|Not right|Refused/)),
            latency: box(number(/^[<\\d.]+ m?s$|^< 1 ms$/)),
            cost: box(number(/^\\$/)),
        }
    })
    return {cards, question: box(document.querySelector('[data-testid=stMain] h2'))}
}"""


def _places(page: Page, cards: int, *, without_cost: int = 0) -> Any:
    """Where everything stands, once all cards have a verdict and their numbers.

    The numbers are drawn after the verdict, and a card is drawn anew when the last one ends.
    """
    expect(page.locator("[class*=st-key-state-]").filter(has_text="Not right")).to_have_count(cards)
    drawn(page)
    found = page.wait_for_function(
        "([cards, without]) => {"
        f"const all = ({_PLACES})(), found = all.cards"
        """
            const missing = name => found.filter(card => !card[name]).length
            const whole = !missing('verdict') && !missing('latency') && missing('cost') <= without
            return found.length === cards && whole && all
        }""",
        arg=[cards, without_cost],
    )
    return found.json_value()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 720)])
def test_after_a_sample_all_that_counts_is_on_one_screen(
    page: Page, scripted_app: str, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(scripted_app)
    page.get_by_text(SAMPLE).click()
    expect(page.get_by_role("button", name="Ask again", exact=True)).to_be_visible()
    found = _places(page, len(APPROACHES))
    for card in (*found["cards"], found):
        for what, place in card.items():
            if what not in ("cards", "size"):
                assert place is not None, what
                assert 0 <= place["left"] < place["right"] <= width, what
                assert 0 <= place["top"] < place["bottom"] <= height, what
    for what in ("verdict", "latency", "cost", "answer"):
        assert len({round(card[what]["top"]) for card in found["cards"]}) == 1, f"{what} is not level"
    assert [card["size"] >= 20 for card in found["cards"]] == [True] * len(APPROACHES)
    page.get_by_role("button", name="Reference answer").click()
    expect(page.get_by_text("The fixed repair price of an Ember One is \u00a395.")).to_be_visible()


def test_stop_is_in_the_bar_and_editing_loses_nothing(page: Page, scripted_app: str) -> None:
    page.goto(scripted_app)
    box = page.get_by_role("textbox", name="Your question")
    box.fill("endless words")
    box.press("Control+Enter")
    expect(page.get_by_text("paid_api heard")).to_be_visible()
    expect(box).to_have_count(0)
    page.get_by_role("button", name="Edit").click()  # in mid-stream
    expect(page.get_by_role("textbox", name="Your question")).to_have_value("endless words")
    expect(page.get_by_text("paid_api heard")).to_be_visible()
    expect(page.get_by_role("button", name="Show all").first).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".stMarkdownBadge").filter(has_text="stopped")).to_have_count(len(APPROACHES))
    page.get_by_role("button", name="Show all").first.click()
    expect(page.get_by_role("button", name="Show less")).to_have_count(1)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("textbox", name="Your question")).to_have_count(0)
    expect(page.get_by_text("paid_api heard")).to_be_visible()


def test_a_fifth_column_stands_in_the_same_row(page: Page, start_app: Callable[..., str]) -> None:
    connection = "CROSSROADS_CONNECTIONS__GATEWAY__"
    address = start_app(
        CROSSROADS_SCRIPTED="true", **{f"{connection}BASE_URL": "http://127.0.0.1:9/v1", f"{connection}MODEL": "m"}
    )
    for width in (1280, 1440):
        page.set_viewport_size({"width": width, "height": 720})
        page.goto(address)  # which asks nothing again: what was answered comes back
        if width == 1280:
            page.get_by_text(SAMPLE).click()
        found = _places(page, 5, without_cost=1)
        for what in ("verdict", "latency", "answer"):
            assert len({round(card[what]["top"]) for card in found["cards"]}) == 1, (what, width)
