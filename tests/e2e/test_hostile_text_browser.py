"""Every field that comes from outside holds text that attacks: every page shows its letters, and asks nobody for it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Page, TimeoutError, expect
from pytest_httpserver import HTTPServer

from backends.base import Answer, Cost, Timings, Usage
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.train.method import TrainingSettings
from backends.fine_tuned.train.runs import Run, write_run
from backends.models.adapter_files import file_digest
from backends.rag.approach import open_index
from backends.rag.documents.files import Source
from backends.rag.store.chroma import close_stores
from backends.rag.store.database import open_database
from backends.settings import load_settings
from backends.spend import ledger
from evaluation.attribution import ARMS, TECHNIQUES, Arm, Attribution, Slice, Technique, store_attribution
from evaluation.judging import Gain, Judged, Share
from evaluation.proof import AdapterProof, store_proof
from evaluation.samples import Sample
from evaluation.statistics import Estimate
from tests.backends.openai_server import USAGE, error, sse, text_chunk
from tests.backends.rag.conftest import fill
from tests.e2e.drawn import drawn
from tests.evaluation.answering import answered, scores
from tests.evaluation.made_data import write_adapter
from tests.hostile_text import CORPUS, LONG, hostile, on_screen

PATIENCE_MS = 300_000  # loading on a busy machine
READ_MS = 20_000
COLLECTION = CORPUS["image"]
ADAPTER = "a![x](x) :material_verified: :smile: $x^2$ -> b"  # a folder's name holds no slash
_MADE_OF_TEXT = """() => [...document.querySelectorAll('[data-testid=stMain] :is(img, script, .katex, a[href])')]
    .filter(one => !(one.getAttribute('href') || '').startsWith('#'))
    .concat([...document.querySelectorAll('[aria-label="verified icon"]')])
    .map(one => one.outerHTML)"""
_SEEN = """text => document.body.innerText.replace(/\\s+/g, ' ').includes(text)"""

_OTHER = """shown => document.querySelector('[data-testid=stMain]').innerText !== shown"""

_CITED = """([approach, text]) => {
    const bare = one => one.replace(/\\[\\^?\\d+\\]|\\s+/g, '')
    return bare(document.querySelector(`.st-key-answer-${approach}`).innerText).includes(bare(text))
}"""


def carried(text: str) -> str:
    """What an environment variable or a file's name can carry of it."""
    return text.replace("\0", "").replace("\ud800", "")


def stored(field: str) -> str:
    """All that attacks, as a file or a variable can hold it."""
    return carried(hostile(field))


DOCUMENT = f"{stored('document')}.txt"
ODD_CARDS = {
    "year 1": '{"created": "0001-01-01T00:00:00+14:00"}',
    "year 9999": '{"created": "9999-12-31T23:59:59-12:00"}',
    "NaN": '{"final_loss": NaN}',
    "Infinity": '{"seconds": Infinity}',
    "digits": f'{{"steps": 1{"0" * 4000}}}',
    "long": json.dumps(
        {"settings": {"x": LONG}, "versions": {LONG: "x"}, "precision": "x" * 9_000, "created": "2000-01-01"}
    ),
    "too long": json.dumps({"command": LONG}),
}
"""Names of adapters, and what their cards say; half a surrogate pair is in `another base`."""
QUESTIONS = "![x](x) :smile:.jsonl"


@pytest.fixture
def server(httpserver: HTTPServer) -> HTTPServer:
    """Answers in OpenAI's format in which everything attacks."""
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": hostile("finish reason")}]}
    answer = sse(text_chunk(hostile("answer")), end | {"service_tier": hostile("service tier")}, USAGE)
    listed = json.dumps({"object": "list", "data": [{"id": hostile("listed model")}]})
    long = sse(text_chunk(LONG), {"choices": [{"index": 0, "delta": {}, "finish_reason": LONG}]}, USAGE)
    page = sse()
    page.content_type = f"x/{CORPUS['image']}"
    httpserver.expect_request("/v1/models").respond_with_data(listed, content_type="application/json")
    for place, response in (
        ("v1", answer),
        ("long", long),
        ("refusing", error(400, hostile("refusal"))),
        ("typed", page),
    ):
        httpserver.expect_request(f"/{place}/chat/completions").respond_with_response(response)
    return httpserver


def settings_of(server: HTTPServer) -> dict[str, str]:
    """The settings with a paid model, and three connections to servers that end otherwise."""
    model = stored("model")
    found = {"paid_api.base_url": server.url_for("/v1"), "paid_api.model": model, "rag.generator": "paid_api"}
    found |= {"rag.min_score": "-1"}
    for place in ("long", "refusing", "typed"):
        found |= {f"connections.{place}.base_url": server.url_for(f"/{place}"), f"connections.{place}.model": model}
        found |= {f"connections.{place}.max_retries": "0"}
    return found | {"raw.model": stored("base"), "fine_tuned.adapter": ADAPTER, "rag.collection": COLLECTION}


