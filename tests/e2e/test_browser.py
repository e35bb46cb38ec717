"""What a user sees: the whole app, in Chromium, with scripted answers."""

from __future__ import annotations

import re

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


def test_a_comparison_survives_a_page_change_and_can_be_stopped(page: Page, scripted_app: str) -> None:
    _open(page, scripted_app)
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
    page: Page, scripted_app: str, httpserver: HTTPServer
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    _open(page, scripted_app)
    trap = httpserver.url_for("/trap.png")
    _ask(page, f"![x]({trap}) <img src='{trap}'> <script>document.title='owned'</script> [link]({trap}) $x^2$")
    expect(page.get_by_text("Every number")).to_be_visible()
    main = page.get_by_test_id("stMain")
    assert main.inner_text().count("<script>document.title='owned'</script>") >= 5  # the question and four answers
    assert httpserver.log == []
    foreign = [
        url for url in asked if not url.startswith((scripted_app, scripted_app.replace("http", "ws"), "data:", "blob:"))
    ]
    assert foreign == []
    assert page.title() == "Crossroads"
    assert main.locator("img").count() == 0


def test_an_empty_question_gets_a_sentence(page: Page, scripted_app: str) -> None:
    _open(page, scripted_app)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_text("The question is empty. Type a question first.").first).to_be_visible()


def test_a_page_that_is_the_first_to_be_opened_has_its_frame(page: Page, scripted_app: str) -> None:
    page.goto(scripted_app + "/raw")
    expect(page.get_by_role("textbox", name="Your question")).to_be_enabled(timeout=60_000)
    for name in ("Compare", *NAMES):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(r"/raw$"))


def test_the_benchmark_of_the_start_finds_its_way(page: Page, scripted_app: str) -> None:
    open_compare_page(page, scripted_app)
    ask_raw(page, "When?")
    check_answering(page)
    expect(page).to_have_url(re.compile(r"/raw$"))
    assert page.get_by_test_id("stText").first.inner_text().strip()
