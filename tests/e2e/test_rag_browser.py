"""RAG in Chromium with real models: one's own file goes in, is asked about, and the answer leads back to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

LONG = 300_000  # milliseconds; loading, embedding and answers on a busy machine
QUESTION = "How much does the Zephyr lamp cost?"
FACT = "The Zephyr lamp costs 42 euros."
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> ![x](https://evil.example/x.png)"


def _section(page: Page, name: str) -> None:
    page.get_by_test_id("stButtonGroup").first.get_by_text(name, exact=True).click()


def _upload(page: Page, *files: tuple[str, str]) -> None:
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(
        [{"name": name, "mimeType": "text/plain", "buffer": text.encode()} for name, text in files]
    )
    expect(page.get_by_text(files[-1][0]).first).to_be_visible()
    page.get_by_role("button", name="Add to the collection").click()


def _main(page: Page) -> Locator:
    return page.get_by_test_id("stMain")


@pytest.mark.slow
def test_an_own_file_is_uploaded_asked_about_and_opened_at_the_citation(
    page: Page, start_app: Callable[..., str], model_data: Path, screenshots: Path
) -> None:
    page.set_default_timeout(LONG)
    expect.set_options(timeout=LONG)
    address = start_app(model_data)
    foreign: list[str] = []
    own = (address, address.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else foreign.append(request.url))
    page.goto(address)
    page.get_by_role("link", name="RAG").first.click()
    expect(page.get_by_text("Local models are loaded")).to_be_visible()

    _section(page, "Documents")
    page.get_by_role("button", name="New").click()
    page.get_by_label("Name of the new collection").fill("lamps")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("lamps is empty")).to_be_visible()
    lamps = f"{FACT} It is made of brass.\n\nSee https://evil.example/lamp\n"
    _upload(page, ("lamps.txt", lamps), ("trap.txt", HOSTILE), ("empty.txt", ""))
    expect(page.get_by_text("2 added, 1 not read.")).to_be_visible()
    expect(page.get_by_text("The file is empty (0 bytes).")).to_be_visible()
    expect(page.get_by_text("2 documents")).to_be_visible()
    page.screenshot(path=screenshots / "rag-documents.png")

    _section(page, "Ask")
    box = page.get_by_role("textbox", name="Your question")
    box.fill(QUESTION)
    box.press("Control+Enter")
    expect(page.get_by_role("heading", name="What happened inside")).to_be_visible()
    expect(_main(page)).to_contain_text("42")
    page.get_by_text("Evidence:").click()
    page.get_by_role("button", name="[1]").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("lamps.txt")
    expect(dialog.get_by_text("It is made of brass.")).to_be_visible()
    expect(dialog).to_contain_text("evil.example/lamp")
    assert dialog.locator("a[href]").count() == 0
    page.screenshot(path=screenshots / "rag-citation.png")
    page.keyboard.press("Escape")

    _section(page, "Search")
    expect(page.get_by_label("What to look for")).to_have_value(QUESTION)
    expect(page.get_by_text("No reranker is configured")).to_be_visible()
    expect(page.get_by_text("as in dense").first).to_be_visible()
    _section(page, "Map")
    expect(page.get_by_role("heading", name="What you see")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
    assert "section=Map" in page.url
    assert page.title() == "Crossroads"
    assert _main(page).locator("img").count() == 0
    assert foreign == []


@pytest.mark.slow
def test_indexing_survives_a_page_change_and_is_cancelled(
    page: Page, start_app: Callable[..., str], model_data: Path, tmp_path: Path
) -> None:
    page.set_default_timeout(LONG)
    expect.set_options(timeout=LONG)
    page.goto(start_app(model_data))
    page.get_by_role("link", name="RAG").first.click()
    expect(page.get_by_text("Local models are loaded")).to_be_visible()
    _section(page, "Documents")
    page.get_by_role("button", name="New").click()
    page.get_by_label("Name of the new collection").fill("many")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("many is empty")).to_be_visible()
    long_text = "\n\n".join(f"Paragraph {number} tells of lamp number {number * 7}." for number in range(20_000))
    _upload(page, ("long.txt", long_text))
    expect(page.get_by_text("Adding to many")).to_be_visible()
    page.get_by_role("link", name="Compare").first.click()
    expect(page.get_by_role("textbox", name="Your question")).to_be_visible()
    page.get_by_role("link", name="RAG").first.click()
    _section(page, "Documents")
    expect(page.get_by_text("Adding to many")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Adding to many: Cancelled.")).to_be_visible()
    expect(page.get_by_text("many is empty")).to_be_visible()