def judged() -> Judged:
    sample = Sample("1", stored("asked"), stored("wanted"), ((stored("fact"),),), tags=(stored("tag"),))
    given = {arm: answered(arm, stored(f"said by {arm}")) for arm in ("base", "adapter", *ARMS)}
    right = dict.fromkeys(given, True) | {"base": False}
    return Judged(sample, given, scores(right, dict.fromkeys(given, 0.5)))


def write_records(data: Path, sha256: str) -> None:
    """A proof, an attribution and an unfinished training."""
    some, gain, now = Estimate(0.1, 0.0, 0.2), Gain(Estimate(1.0, 0.5, 1.0), 1), datetime(2026, 11, 1, tzinfo=UTC)
    proof = AdapterProof(
        *(ADAPTER, sha256, stored("base of the proof"), stored("set of the proof"), now, 100, stored("embedder")),
        *((judged(),), 0, Share(0, 1), Share(1, 1), gain, some, some, some, None, None, False),
    )
    store_proof(data / "proofs" / sha256 / "1", proof)
    arms = {arm: Arm(arm, stored("arm"), Share(1, 1), some, 1.0, 1.0, 1, 1, Decimal("0.1"), 0) for arm in ARMS}
    techniques = {name: Technique(name, gain, some, Decimal("0.1")) for name in TECHNIQUES}
    sliced = Slice(stored("slice"), 1, {arm: Share(1, 1) for arm in ARMS}, dict.fromkeys(TECHNIQUES, gain))
    attribution = Attribution(
        *(stored("adapter of it"), sha256, stored("set of it"), stored("collection of it"), 5, stored("embedder")),
        *(now, 100, (judged(),), 0, arms, techniques, (sliced,), None, Decimal(1), Decimal(1), 1000),
    )
    store_attribution(data / "attributions" / "1", attribution)
    run = Run(
        *("run-1", stored("training"), data / "trainings" / "run-1", now, "failed", 1, 2, stored("reason"), False),
        *(1, 0, TrainingSettings(), "", stored("source"), stored("base of the training"), ""),
    )
    write_run(run, [Pair(stored("question"), stored("answer of a pair"))], [])


@pytest.fixture
def data(server: HTTPServer, tmp_path: Path) -> Path:
    """A data folder in which everything attacks."""
    data = tmp_path / "hostile"
    settings = load_settings(settings_of(server) | {"data": str(data)})
    folder = data / "adapters" / ADAPTER
    card = {name: stored(name) for name in ("precision", "command", "base_revision", "cost_basis")}
    card |= {name: {"x": stored(name), stored(f"name in {name}"): 1} for name in ("data", "settings", "versions")}
    card |= {
        "base_model": settings.raw.model,
        "cost_usd": "1",
        "created": "2030-01-01T00:00:00+00:00",
        "steps": 10**12,
        "final_loss": 1e12,
    }
    write_adapter(folder, card | {"score": {"questions": 1, "base": 0, "adapter": 1, "question_set": stored("set")}})
    (folder / "origin.json").write_text(json.dumps({"kind": "folder", "source": stored("origin")}))
    write_adapter(data / "adapters" / "odd", {"base_model": hostile("another base")})
    for name, text in ODD_CARDS.items():
        write_adapter(data / "adapters" / name, {})
        (data / "adapters" / name / "card.json").write_text(text)
    write_records(data, file_digest(folder / "adapter_model.safetensors"))
    text = tmp_path / "text.txt"
    text.write_text(f"{stored('passage')}\n\n" + "\n".join(map(carried, CORPUS.values())))
    added = fill(open_index(settings), Source(text, DOCUMENT, named=True))
    assert list(added.values()) == ["indexed"]
    close_stores(data)
    open_database(data).close()
    for approach in ("paid_api", "raw", stored("approach")):
        spent = Answer(
            approach,
            stored(f"model of {approach[:8]}"),
            "",
            "ok",
            timings=Timings(latency_s=1.0),
            usage=Usage(10**18, 10**18, source="server"),
            cost=Cost(Decimal("1"), stored("basis")),
        )
        ledger.append(data, spent, "real")
    return data


def question_set() -> bytes:
    """Questions that attack: one that can be judged, and one whose document is not there."""
    asked = {name: hostile(f"{name} of a question") for name in ("id", "question", "reference_answer", "key_facts")}
    asked |= {"tags": [hostile("tag of a question")]}
    unknown = {"id": hostile("another id"), "source": [stored("source of a question"), LONG]}
    return "\n".join(json.dumps(asked | more) for more in ({"source": [DOCUMENT]}, unknown, {"id": LONG})).encode()


