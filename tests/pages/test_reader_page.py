"""Teaching to read on the Fine-tuned page: the examples, the training, and RAG writing with what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.train import job as training_job
from backends.fine_tuned.train.estimate import Estimate
from backends.rag import approach
from backends.run import jobs
from backends.run.jobs import Progress
from backends.settings import DEFAULT_EMBEDDER, load_settings
from tests.backends.models.made_adapters import load_base, make_lora
from tests.evaluation.reading_collection import PAIRS, filled, roomy
from tests.pages.test_fine_tuned_page import (  # noqa: F401 - fixtures among them
    click,
    data,
    done,
    estimate_key_of,
    labels,
    opened,
    run,
    select,
    shows,
    tiny_model,
    turn_to,
    upload,
)
from ui.fine_tuned.reading import examples_key

READER = {
    "kind": "reading",
    "reading": {
        "collection": "handbook",
        "version": "v-1",
        "sentences": 3,
        "examples": 7,
        "refusals": 2,
        "left_out": 1,
    },
}


@pytest.fixture
def shop(data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:  # noqa: F811
    """The app with a filled collection and a tiny base that has room for its prompts."""
    model = str(roomy(tiny_model, tmp_path / "base"))
    monkeypatch.setenv("CROSSROADS_RAW__MODEL", model)
    monkeypatch.setenv("CROSSROADS_RAG__MIN_SCORE", "-1")
    monkeypatch.setenv("CROSSROADS_RAG__SENTENCES", "2")
    quick = approach.embedders[DEFAULT_EMBEDDER, data]
    filled(data, tmp_path / "documents", quick)  # type: ignore[arg-type]
    load_base(model)
    yield data
    jobs.by_key.pop(examples_key(load_settings()), None)


def with_pairs() -> AppTest:
    content = "".join(json.dumps(asdict(pair)) + "\n" for pair in PAIRS).encode()
    return turn_to(upload(opened("Pairs"), "shop.jsonl", content), "Train")


def reading() -> AppTest:
    return run(with_pairs().button_group(key="train_kind").set_value("reading"))


def with_examples() -> AppTest:
    at = click(reading(), "make_examples")
    return done(at, examples_key(load_settings()))


def overrides(at: AppTest) -> dict[str, object]:
    found: dict[str, object] = at.session_state["setting_overrides"]
    return found


def test_examples_are_made_before_anything_is_trained(shop: Path) -> None:
    at = reading()
    assert "Start training" not in labels(at)
    at = with_examples()
    assert shows(at, "5 questions with an answer in the sentences found, 2 without one.")
    assert shows(at, "1 pair left out: none of the sentences found holds its answer.")
    assert list(at.dataframe[0].value["Question"]) == ["How many days of paid holiday has a manager?"]
    assert shows(at, "wanted: The documents do not say.")
    assert at.text_input(key="train_name").value == "shop-reader"
    assert at.number_input(key="reading_epochs").value == 2
    run(at.slider(key="reading_unanswerable").set_value(50))
    assert shows(at, "Make the examples again.")
    assert "Start training" not in labels(at)


def test_a_reader_is_not_offered_where_nothing_is_read(shop: Path) -> None:
    make_lora(shop / "adapters" / "reads", card=READER)
    make_lora(shop / "adapters" / "answers")
    assert opened("Ask").selectbox(key="setting:fine_tuned.adapter").options == ["brambleworth", "answers"]


def test_the_estimate_is_of_the_examples(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Pair] = []

    def estimate(settings: object, pairs: tuple[Pair, ...], *_: object) -> Iterator[Progress[Estimate]]:
        asked.extend(pairs)
        yield Progress(1, 1, "", Estimate(75.0, 10**9, 5 * 10**9, None, "no rate", 412.0, "float32", 4, ""))

    monkeypatch.setattr("ui.fine_tuned.train.estimate", estimate)
    at = done(click(with_examples(), "estimate"), estimate_key_of(shop))
    assert shows(at, "About 75 s for 4 steps")
    assert len(asked) == 7
    assert all(one.prompt for one in asked)


def test_a_reader_is_trained_and_rag_writes_with_it(shop: Path) -> None:
    at = with_examples()
    run(at.number_input(key="reading_epochs").set_value(1))
    done(click(at, "start_training"), training_job.KEY)
    assert shows(at, "All ")
    assert "Use this adapter" not in labels(at)
    click(at, "use_trained")
    assert {name: overrides(at)[name] for name in ("rag.generator", "rag.adapter", "rag.context")} == {
        "rag.generator": "fine_tuned",
        "rag.adapter": "shop-reader",
        "rag.context": "sentences",
    }
    assert "fine_tuned.adapter" not in overrides(at)
    click(at, "use_trained:without")
    assert not overrides(at)
    click(at, "to_proof")
    assert at.selectbox(key="attribution_adapter").value == "shop-reader"
    assert shows(at, "the numbers and names that the pair's answer adds to its question")


def test_without_documents_it_leads_to_them(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_RAG__COLLECTION", "nothing")
    assert shows(reading(), "This collection holds nothing yet.")


def test_a_reader_is_not_offered_as_if_it_knew_facts(shop: Path) -> None:
    make_lora(shop / "adapters" / "reader", card={"base_model": "base"} | READER)
    at = opened("Adapters")
    assert (
        dict(zip(at.dataframe[0].value["Adapter"], at.dataframe[0].value["Taught"], strict=True))["reader"] == "reading"
    )
    select(at, "reader")
    assert "Use this adapter" not in labels(at)
    assert "Let RAG write with it" in labels(at)
    turn_to(at, "Proof")
    assert "reader" not in [name for box in at.selectbox for name in box.options]
    turn_to(at, "Attribution")
    assert "reader" in at.selectbox(key="attribution_adapter").options


def test_a_reader_that_writes_is_renamed_and_deleted_with_the_setting(shop: Path) -> None:
    make_lora(shop / "adapters" / "reader", card={"base_model": "base"} | READER)
    at = select(opened("Adapters"), "reader")
    click(at, "use_adapter")
    at.text_input(key="new_adapter_name").input("better")
    click(at, "FormSubmitter:form:rename-Rename")
    assert overrides(at)["rag.adapter"] == "better"
    select(at, "better")
    click(at, "delete_adapter")
    assert not overrides(at)
