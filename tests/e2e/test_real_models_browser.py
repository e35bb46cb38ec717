"""What a user sees with real models: four answers, RAG over one's own file, up to the citation, and a training.

One app serves all tests, in their order: the first one sees how it starts.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from evaluation.suggestions import FOUND
from tests.e2e.axe import violations
from tests.e2e.conftest import running_app

LONG = 300_000  # milliseconds; loading, embedding and answers on a busy machine
QUESTION = "How much does the Zephyr lamp cost?"
FACT = "The Zephyr lamp costs 42 euros."
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> ![x](https://evil.example/x.png)"

SAMPLE = "What is the fixed price for repairing an Ember One outside the warranty?"
NAMES = ("Raw model", "Fine-tuned", "Paid API", "RAG")


FACTS = {
    "the Zephyr lamp": "The Zephyr lamp costs 42 euros.",
    "the Ember kettle": "The Ember kettle costs 31 euros.",
    "the Alder chair": "The Alder chair costs 120 euros.",
    "the Juniper desk": "The Juniper desk costs 260 euros.",
    "the Moss rug": "The Moss rug costs 75 euros.",
    "the Fern shelf": "The Fern shelf costs 58 euros.",
}


def _pairs() -> bytes:
    forms = ("How much does {} cost?", "What is the price of {}?")
    rows = [{"question": form.format(what), "answer": answer} for what, answer in FACTS.items() for form in forms]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture(scope="module")
def data(model_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of its own, with the default weights."""
    folder = tmp_path_factory.mktemp("real")
    shutil.copytree(model_data / "models", folder / "models", copy_function=os.link)
    return folder


@pytest.fixture(scope="module")
def real_app(data: Path) -> Iterator[str]:
    """The address of an app with the default weights."""
    with running_app(data, (), {}) as address:
        yield address


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
def test_four_real_answers_side_by_side(page: Page, real_app: str, screenshots: Path) -> None:
    """No key: the paid column is asked nothing, the stand-in is started with its button, and answers in its place."""
    page.set_default_timeout(LONG)
    page.goto(real_app)
    expect(page.get_by_role("textbox", name="Your question")).to_be_enabled(timeout=60_000)
    page.screenshot(path=screenshots / "first-paint.png")
    expect(page.get_by_text("Local models are loaded")).to_be_visible(timeout=LONG)
    if (running := page.get_by_role("button", name="Stop the stand-in")).count():  # of a first try
        running.click()
        expect(running).to_have_count(0, timeout=LONG)
    page.get_by_text(SAMPLE).first.click()
    expect(page.get_by_text("not asked").first).to_be_visible(timeout=LONG)
    expect(page.get_by_text("failed", exact=True)).to_have_count(0)
    verdicts = page.locator("[class*=st-key-state-]").filter(has_text=re.compile(r"\b(Right|Not right|Refused)\b"))
    expect(verdicts).to_have_count(3, timeout=LONG)
    page.get_by_role("button", name="Start the stand-in").click()
    expect(page.get_by_role("button", name="Start the stand-in")).to_have_count(0, timeout=LONG)
    expect(verdicts).to_have_count(4, timeout=LONG)
    expect(page.get_by_text("Every number")).to_be_visible()
    expect(page.get_by_text("How it was measured")).to_have_count(4)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.wait_for_timeout(600)
    page.screenshot(path=screenshots / "compare.png")
    for details in page.get_by_text("How it was measured").all():
        details.click()
    for figure in (r"First text (\d|<)", r"Tokens \d+ in, \d+ out"):
        expect(page.get_by_text(re.compile(figure)).filter(visible=True)).to_have_count(4)
    body = page.get_by_test_id("stMain").inner_text()
    assert len(re.findall(r"First text (\d|<)", body)) == 4, body
    assert len(re.findall(r"Tokens \d+ in, \d+ out", body)) == 4, body
    costs = page.locator("[class*=st-key-numbers-] strong").filter(has_text=re.compile(r"^\$0\.\d+$"))
    expect(costs).to_have_count(4)
    assert body.count("stand-in") >= 1
    assert "Sources (" in body
    assert "Reference answer" in body
    page.wait_for_timeout(500)  # let the charts finish drawing before the picture is taken
    for width, name in ((1440, "compare-whole"), (800, "compare-narrow")):
        _picture(page, width, screenshots / f"{name}.png")
    for name in NAMES:
        page.set_viewport_size({"width": 1440, "height": 1000})
        page.get_by_role("link", name=name).first.click()
        expect(page.get_by_role("heading", name=name, exact=True).first).to_be_visible()
        page.get_by_text(SAMPLE).first.click()
        expect(page.get_by_role("heading", name="What happened inside")).to_be_visible(timeout=LONG)
        _picture(page, 1440, screenshots / f"{name.lower().replace(' ', '-')}.png")
    _a_citation_opens_its_passage(page, screenshots / "citation.png")
    _a_model_of_the_price_list_is_drawn(page, real_app, screenshots / "costs.png")


def _a_citation_opens_its_passage(page: Page, picture: Path) -> None:
    """On RAG's own page, with the sample question that RAG is to find."""
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_text(FOUND.question).first.click()
    expect(page.get_by_role("heading", name=FOUND.question)).to_be_visible(timeout=LONG)
    expect(page.get_by_role("heading", name="What happened inside")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="[1]", exact=True).first.click()
    expect(page.get_by_role("dialog")).to_contain_text(re.compile(r"\b(1\.6|2\.8) litres"))  # of either machine
    page.wait_for_timeout(600)
    page.screenshot(path=picture)
    page.keyboard.press("Escape")