class Reader:
    """Reads pages, and holds against each that nothing was made of a text."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.asked: list[str] = []
        self.faults: list[str] = []
        own = (address, address.replace("http", "ws"), "data:", "blob:")
        page.on("request", lambda request: None if request.url.startswith(own) else self.asked.append(request.url))

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)
        expect(self.page.get_by_test_id("stMain")).to_be_visible()
        expect(self.page.get_by_text("Settings for every approach")).to_be_visible()
        expect(self.page.get_by_test_id("stStatusWidget")).to_have_count(0)

    def ask(self, text: str = "What?") -> None:
        box = self.page.get_by_role("textbox", name="Your question")
        box.fill(text)
        box.press("Control+Enter")

    def show_all(self) -> None:
        """Open every answer that is shown in part. All of them are to be there."""
        more = self.page.get_by_role("button", name="Show all")
        for opened in range(1, more.count() + 1):
            more.first.click()
            expect(self.page.get_by_role("button", name="Show less")).to_have_count(opened)

    def reads(self, *texts: str) -> None:
        """Each is on the page, letter by letter."""
        for text in map(on_screen, texts):
            try:
                self.page.wait_for_function(_SEEN, arg=text, timeout=READ_MS)
            except TimeoutError:
                self.faults.append(f"{self.page.url} does not show {text[:60]}")

    def reads_cited(self, approach: str, text: str) -> None:
        """The answer shows it letter by letter, apart from citations: they are buttons, where a sentence ends."""
        try:
            self.page.wait_for_function(_CITED, arg=[approach, on_screen(text)], timeout=READ_MS)
        except TimeoutError:
            self.faults.append(f"{self.page.url} does not show {text[:60]} as its answer")

    def upload(self, name: str, content: bytes) -> None:
        """Give a file to the first place that takes one."""
        files = self.page.get_by_test_id("stFileUploaderDropzoneInput").first
        files.set_input_files([{"name": name, "mimeType": "text/plain", "buffer": content}])
        expect(self.page.get_by_role("button", name=f"Remove {name}")).to_be_visible()
        expect(self.page.get_by_test_id("stStatusWidget")).to_have_count(0)

    def click_rows(self, count: int) -> None:
        """Choose every row of the page's first table, one after another; it may hold them apart in two tables."""
        clicked = 0
        for table in self.page.get_by_test_id("stDataFrame").all():
            drawn(self.page)  # one that is drawn anew has no size, or another one
            box = table.bounding_box()
            assert box is not None
            for y in range(55, int(box["height"]), 35):
                shown = self.page.get_by_test_id("stMain").inner_text()
                table.click(position={"x": 20, "y": y})
                self.page.wait_for_function(_OTHER, arg=shown)  # each row has a name of its own, which is shown then
                self.check(f"{self.page.url}, row {clicked}")
                clicked += 1
        assert clicked >= count

    def check(self, place: str) -> None:
        """Nothing was fetched, made of a text, or broken."""
        drawn(self.page)
        expect(self.page.get_by_test_id("stStatusWidget")).to_have_count(0)
        broken = self.page.get_by_test_id("stException").all_inner_texts()
        made, self.asked, asked = self.page.evaluate(_MADE_OF_TEXT), [], self.asked
        owned = [] if self.page.title().endswith(" \u00b7 Crossroads") else [self.page.title()]
        self.faults += [f"{place}: {one}" for one in (*broken, *made, *asked, *owned)]


