"""What a user sees: the whole app, in Chromium, with real models or with the scripted ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_httpserver import HTTPServer

from benchmarks.browser import ask_raw, check_answering, open_compare_page

SAMPLE = "What is the fixed price for repairing an Ember One outside the warranty?"
NAMES = ("Raw model", "Fine-tuned", "Paid API", "RAG")
LONG = 300_000  # milliseconds; loading and four answers on a busy machine


def _open(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("textbox", name="Your question")).to_be_enabled(timeout=60_000)


def _ask(page: Page, question: str) -> None:
    box = page.get_by_role("textbox", name="Your question")
    box.fill(question)
    box.press("Control+Enter")


@pytest.mark.slow
def test_four_real_answers_side_by_side(
    page: Page, start_app: Callable[..., str], model_data: Path, screenshots: Path
) -> None:
    """No key: the stand-in is started with its button, and four real models answer."""
    page.set_default_timeout(LONG)
    _open(page, start_app(model_data))
    page.screenshot(path=screenshots / "first-paint.png")
    expect(page.get_by_text("Local models are loaded")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Start the stand-in").click()
    expect(page.get_by_role("button", name="Start the stand-in")).to_have_count(0, timeout=LONG)
    expect(page.get_by_text("Starting the stand-in")).to_have_count(0, timeout=LONG)
    page.get_by_text(SAMPLE).first.click()
    expect(page.get_by_text("Every number")).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile("done|cut off"))).to_have_count(4)
    body = page.get_by_test_id("stMain").inner_text()
    assert len(re.findall(r"First text (\d|<)", body)) == 4, body
    assert len(re.findall(r"Tokens \d+ in, \d+ out", body)) == 4, body
    costs = page.get_by_test_id("stMain").get_by_role("heading", name=re.compile(r"^\$0\.\d+$"))
    expect(costs).to_have_count(4)  # the charts write amounts too, but not as headings
    assert body.count("stand-in") >= 1
    assert "Sources (" in body
    assert "fastest" in body
    page.wait_for_timeout(500)  # let the charts finish drawing before the picture is taken
    for width, name in ((1440, "compare"), (800, "compare-narrow")):
        _picture(page, width, screenshots / f"{name}.png")
    for name in NAMES:
        page.set_viewport_size({"width": 1440, "height": 1000})
        page.get_by_role("link", name=name).first.click()
        expect(page.get_by_role("heading", name=name, exact=True).first).to_be_visible()
        page.get_by_text(SAMPLE).first.click()
        expect(page.get_by_role("heading", name="What happened inside")).to_be_visible(timeout=LONG)
        _picture(page, 1440, screenshots / f"{name.lower().replace(' ', '-')}.png")


def _picture(page: Page, width: int, file: Path) -> None:
    """The whole page in one picture: the window is made as tall as the content."""
    page.set_viewport_size({"width": width, "height": 1000})
    page.wait_for_timeout(600)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(height, 4000)})
    page.wait_for_timeout(600)
    page.screenshot(path=file)


def test_a_comparison_survives_a_page_change_and_can_be_stopped(page: Page, start_app: Callable[..., str]) -> None:
    _open(page, start_app(CROSSROADS_SCRIPTED="true"))
    _ask(page, "endless words")
    expect(page.get_by_text("paid_api heard")).to_be_visible()
    page.get_by_role("link", name="RAG").first.click()
    expect(page.get_by_text("Retrieval-augmented generation").first).to_be_visible()
    page.get_by_role("link", name="Compare").first.click()
    expect(page.get_by_text("paid_api heard")).to_be_visible()
    page.get_by_role("button", name="Settings for every approach").click()  # a stray click in mid-stream
    page.keyboard.press("Escape")
    expect(page.get_by_text("paid_api heard")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Every number")).to_be_visible()
    expect(page.get_by_text("stopped", exact=False).first).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)


def test_text_from_outside_is_shown_as_text_and_fetches_nothing(
    page: Page, start_app: Callable[..., str], httpserver: HTTPServer
) -> None:
    address = start_app(CROSSROADS_SCRIPTED="true")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    _open(page, address)
    trap = httpserver.url_for("/trap.png")
    _ask(page, f"![x]({trap}) <img src='{trap}'> <script>document.title='owned'</script> [link]({trap}) $x^2$")
    expect(page.get_by_text("Every number")).to_be_visible()
    main = page.get_by_test_id("stMain")
    assert main.inner_text().count("<script>document.title='owned'</script>") >= 5  # the question and four answers
    assert httpserver.log == []
    foreign = [url for url in asked if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))]
    assert foreign == []
    assert page.title() == "Crossroads"
    assert main.locator("img").count() == 0


def test_an_empty_question_gets_a_sentence(page: Page, start_app: Callable[..., str]) -> None:
    _open(page, start_app(CROSSROADS_SCRIPTED="true"))
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_text("The question is empty. Type a question first.").first).to_be_visible()


def test_a_page_that_is_the_first_to_be_opened_has_its_frame(page: Page, start_app: Callable[..., str]) -> None:
    page.goto(start_app(CROSSROADS_SCRIPTED="true") + "/raw")
    expect(page.get_by_role("textbox", name="Your question")).to_be_enabled(timeout=60_000)
    for name in ("Compare", *NAMES):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(r"/raw$"))


def test_the_benchmark_of_the_start_finds_its_way(page: Page, start_app: Callable[..., str]) -> None:
    open_compare_page(page, start_app(CROSSROADS_SCRIPTED="true"))
    ask_raw(page, "When?")
    check_answering(page)
    expect(page).to_have_url(re.compile(r"/raw$"))
    assert page.get_by_test_id("stText").first.inner_text().strip()
