"""What a user sees: the whole app, in Chromium, with scripted answers."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from pytest_httpserver import HTTPServer

from benchmarks.browser import ask_raw, check_answering, open_compare_page
from tests.e2e.drawn import drawn

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


def test_a_comparison_survives_page_changes_and_reloads_and_can_be_stopped(page: Page, scripted_app: str) -> None:
    _open(page, scripted_app)
    _ask(page, "endless words")
    expect(page.get_by_text("paid_api heard")).to_be_visible()
    page.get_by_role("link", name="RAG").first.click()
    expect(page.get_by_text("Retrieval-augmented generation").first).to_be_visible()
    page.get_by_role("link", name="Compare").first.click()
    expect(page.get_by_text("paid_api heard")).to_be_visible()
    page.get_by_role("button", name="Show all").first.click()  # a stray click in mid-stream
    expect(page.get_by_role("button", name="Show less")).to_be_visible()
    expect(page.get_by_text("paid_api heard")).to_be_visible()
    page.reload()
    expect(page.get_by_text("paid_api heard")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Every number")).to_be_visible()
    expect(page.get_by_text("stopped", exact=False).first).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    drawn(page)
    shown = page.locator("[class*=st-key-numbers-]")
    expect(shown).to_have_count(len(NAMES))
    numbers = shown.all_inner_texts()
    page.reload()
    expect(page.get_by_text("Every number")).to_be_visible()
    expect(page.get_by_role("heading", name="endless words", level=2)).to_be_visible()
    expect(shown).to_have_text(numbers, use_inner_text=True)
    assert page.evaluate("document.cookie").count("crossroads_browser") == 0  # no script reads it
    assert page.context.browser
    other = page.context.browser.new_page()
    _open(other, scripted_app)
    expect(other.get_by_text("endless words")).to_have_count(0)
    other.close()


def test_back_leads_to_the_section_and_what_was_typed_stays(page: Page, scripted_app: str) -> None:
    _open(page, scripted_app)
    page.get_by_role("textbox", name="Your question").fill("typed and not asked")
    page.keyboard.press("Tab")  # a click would only leave the box: Streamlit loses the one that does so
    expect(page.get_by_text("Expected cost: Raw model")).to_be_visible()
    page.get_by_role("link", name="Costs").first.click()
    page.get_by_test_id("stMain").get_by_text("What if", exact=True).click()
    expect(page.get_by_role("heading", name="What changes that most?")).to_be_visible()
    expect(page).to_have_title("What if \u00b7 Costs \u00b7 Crossroads")
    page.get_by_role("link", name="RAG").first.click()
    expect(page).to_have_title("Ask \u00b7 RAG \u00b7 Crossroads")
    drawn(page)  # else Back meets a page being drawn
    page.go_back()
    expect(page.get_by_role("heading", name="What changes that most?")).to_be_visible()
    expect(page).to_have_title("What if \u00b7 Costs \u00b7 Crossroads")
    page.get_by_role("link", name="Compare").first.click()
    expect(page.get_by_role("textbox", name="Your question")).to_have_value("typed and not asked")
    expect(page).to_have_title("Compare \u00b7 Crossroads")


def test_text_from_outside_is_shown_as_text_and_fetches_nothing(
    page: Page, scripted_app: str, httpserver: HTTPServer
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    _open(page, scripted_app)
    trap = httpserver.url_for("/trap.png")
    _ask(page, f"![x]({trap}) <img src='{trap}'> <script>document.title='owned'</script> [link]({trap}) $x^2$")
    expect(page.get_by_text("Every number")).to_be_visible()
    drawn(page)
    main = page.get_by_test_id("stMain")
    assert main.inner_text().count("<script>document.title='owned'</script>") >= 4  # in each answer
    assert httpserver.log == []
    foreign = [
        url for url in asked if not url.startswith((scripted_app, scripted_app.replace("http", "ws"), "data:", "blob:"))
    ]
    assert foreign == []
    assert page.title() == "Compare \u00b7 Crossroads"
    assert main.locator("img").count() == 0


def test_an_empty_question_gets_a_sentence(page: Page, scripted_app: str) -> None:
    _open(page, scripted_app)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_text("The question is empty. Type a question first.")).to_have_count(1)
    expect(page.get_by_text("Every number")).to_have_count(0)


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
    expect(page.locator(".st-key-answer-raw")).to_contain_text("raw heard: When?")