@pytest.mark.slow
def test_every_page_shows_text_that_attacks_as_letters(
    page: Page, start_app: Callable[..., str], server: HTTPServer, data: Path
) -> None:
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    names = {f"CROSSROADS_{name.replace('.', '__').upper()}": value for name, value in settings_of(server).items()}
    reader = Reader(page, start_app(data, HF_HUB_OFFLINE="1", **names))

    reader.open("/")
    expect(page.get_by_text("There is no folder").first).to_be_visible(timeout=PATIENCE_MS)  # all was tried
    reader.ask(hostile("asked here"))
    expect(page.get_by_text("Every number")).to_be_visible()
    reader.reads(hostile("asked here")[:70])  # of a long question, the bar leaves out the middle
    reader.show_all()
    reader.reads(hostile("answer"), hostile("refusal")[:150], CORPUS["image"])
    reader.check("compare")

    reader.open("/raw")
    reader.ask(hostile("asked of the raw model"))
    reader.reads(hostile("asked of the raw model")[:480], "There is no folder", stored("base")[:60])
    reader.check("raw")

    reader.open("/paid_api")
    reader.ask()
    reader.reads(hostile("finish reason"))  # it comes when the answer is whole
    reader.show_all()
    reader.reads(hostile("answer"))
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("The server lists 1 models")).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    choice = page.get_by_role("combobox", name="Model")
    for _ in range(5):  # a page that still runs puts a new choice in its place, and a list that was open is closed
        choice.press("ArrowDown")
        with contextlib.suppress(TimeoutError):
            page.get_by_role("option").first.wait_for(timeout=3_000)
            break
    reader.reads(hostile("listed model"))
    choice.press("Escape")
    reader.check("paid_api")
    page.get_by_text("long", exact=True).click()
    expect(page.get_by_role("textbox", name="Base URL")).to_have_value(server.url_for("/long"))
    reader.ask()
    reader.reads("<" * 2_000, "…")
    reader.check("paid_api, long")

    reader.open("/fine_tuned?section=Pairs")
    pair = {"question": hostile("question"), "answer": hostile("answer of a pair"), "group": hostile("group")}
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(
        [{"name": "![x](x) :smile:.jsonl", "mimeType": "text/plain", "buffer": json.dumps(pair).encode()}]
    )
    reader.reads("![x](x) :smile:.jsonl")
    reader.check("pairs")
    page.get_by_role("button", name="Train on these").click()
    reader.reads("![x](x) :smile:.jsonl", stored("training"), stored("reason"))
    reader.check("train")
    reader.open("/fine_tuned?section=Adapters")
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    page.get_by_test_id("stDataFrame").first.click(position={"x": 20, "y": 55})
    reader.reads(
        ADAPTER,
        stored("origin"),
        stored("precision"),
        stored("command"),
        stored("name in settings").replace("_", " "),
    )
    reader.check("adapters")
    reader.click_rows(len(ODD_CARDS) + 3)  # with the sample, and the one with another base
    reader.open("/fine_tuned?section=Proof")
    reader.reads(stored("set of the proof"), stored("asked"), stored("wanted"), stored("said by base"))
    page.get_by_text("The adapter's card").click()
    reader.reads(stored("precision"))
    reader.check("proof")
    page.get_by_text("A file of yours").click()
    reader.upload(QUESTIONS, b"no JSON")
    page.get_by_role("button", name="Prove").click()
    reader.reads(f"Line 1 of {QUESTIONS} is not JSON.")
    reader.check("proof, with questions that are none")
    reader.open("/fine_tuned?section=Attribution")
    reader.reads(COLLECTION, stored("set of it"), stored("collection of it"), stored("adapter of it"))
    reader.check("attribution")

    reader.open("/rag?section=Ask")
    reader.ask("passage document")
    reader.reads(hostile("finish reason"))
    reader.show_all()
    reader.reads_cited("rag", hostile("answer"))
    page.get_by_text("Sources (").click()
    reader.reads(DOCUMENT)
    reader.check("rag")
    for section in ("Documents", "Search", "Map", "Measure"):
        page.get_by_test_id("stButtonGroup").first.get_by_text(section, exact=True).click()
        if section == "Documents":
            page.get_by_test_id("stDataFrame").first.click(position={"x": 20, "y": 55})
            reader.reads(DOCUMENT, carried(CORPUS["image"]))
        elif section == "Search":
            reader.reads(DOCUMENT)
        elif section == "Map":
            expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
        else:
            reader.upload(QUESTIONS, question_set())
            page.get_by_role("button", name="Measure", exact=True).click()
            expect(page.get_by_text("is best: ")).to_be_visible(timeout=PATIENCE_MS)
            page.get_by_text("were not judged in full").click()
            reader.reads(stored("source of a question"))
        reader.check(section)

    model = stored("model")
    for section in ("Per month", "Per right answer", "What if", "From scratch", "History"):
        reader.open(f"/costs?costs={section.replace(' ', '+')}")
        if section == "History":
            expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(4)
        elif section == "From scratch":
            expect(page.get_by_test_id("stTable").last).to_be_visible()
        else:
            reader.reads(model)
        reader.check(section)
    reader.open("/history")
    opened = page.locator("[class*=st-key-history_open]").get_by_role("button")
    expect(opened.first).to_be_visible()
    reader.reads(hostile("asked here")[:70])
    reader.check("history")
    opened.last.click()
    expect(page.get_by_text("shown as it was answered")).to_be_visible()
    reader.show_all()
    reader.reads(hostile("asked here")[:480], hostile("answer"))
    reader.check("a question of the history")
    assert not reader.faults, "\n".join(reader.faults)
