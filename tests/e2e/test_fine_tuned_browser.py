"""Fine-tuning in Chromium with the real base: few pairs, one epoch, the page left and found again, the adapter used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.axe import violations

LONG = 600_000  # milliseconds; loading, steps and answers on a busy machine
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


def _section(page: Page, name: str) -> None:
    page.get_by_test_id("stButtonGroup").first.get_by_text(name, exact=True).click()


def _main(page: Page) -> Locator:
    return page.get_by_test_id("stMain")


@pytest.mark.slow
def test_a_training_goes_on_while_the_page_is_left_and_its_adapter_answers(
    page: Page, start_app: Callable[..., str], model_data: Path, tmp_path: Path, screenshots: Path
) -> None:
    page.set_default_timeout(LONG)
    expect.set_options(timeout=LONG)
    data = tmp_path / "data"
    shutil.copytree(model_data / "models", data / "models")
    address = start_app(data)
    foreign: list[str] = []
    own = (address, address.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else foreign.append(request.url))
    page.goto(f"{address}/rag?section=Documents")
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
    page.goto(f"{address}/fine_tuned?section=Train")
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