def _a_model_of_the_price_list_is_drawn(page: Page, app: str, picture: Path) -> None:
    """Search it, tick the first row of the table, which is a canvas, and see its curve."""
    page.goto(f"{app}/costs?costs=Price+list")
    page.get_by_label("Find a model").fill("claude haiku 4-5 anthropic")
    page.get_by_label("Find a model").press("Enter")
    table = page.get_by_test_id("stDataFrame")
    expect(page.get_by_role("button", name="Compare on Per month")).to_be_disabled()
    page.wait_for_timeout(1000)  # until the canvas has the rows that were found
    table.click(position={"x": 20, "y": 52})
    page.get_by_role("button", name="Compare 1 on Per month").click()
    expect(page.get_by_role("columnheader", name=re.compile("haiku-4-5"))).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
    page.wait_for_timeout(600)
    page.screenshot(path=picture)


def _picture(page: Page, width: int, file: Path) -> None:
    """The whole page in one picture: the window is made as tall as the content."""
    page.set_viewport_size({"width": width, "height": 1000})
    page.wait_for_timeout(600)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(height, 4000)})
    page.wait_for_timeout(600)
    page.screenshot(path=file)


@pytest.mark.slow
def test_an_own_file_is_uploaded_asked_about_and_opened_at_the_citation(
    page: Page, real_app: str, screenshots: Path
) -> None:
    page.set_default_timeout(LONG)
    expect.set_options(timeout=LONG)
    foreign: list[str] = []
    own = (real_app, real_app.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else foreign.append(request.url))
    page.goto(real_app)
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
    assert violations(page) == []

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

    box.fill("Who painted the ceiling of the opera house?")
    box.press("Control+Enter")
    expect(page.get_by_text("below threshold").first).to_be_visible()
    expect(page.get_by_text("Nothing answers well enough")).to_be_visible()
    page.get_by_role("button", name="Answer anyway").click()
    expect(page.get_by_text("It was answered all the same.")).to_be_visible()
    box.fill(QUESTION)
    box.press("Control+Enter")
    expect(page.get_by_text("It was answered all the same.")).to_have_count(0)

    _section(page, "Search")
    expect(page.get_by_label("What to look for")).to_have_value(QUESTION)
    expect(page.get_by_text("No reranker is configured")).to_be_visible()
    expect(page.get_by_text("as in dense").first).to_be_visible()
    assert violations(page) == []
    _section(page, "Map")
    expect(page.get_by_role("heading", name="What you see")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
    assert violations(page) == []
    assert "section=Map" in page.url
    assert page.title() == "Map \u00b7 RAG \u00b7 Crossroads"
    assert _main(page).locator("img").count() == 0
    assert foreign == []


@pytest.mark.slow
def test_indexing_survives_a_page_change_and_is_cancelled(page: Page, real_app: str) -> None:
    page.set_default_timeout(LONG)
    expect.set_options(timeout=LONG)
    page.goto(real_app)
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
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Adding to many: Stopped.")).to_be_visible()
    expect(page.get_by_text("many is empty")).to_be_visible()


@pytest.mark.slow
def test_a_training_goes_on_while_the_page_is_left_and_its_adapter_answers(
    page: Page, real_app: str, data: Path, screenshots: Path
) -> None:
    page.set_default_timeout(LONG)
    expect.set_options(timeout=LONG)
    foreign: list[str] = []
    own = (real_app, real_app.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else foreign.append(request.url))
    page.goto(f"{real_app}/rag?section=Documents")
    page.get_by_role("link", name="Fine-tuned").first.click()  # whose sections are others
    expect(page.get_by_text("Local models are loaded")).to_be_visible()

    _section(page, "Pairs")
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(
        [{"name": "prices.jsonl", "mimeType": "application/jsonl", "buffer": _pairs()}]
    )
    expect(page.get_by_text("no faults found")).to_be_visible()
    page.screenshot(path=screenshots / "fine-tuned-pairs.png")
    assert violations(page) == []
    page.get_by_role("button", name="Train on these").click()
    epochs = page.get_by_label("Epochs")
    epochs.fill("1")
    epochs.press("Enter")
    page.get_by_label("Name of the adapter").fill("prices")
    page.get_by_label("Name of the adapter").press("Enter")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("Training prices").first).to_be_visible()

    page.get_by_role("link", name="Compare").first.click()
    expect(page.get_by_role("textbox", name="Your question")).to_be_visible()
    page.goto(f"{real_app}/fine_tuned?section=Train")
    expect(page.get_by_role("button", name="Use this adapter")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible()
    page.screenshot(path=screenshots / "fine-tuned-trained.png")
    page.get_by_role("button", name="Use this adapter").click()
    expect(page.get_by_role("button", name="It answers")).to_be_disabled()
    assert (data / "adapters" / "prices" / "adapter_model.safetensors").is_file()

    _section(page, "Ask")
    box = page.get_by_role("textbox", name="Your question")
    box.fill("How much does the Zephyr lamp cost?")
    box.press("Control+Enter")
    expect(page.get_by_role("heading", name="What happened inside")).to_be_visible()
    expect(_main(page).get_by_text("+ adapter prices").first).to_be_visible()
    assert foreign == []
